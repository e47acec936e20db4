"""What may be claimed: on how many seeds, from which moments, and on whose terms."""

from __future__ import annotations

import dataclasses

import pytest

from pages import plain
from secateurs.core import DataError
from secateurs.report.student import t_interval
from secateurs.report.tickets import Terms, TicketFindings, compared, dilations, find_tickets, reach, speeds, summary
from secateurs.report.tickets.accuracy import caption
from secateurs.report.tickets.courses import course
from secateurs.report.tickets.grids import grids

from .conftest import ACCURACY, dilated, gone, looks, result

TWO = ("0ep", "500it")
NOWHERE = {("IMP", level, seed): result(0.5) for level in (1, 2, 3) for seed in range(3)}


def found_in(study) -> TicketFindings:
    (found,) = find_tickets(study)
    return found


def said(study) -> list[str]:
    return [plain(each) for each in summary(found_in(study))]


def test_a_moment_with_fewer_seeds_is_not_the_best_one(make_tickets) -> None:
    """The one seed done at k = 500 is that of the best dense network: its raw mean is higher, its difference lower."""
    some = {("IMP", 2, seed, "500it"): {} for seed in (0, 1)} | {("IMP", 2, 2, "500it"): result(0.9335)}
    found = found_in(make_tickets(rewind=TWO, changed_at=some))
    assert [cell.rewind for cell in found.best("IMP")] == ["500it", "0ep", "500it"]


def test_moments_are_compared_by_the_difference_to_dense(make_tickets) -> None:
    one = {("IMP", 2, 0, "0ep"): {}, ("IMP", 2, 2, "500it"): {}}
    even = {("IMP", 2, seed, "500it"): result(ACCURACY[seed] + 0.002) for seed in (0, 1)}
    found = found_in(make_tickets(rewind=TWO, changed_at=even | one))
    at = {cell.rewind: cell for cell in found.cells if (cell.ticket, cell.level) == ("IMP", 2)}
    assert at["0ep"].spread().mean > at["500it"].spread().mean, "it has the better seeds"
    assert found.best("IMP")[1].rewind == "500it"


def test_a_level_matches_where_any_moment_does(make_tickets) -> None:
    """The best by mean diverged on a seed, or lies below: what matches at another moment still matches."""
    lower = {("IMP", 2, seed, "500it"): gone("3ep") for seed in (0, 1)} | {
        ("IMP", 3, seed, "500it"): result(0.5) for seed in range(3)
    }
    found = found_in(make_tickets(rewind=TWO, changed_at=lower))
    assert found.matches("IMP") == {0.8: True, 0.64: True, 0.512: False}
    assert (found.most_extreme.density, found.most_extreme.rewind) == (0.64, "0ep")
    assert dict(found.ranges)[0.64] == "II"
    shaded = [line for _, lines in next(grids(found)).parts[1:2] for line in lines if line.marked]
    assert [(line.head, line.cells[0]) for line in shaded] == [("64", "0")]


def test_an_unfinished_moment_leaves_a_range_open(make_tickets) -> None:
    some = {("IMP", 3, seed, "500it"): {} for seed in range(3)}
    found = found_in(make_tickets(rewind=TWO, changed_at=some))
    assert [density for density, _ in found.ranges] == [0.8, 0.64], "that of k = 500 may match yet"


def test_ranges_say_what_was_tried_and_levels_that_fail_are_named(make_tickets) -> None:
    study = make_tickets(rewind=TWO, changed={("IMP", 1, seed): result(0.5) for seed in range(3)})
    text = " ".join(said(study))
    assert "Tried were IMP from 2 moments and global random from 2 moments; the best on test data counts." in text
    assert "moment and level are chosen by test accuracy; at 80 % it matches from none of them." in text


def test_few_seeds_are_told_apart_by_students_t(make_tickets) -> None:
    """A percentile bootstrap over three differences of one sign leaves out 0."""
    ups = {("LRR", 1, seed): result(ACCURACY[seed] + 0.004 - up) for seed, up in enumerate((0.001, 0.004, 0.010))}
    found = found_in(make_tickets(changed=ups))
    (each,) = [each for each in compared(found) if (each.other, each.level) == ("LRR", 1)]
    assert each.interval == pytest.approx(t_interval([0.001, 0.004, 0.010]))
    assert each.said == ""


