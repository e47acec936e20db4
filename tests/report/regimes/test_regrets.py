"""Regrets against grid search, worked out by hand, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from secateurs.report.regimes import selection_told as selection
from secateurs.report.regimes.findings import RegimeFindings, find_regimes
from secateurs.report.regimes.regrets import Judged, Line
from secateurs.report.regimes.regrets_tables import CHOICES, REGRETS
from secateurs.report.regimes.rows import Axis, RegimeStudy, RegimeTerms
from secateurs.report.student import t_interval

MakeRegimes = Callable[..., RegimeStudy]

TERMS = RegimeTerms(probe_epochs=2.0, dense_epochs={10.0: 10.0, 80.0: 80.0, 160.0: 160.0})


def of(study: RegimeStudy) -> RegimeFindings:
    """The only setting."""
    (found,) = find_regimes(study)
    return found


def selected(study: RegimeStudy) -> Judged:
    """The choices of the only setting."""
    found = selection.selected(of(study))
    assert found is not None
    return found


def line(judged: Judged, name: str, load: float | None) -> Line:
    """One line."""
    lines = judged.overall if load is None else judged.lines
    return next(each for each in lines if (each.way.name, each.load) == (name, load))


def test_regrets_by_hand(make_regimes: MakeRegimes) -> None:
    found = selected(make_regimes(terms=TERMS))
    # Conventionally the network of 160 epochs is pruned: 0.30 against 0.20, 0.13 against 0.12, and the best one.
    regrets = [line(found, "conventional", load).regrets for load in (0.05, 0.2, 0.8)]
    assert regrets == [pytest.approx([expected] * 3) for expected in (0.10, 0.01, 0.0)]
    for name in ("Algorithm 2", "Algorithm 2.1", "Algorithm 2 as printed"):
        assert all(line(found, name, load).same for load in (0.05, 0.2, 0.8))
    assert line(found, "conventional", None).regrets == pytest.approx([0.11 / 3] * 3)


def test_each_seed_counts_once_over_all_loads(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS, numbers={"error": lambda t, d, s: 0.1 + (t == 160) * (s + 1) * d})
    own = line(selected(study), "conventional", None)
    expected = [(0.05 + 0.2 + 0.8) / 3 * (seed + 1) for seed in range(3)]
    assert own.regrets == pytest.approx(expected)
    assert own.interval == pytest.approx(t_interval(expected))
    assert (own.loads, len(own.choices)) == (3, 9)


def test_shares_of_grid_search(make_regimes: MakeRegimes) -> None:
    found = selected(make_regimes(terms=TERMS))
    shares = [line(found, "Algorithm 2", load).share for load in (0.05, 0.8)]
    assert shares == pytest.approx([168 / 480, 164 / 480])
    assert line(found, "Algorithm 2", None).share == pytest.approx((168 + 168 + 164) / 3 / 480)
    assert line(found, "grid search", None).share == 1


def test_loads_at_which_a_seed_has_nothing_are_left_out_of_all_ways(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS)
    cell = next(each for each in study.cells if (each.temperature, each.load, each.seed) == (80.0, 0.2, 1))
    gone = replace(cell, runs=({},) * 3, ends=({},) * 3, probes=({},) * 3)
    found = selected(make_regimes(terms=TERMS, changed={("net", 80.0, 0.2, 1): gone}))
    assert {each.loads for each in found.overall} == {2}
    assert line(found, "grid search", 0.2).undecided("waiting") == 1
    assert line(found, "conventional", 0.2).regrets == pytest.approx([0.01, 0.01])
    said = " ".join(selection.sentences(of(make_regimes(terms=TERMS, changed={("net", 80.0, 0.2, 1): gone}))))
    assert "the mean over 2 of 3 loads" in said
    assert "left out as results are missing: Algorithm 2 1; Algorithm 2.1 1; Algorithm 2 as printed 1; grid" in said


def test_while_algorithm_2_is_undecided_no_cost_is_told(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS)
    found = of(replace(study, cells=[replace(cell, probes=({},) * 3) for cell in study.cells]))
    said = " ".join(selection.sentences(found))
    assert "forward passes" not in said
    assert "Epochs of retraining" not in said
    assert "left out as results are missing: Algorithm 2 9; Algorithm 2.1 9; Algorithm 2 as printed 9." in said
    assert all(each.passes is None for each in selected(found.study).lines)


def test_all_means_are_over_the_same_choices(make_regimes: MakeRegimes) -> None:
    """Of seed 1 at 5 %, where Algorithm 2 has no LMC yet, no way counts."""
    study = make_regimes(terms=TERMS, numbers={"error": lambda t, d, s: 0.1 + s / 10})
    cell = next(each for each in study.cells if (each.temperature, each.load, each.seed) == (160.0, 0.05, 1))
    changed = {("net", 160.0, 0.05, 1): replace(cell, probes=({},) * 3)}
    found = selected(make_regimes(terms=TERMS, numbers={"error": lambda t, d, s: 0.1 + s / 10}, changed=changed))
    own = [each for each in found.lines if each.load == 0.05]
    assert [each.error.mean for each in own if each.error is not None] == pytest.approx([0.2] * 5)
    assert [len(each.regrets) for each in own] == [2] * 5
    (grid,) = selection.grids(of(make_regimes(terms=TERMS, changed=changed)))
    cells = [row.cells[0].replace("\N{NO-BREAK SPACE}", " ") for row in grid.parts[1][1]]
    assert all(each.endswith("(n = 2)") for each in cells)
    said = " ".join(selection.sentences(of(make_regimes(terms=TERMS, changed=changed))))
    assert "in the mean of 8 of 9 choices that every way made" in said
    caption = selection.caption(of(make_regimes(terms=TERMS, changed=changed)))
    assert caption.endswith(" Only what every way chose: 8 of 9 choices.")


def test_two_seeds_are_not_told_apart(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS, seeds=2)
    assert all(each.paired.apart is None for each in selected(study).lines)
    said = list(selection.sentences(of(study)))
    assert said[0].endswith("; with fewer than 3 seeds nothing is told apart.")
    assert not any("leave out 0" in each or "leaves out 0" in each for each in said)


def test_diverged_choices_are_counted_and_told(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS, numbers={"error": lambda t, d, s: None if d == 0.05 else 0.1 + d / 10})
    found = selected(study)
    assert line(found, "grid search", 0.05).undecided("diverged") == 3
    said = " ".join(selection.sentences(of(study)))
    assert (
        "Of 9 choices of each way (one for each load and seed), left out as what they need, or lead to, diverged: "
        "3 of every way." in said
    )


def test_one_seed_has_no_interval(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=TERMS, seeds=1)
    assert all(each.interval is None and not each.paired.apart for each in selected(study).lines)
    said = list(selection.sentences(of(study)))
    assert said[0].endswith("; with fewer than 3 seeds nothing is told apart.")
    assert not any("leave out 0" in each or "leaves out 0" in each for each in said)


def test_one_temperature_leaves_nothing_to_choose(make_regimes: MakeRegimes) -> None:
    study = make_regimes(temperature=Axis("epochs", (160.0,), "training epochs"), terms=TERMS)
    assert selection.selected(of(study)) is None
    assert not list(selection.sentences(of(study)))
    assert not list(selection.grids(of(study)))


@pytest.mark.parametrize("terms", [RegimeTerms(), replace(TERMS, chance=0.9), replace(TERMS, probe_only=True)])
def test_nothing_is_said_without_a_probe_or_of_networks_that_guess(
    make_regimes: MakeRegimes, terms: RegimeTerms
) -> None:
    found = of(make_regimes(terms=terms))
    assert not list(selection.sentences(found))
    assert not list(selection.choice_rows(found))


def test_what_is_said_of_the_made_up_study(make_regimes: MakeRegimes) -> None:
    study = make_regimes(
        terms=TERMS, numbers={"error": lambda t, d, s: 0.1 + (t == 160) * (0.1 + s / 100) * (d == 0.05)}
    )
    said = [each.replace("\N{NO-BREAK SPACE}", " ") for each in selection.sentences(of(study))]
    assert said[0].startswith(
        "Test error against grid search's choice, in points, the mean over 3 loads, 3 seeds: conv"
    )
    assert "Algorithm 2 0.00 (same choices)" in said[0]
    assert said[1] == (
        "Load by load, where a way's choices are not all grid search's, 1 of 1 interval leaves out 0 (about 0.05 would "
        "by chance where nothing differs): conventional above grid search at density 5 %."
    )
    assert said[2].startswith("Algorithm 2 chooses another network than the conventional way in 6 of 9 choices;")
    assert (
        "grid search 480. LMC takes 22 forward passes over the training data beside, about the work of 7.3" in said[4]
    )


def test_the_table_of_the_page(make_regimes: MakeRegimes) -> None:
    (grid,) = selection.grids(of(make_regimes(terms=TERMS)))
    assert [heading for heading, _ in grid.parts] == [
        "All loads",
        *(f"density\N{NO-BREAK SPACE}{d}\N{NO-BREAK SPACE}%" for d in (5, 20, 80)),
    ]
    assert all(len(row.cells) == len(grid.columns) - 1 for _, lines in grid.parts for row in lines)
    heads = [row.head for row in grid.parts[0][1]]
    assert "Algorithm 2 as printed (on test data)" in heads
    assert "chooses on test data" in grid.note


def test_rows_have_their_columns(make_regimes: MakeRegimes) -> None:
    found = of(make_regimes(terms=TERMS))
    choices, regrets = list(selection.choice_rows(found)), list(selection.regret_rows(found))
    assert {tuple(row) for row in choices} == {CHOICES}
    assert {tuple(row) for row in regrets} == {REGRETS}
    assert len(choices) == 5 * 9
    assert len(regrets) == 5 * 4
    assert {row["chosen_on_test"] for row in choices if row["way"] != "Algorithm 2 as printed"} == {False}
