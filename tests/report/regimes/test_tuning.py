"""Algorithm 1: whether its answers are right, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from secateurs.report.regimes import tuning_told as tuning
from secateurs.report.regimes.findings import RegimeFindings, find_regimes
from secateurs.report.regimes.rows import Axis, RegimeStudy, RegimeTerms
from secateurs.report.regimes.tuned import Answer, algorithms, tuned
from secateurs.report.regimes.tuned import answers as answers_of
from secateurs.report.regimes.tuning_told import ANSWERS

MakeRegimes = Callable[..., RegimeStudy]

TERMS = RegimeTerms(tuning=(160.0, 80.0), dense_epochs={10.0: 10.0, 80.0: 80.0, 160.0: 160.0})


def of(study: RegimeStudy) -> RegimeFindings:
    """The only setting."""
    (found,) = find_regimes(study)
    return found


def answers(study: RegimeStudy) -> tuple[Answer, ...]:
    """Of the only setting, by the end of retraining."""
    found = of(study)
    judged = tuned(found)
    assert judged is not None
    return answers_of(found, judged, algorithms(judged)[0])


def noisy(temperature: float, load: float, seed: int) -> float:
    """At 5 % raising helps by 4, 5 and 6 points, at 20 % by chance only, at 80 % it harms by as much."""
    effect = {0.05: 0.04 + 0.01 * seed, 0.2: 0.01 * (seed - 1), 0.8: -0.04 - 0.01 * seed}[load]
    return 0.2 + effect * (temperature == 160)


def test_answers_by_hand(make_regimes: MakeRegimes) -> None:
    low, middle, high = answers(make_regimes(terms=TERMS, numbers={"error": noisy}))
    assert list(low.changes.values()) == pytest.approx([-0.04, -0.05, -0.06])
    assert (low.raises, low.helps, low.right, low.verdict) == ({0: True, 1: True, 2: True}, True, 3, "right")
    # LMC is -0.1 at 20 %: raised, which helps one seed of three and changes nothing for another.
    assert (middle.right, middle.helps, middle.verdict) == (1, None, "not told apart")
    assert (set(high.raises.values()), high.helps, high.right, high.verdict) == ({False}, False, 3, "right")


def test_a_wrong_answer_is_told(make_regimes: MakeRegimes) -> None:
    numbers = {"error": noisy, "lmc": lambda t, d, s: 0.0 if d < 0.5 or s == 0 else -0.5}
    low, _, high = answers(make_regimes(terms=TERMS, numbers=numbers))
    assert (low.right, low.verdict) == (0, "wrong")
    assert (high.right, high.verdict) == (1, "right on 1 of 3 seeds")


def test_one_seed_tells_nothing_apart(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS, seeds=1)
    assert [each.verdict for each in answers(study)] == ["1 seed"] * 3
    said = list(tuning.sentences(of(study)))
    assert said[0] == (
        "Algorithm 1: its answer is the better one in 3 of 3 choices (one a load and seed), where never raising would "
        "be in 1, and always raising in 2; at no load is it told "
        "which answer is better."
    )


def test_two_seeds_tell_nothing_apart(make_regimes: MakeRegimes) -> None:
    """Their intervals may leave out 0, which says nothing."""
    study = make_regimes(terms=TERMS, seeds=2, numbers={"error": lambda t, d, s: 0.2 + 0.05 * (t == 160)})
    every = answers(study)
    assert all(each.interval is not None and each.interval[1] < 0 for each in every)
    assert [(each.helps, each.verdict) for each in every] == [(None, "2 seeds")] * 3
    said = " ".join(tuning.sentences(of(study)))
    assert "leave out 0" not in said
    assert "at no load is it told which answer is better" in said
    assert "with fewer than 3 seeds nothing is told apart" in said


def test_both_errors_are_of_the_same_seeds(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS, numbers={"error": noisy})
    cell = next(each for each in study.cells if (each.temperature, each.load, each.seed) == (80.0, 0.05, 2))
    changed = {("net", 80.0, 0.05, 2): replace(cell, runs=({},) * 3, ends=({},) * 3)}
    low, *_ = answers(make_regimes(terms=TERMS, numbers={"error": noisy}, changed=changed))
    assert low.initial is not None
    assert low.raised is not None
    assert (low.initial.n, low.raised.n) == (2, 2)
    assert low.initial.mean - low.raised.mean == pytest.approx(0.045)


def test_ties_are_not_among_the_intervals(make_regimes: MakeRegimes) -> None:
    numbers = {"error": lambda t, d, s: noisy(t, d, s) if d == 0.05 else 0.2}
    study = make_regimes(terms=TERMS, numbers=numbers)
    assert [each.verdict for each in answers(study)] == ["right", "no difference", "no difference"]
    assert "(of 1 interval about 0.05 would by chance" in " ".join(tuning.sentences(of(study)))


def test_nothing_is_said_to_cost_nothing(make_regimes: MakeRegimes) -> None:
    """While only the plain networks are there, nothing is known of what LMC takes."""
    study = make_regimes(terms=TERMS)
    cells = [replace(cell, ends=({},) * 3, probes=({},) * 3) for cell in study.cells]
    said = " ".join(tuning.sentences(of(replace(study, cells=cells))))
    assert "0 forward passes" not in said
    assert "Epochs of dense training" not in said


def test_what_is_said(make_regimes: MakeRegimes) -> None:
    said = list(tuning.sentences(of(make_regimes(terms=TERMS, numbers={"error": noisy}))))
    said = [each.replace("\N{NO-BREAK SPACE}", " ") for each in said]
    assert said[0] == (
        "Raising the temperature from 160 epochs to 80 epochs lowers the test error at density 5 % and raises the test "
        "error at density 80 %, by intervals that leave out 0 (of 3 intervals about 0.2 would by chance "
        "where nothing differs)."
    )
    assert said[1] == (
        "Algorithm 1: its answer is the better one in 7 of 9 choices (one a load and seed), where never raising would "
        "be in 5, and always raising in 4; of the 2 loads at which it "
        "is told which is better, right at 2."
    )
    # Two copies in full, and a third network where the temperature is raised, at 2 of 3 loads.
    costs = "never raise 160 + 160; Algorithm 1 160 + 426.7; grid search 160 + 320"
    assert any(costs in each and "both temperatures are stops of one dense run" in each for each in said)


def test_by_the_probe_it_costs_less(make_regimes: MakeRegimes) -> None:
    found = of(make_regimes(terms=replace(TERMS, probe_epochs=2.0)))
    judged = tuned(found)
    assert judged is not None
    assert [way.name for way in algorithms(judged)] == [
        "Algorithm 1, LMC after 160 epochs",
        "Algorithm 1, LMC after 2 epochs",
    ]
    retraining = {each.way.name: each.retraining for each in judged.lines if each.load == 0.05}
    assert list(retraining.values()) == [160, 480, 164, 320]
    assert [heading for heading, _ in next(tuning.grids(found)).parts] == [way.name for way in algorithms(judged)]


def test_networks_that_guess_are_told_of(make_regimes: MakeRegimes) -> None:
    numbers = {"error": lambda t, d, s: 0.9 if d == 0.05 else 0.1}
    said = " ".join(tuning.sentences(of(make_regimes(terms=replace(TERMS, chance=0.1), numbers=numbers))))
    assert "hardly better than chance at the initial temperature" in said


@pytest.mark.parametrize("terms", [RegimeTerms(), replace(TERMS, copies=1), replace(TERMS, ends=False)])
def test_nothing_without_tuning_or_comparisons(make_regimes: MakeRegimes, terms: RegimeTerms) -> None:
    found = of(make_regimes(terms=terms))
    assert tuned(found) is None
    assert not [*tuning.sentences(found), *tuning.grids(found), *tuning.answer_rows(found), *tuning.choice_rows(found)]


def test_rows_have_their_columns_and_lines_their_cells(make_regimes: MakeRegimes) -> None:
    batches = Axis("batch_size", (16.0, 128.0), "batch size")
    numbers = {
        "error": lambda t, d, s: 0.2,
        "lmc": lambda *_: -0.5,
        "cka": lambda *_: 0.5,
        "dense_error": lambda *_: 0.1,
    }
    terms = RegimeTerms(tuning=(128.0, 16.0))
    found = of(make_regimes(temperature=batches, terms=terms, numbers=numbers))
    assert {tuple(row) for row in tuning.answer_rows(found)} == {ANSWERS}
    for grid in tuning.grids(found):
        assert all(len(row.cells) == len(grid.columns) - 1 for _, lines in grid.parts for row in lines)
    assert "batch size 128".replace(" ", "\N{NO-BREAK SPACE}") in tuning.caption(found)