def test_claims_say_on_how_many_seeds(make_tickets) -> None:
    some = {(name, level, 2): {} for name in ("IMP", "global random") for level in (1, 2, 3)}
    text = said(make_tickets(changed=some))
    wanted = "Some results are of 2 seeds of 3: by them nothing is told apart, and deviations cannot be trusted."
    assert text[0] == wanted
    assert any(
        each.startswith("IMP matches down to 64 % of weights (on 2 of 3 seeds, in the mean; matching") for each in text
    )
    assert any(
        each.startswith("Sparsity ranges, in weights remaining (on 2 of 3 seeds, in the mean): I") for each in text
    )
    alone = said(make_tickets(changed={key: {} for key in some} | {("IMP", 1, 1): {}}))
    assert alone[0].startswith("Some results are of one seed of 3: for them there is no spread")


def test_a_level_in_between_and_the_only_level_are_told_as_such(make_tickets) -> None:
    study = make_tickets(changed={("IMP", 1, seed): result(0.5) for seed in range(3)})
    assert any("IMP does not match at its first level, but does at 64 %" in each for each in said(study))
    runs = [run for run in study.runs if run.ticket not in ("LRR", "global random") or run.level in (0, 3)]
    text = said(dataclasses.replace(study, runs=runs))
    assert "LRR matches at 51.2 % of weights, the only level tried." in text
    assert "global random does not match at 51.2 % of weights, the only level tried." in text


def test_tickets_with_moments_of_their_own_meet_at_the_earliest_they_share(make_tickets) -> None:
    without = [("IMP", "0ep"), ("random re-initialisation", "500it")]
    found = found_in(make_tickets(rewind=TWO, without=without))
    assert (found.first_of("IMP"), found.first_of("IMP", "LRR"), found.first) == ("500it", "500it", "0ep")
    assert found.first_of("IMP", "random re-initialisation") is None
    others = {each.other: each.rewind for each in compared(found)}
    assert others == dict.fromkeys(("one-shot IMP", "LRR", "layer-wise random", "global random"), "500it")
    text = " ".join(plain(each) for each in summary(found))
    assert "IMP matches down to 51.2 % of weights, from k = 500 (matching" in text
    assert "IMP, k = 500, against global random: better everywhere" in text
    assert {each.cell.rewind for each in speeds(found) if each.cell.ticket == "IMP"} == {"500it"}


def test_winning_tickets_need_all_of_the_accuracy(make_tickets) -> None:
    strict = " ".join(said(make_tickets(matching_within=0.0)))
    assert "IMP finds winning tickets down to 64 % of weights (matching: in the mean over seeds at least as" in strict
    assert "winning" not in " ".join(said(make_tickets()))


def test_early_stopping_is_paired_and_told_of_constant_rates_alone(make_tickets) -> None:
    """Seed 0 is slow; IMP, which is slower on every seed, lacks it."""
    study, fastest, runs = make_tickets(), {0: 900, 1: 500, 2: 500}, []
    for run in study.runs:
        late = 100 if run.ticket == "IMP" else 0
        rows = looks(0.93, fastest[run.seed] + late)
        lost = run.ticket == "IMP" and run.seed == 0
        runs.append(dataclasses.replace(run, rows=() if lost else rows, summary={} if lost else run.summary))
    slow = dataclasses.replace(study, runs=runs)
    (told,) = [each for each in said(slow) if each.startswith("Validation loss")]
    assert "none get there no later than dense of the same seeds in the mean (2 seeds)" in told
    assert "100 steps after it" in told
    assert not any(each.startswith("Validation") for each in said(dataclasses.replace(slow, constant_rate=False)))


def test_validation_loss_that_still_falls_tells_nothing_apart(make_tickets) -> None:
    study = make_tickets()
    runs = [dataclasses.replace(run, rows=looks(0.93, 700 if run.level == 1 else 1000)) for run in study.runs]
    (told,) = [each for each in said(dataclasses.replace(study, runs=runs)) if each.startswith("Validation loss")]
    assert told == (
        "Validation loss of dense is still falling at the end, step 1,000: no network can be later. Of the 2 levels at "
        "which IMP matches, 1 still fall there, too."
    )


def test_two_seeds_make_no_firm_claims(make_tickets) -> None:
    study = make_tickets(seeds=2, matching_within=0.0, band="range")
    text = said(study)
    assert any(
        each.startswith("IMP matches down to 64 % of weights (on 2 seeds, in the mean; matching") for each in text
    )
    assert not [each for each in text if "winning" in each or "95 %" in each or " to +0.00)" in each]
    (accuracy,) = grids(found_in(study))
    assert "95 %" not in accuracy.note
    assert not any("(" in cell for _, lines in accuracy.parts for line in lines for cell in line.cells)


def test_courses_leave_out_runs_that_are_not_done(make_tickets) -> None:
    study = make_tickets()
    half = [
        dataclasses.replace(run, summary={}, rows=run.rows[:4]) if (run.ticket, run.seed) == ("IMP", 0) else run
        for run in study.runs
    ]
    found = course(found_in(dataclasses.replace(study, runs=half)).cell("IMP", 1, "0ep"), "test_accuracy")
    assert {len(values) for values in found.values} == {2}


def test_what_was_never_trained_is_not_said_to_have_diverged_itself(make_tickets) -> None:
    found = found_in(make_tickets(changed={("IMP", 1, 0): gone("3ep"), ("IMP", 2, 0): {"diverged": "3ep"}}))
    assert caption(found).endswith("Runs that diverged are left out.")
    assert "diverged" not in caption(found_in(make_tickets()))
    first, second = (plain(each) for each in found.diverged)
    assert first == "IMP, 80 % of weights, k = 0, seed 0, after epoch 3"
    assert second == "IMP, 64 % of weights, k = 0, seed 0, not trained, as what it begins with diverged after epoch 3"


def test_settings_are_judged_on_their_own_terms(make_tickets) -> None:
    study = make_tickets()
    other = [dataclasses.replace(run, setting="other") for run in study.runs]
    dense = [dataclasses.replace(run, setting="other") for run in study.dense]
    both = dataclasses.replace(
        study,
        dense=[*study.dense, *dense],
        runs=[*study.runs, *other],
        terms={"other": Terms({"LRR": "iterative"}, matching_within=0.02, band="range")},
        steps={"net": 1000, "other": 1000},
        steps_per_epoch={"net": 100, "other": 100},
    )
    net, second = find_tickets(both)
    assert (net.imp, net.study.band, net.study.constant_rate) == ("IMP", "deviation", True)
    assert (second.imp, second.study.band, second.study.constant_rate) == ("LRR", "range", False)
    assert [found.cell("IMP", 3, "0ep").matching for found in (net, second)] == [False, True]
    with pytest.raises(DataError, match="unknown ticket 'LRM'"):
        dataclasses.replace(both, terms={"other": Terms({"LRM": "trained"})})


def test_many_moments_are_told_by_the_least_and_the_most(make_tickets) -> None:
    study = make_tickets()
    reaches = {"100it": 0, "200it": 1, "300it": 2, "400it": 3}
    more = [
        dataclasses.replace(
            run,
            rewind=at,
            step=int(at.removesuffix("it")),
            summary=result(ACCURACY[run.seed] if run.level <= levels else 0.5),
        )
        for run in study.runs
        if run.ticket == "IMP"
        for at, levels in reaches.items()
    ]
    runs = [*(run for run in study.runs if run.ticket != "IMP"), *more]
    text = next(each for each in said(dataclasses.replace(study, runs=runs)) if each.startswith("IMP:"))
    assert text.startswith(
        "IMP: matches at no level tried from k = 100; matches down to 51.2 % of weights from k = 400 "
        "(least and most of 4 moments; the table reach.csv has all; matching"
    )


def test_dilation_says_what_it_is_chosen_on(make_tickets) -> None:
    missing = [
        dataclasses.replace(run, summary={}) if (run.ticket, run.seed) == ("IMP", 2) else run for run in dilated()
    ]
    text = said(make_tickets(dilated=missing))
    assert any(each.endswith("the dense one of its seed (2 seeds).") for each in text)
    assert {tuple(each.by_seed) for each in dilations(found_in(make_tickets(dilated=missing)))} == {(0, 1, 2), (0, 1)}


def test_reach_knows_the_levels_and_the_seeds_behind_it(make_tickets) -> None:
    found = found_in(make_tickets(changed={("IMP", 2, 0): {}, **{("LRR", 1, s): {} for s in range(3)}}))
    own = reach(found.line("IMP", "0ep"))
    assert (own.tried, own.seeds, own.down_to) == ((0.8, 0.64, 0.512), 2, 0.64)
    assert reach(found_in(make_tickets(changed=NOWHERE)).line("IMP", "0ep")).seeds == 3
