"""From which k on networks are stable, and when they match: by seed, their medians, and what is said of them."""

from __future__ import annotations

import dataclasses

import pytest

from made_copies import INSTABILITY, every, study
from secateurs.report.tickets import DENSE, Copies, find_tickets
from secateurs.report.tickets.pairs import compared, errors_at_end, panels_of, tried
from secateurs.report.tickets.pairs_words import counted, over
from secateurs.report.tickets.stability import Onset, onsets, together
from secateurs.report.tickets.stability_grids import grids
from secateurs.report.tickets.stability_told import sentences
from secateurs.report.words import NOTHING, SPACE


def found_of(made=None) -> dict[tuple[str, int], Onset]:
    (findings,) = find_tickets(made or study())
    return {(onset.network.ticket, onset.network.level): onset for onset in onsets(findings)}


def said(made) -> list[str]:
    return [sentence.replace(SPACE, " ") for sentence in sentences(find_tickets(made)[0])]


def test_a_seed_is_stable_from_the_k_on_after_which_it_stays_so() -> None:
    found = found_of()
    assert found[DENSE, 0].stable_from() == {0: 200, 1: 200, 2: 50}
    assert found["IMP", 1].stable_from() == {0: 50, 1: 50, 2: 200}
    assert found["IMP", 2].stable_from() == {0: 200, 1: None, 2: None}, "stable once, and not later"
    assert found["random", 1].stable_from() == {0: 200, 1: None, 2: 200}


def test_medians_count_who_never_gets_there_as_last() -> None:
    found = found_of()
    medians = {place: onset.stable_median() for place, onset in found.items()}
    assert medians == {(DENSE, 0): 200, ("IMP", 1): 50, ("IMP", 2): None, ("random", 1): 200, ("random", 2): None}


def test_test_data_are_judged_beside_and_decide_nothing() -> None:
    found = found_of()
    assert found["IMP", 1].stable_from("test") == {0: 200, 1: 200, 2: 200}, "0.01 + 0.01 is not below 0.02"
    assert found["IMP", 1].stable_median("test") == 200
    assert found["IMP", 1].stable_median() == 50


def test_a_seed_matches_first_where_its_copies_come_within_a_fifth_of_a_point_of_its_own_dense_network() -> None:
    found = found_of()
    assert found["IMP", 1].matching_at() == {0: 50, 1: 50, 2: 50}
    assert found["IMP", 2].matching_median == 200
    assert found["random", 1].matching_median == 200
    assert found["random", 2].matching_at() == {0: None, 1: None, 2: None}
    assert not found[DENSE, 0].matching


def test_matching_is_judged_by_all_copies_where_there_are() -> None:
    made = study()
    worse = [dataclasses.replace(run, summary={**run.summary, "test_accuracy": 0.1}) for run in made.runs if run.level]
    dense = [run for run in made.runs if not run.level]
    assert found_of(dataclasses.replace(made, runs=[*dense, *worse]))["IMP", 1].matching_median == 50
    alone = dataclasses.replace(made, runs=[*dense, *worse], copies=[])
    assert found_of(alone)["IMP", 1].matching_median is None
    assert not found_of(alone)["IMP", 1].stable


def test_how_often_stable_networks_match() -> None:
    (findings,) = find_tickets(study())
    counts = together(onset for onset in onsets(findings) if onset.network.ticket == "IMP")
    # Level 1: at k = 50 and 200 all six match, five are stable. Level 2: the three at 200 match, one of them and one
    # at 50 are stable.
    assert counts == {(True, True): 6, (False, True): 3, (True, False): 1, (False, False): 8}


def test_diverged_copies_are_not_stable_and_missing_ones_are_not_known() -> None:
    made = study()
    gone = {"rows": (), "summary": {"diverged": None, "diverged_copies": [1, 2, 3]}}
    at_end = [(each, each.ticket == "IMP" and each.level == 1 and each.step == 200) for each in made.copies]
    diverged = [dataclasses.replace(each, **gone) if last else each for each, last in at_end]
    found = found_of(dataclasses.replace(made, copies=diverged))
    assert found["IMP", 1].stable_from() == {0: None, 1: None, 2: None}
    missing = [dataclasses.replace(each, rows=(), summary={}) if last else each for each, last in at_end]
    found = found_of(dataclasses.replace(made, copies=missing))
    assert found["IMP", 1].stable_from() == {0: 50, 1: 50}, "of the last seed it is not known"
    told = said(dataclasses.replace(made, copies=diverged))
    assert told[-1] == (
        "Copies diverged, and took no part in any mean: "
        + "; ".join(f"IMP at 50 % of weights, k = 200, seed {seed} (3 copies)" for seed in range(3))
        + ". Such a replicate counts as neither stable nor matching, however the copies that are left compare."
    )


AT_END = ("IMP", 1, 200)


def test_where_one_copy_diverged_a_replicate_is_neither_stable_nor_matching() -> None:
    made = study()
    one = [
        dataclasses.replace(
            each,
            rows=[row for row in each.rows if 2 not in row["seeds"]],
            summary={**each.summary, "diverged_copies": [2]},
        )
        if (each.ticket, each.level, each.step, each.seed) == (*AT_END, 0)
        else each
        for each in made.copies
    ]
    lost = dataclasses.replace(made, copies=one)
    found = found_of(lost)["IMP", 1]
    assert found.stable_from() == {0: None, 1: 50, 2: 200}, "the two that are left are alike"
    assert found.matching[0] == {0: False, 50: True, 200: False}
    assert found.matching[1] == {0: False, 50: True, 200: True}
    assert said(lost)[-1].startswith(
        "Copies diverged, and took no part in any mean: IMP at 50 % of weights, k = 200, seed 0 (1 copy). Such"
    )


def test_where_the_run_of_the_study_diverged_its_copies_do_not_stand_in_for_it() -> None:
    made = study()
    runs = [
        dataclasses.replace(run, summary={"diverged": "3ep"})
        if (run.ticket, run.level, run.step, run.seed) == (*AT_END, 1)
        else run
        for run in made.runs
    ]
    found = found_of(dataclasses.replace(made, runs=runs))["IMP", 1]
    assert found.stable_from() == {0: 50, 1: None, 2: 200}
    assert found.matching[1] == {0: False, 50: True, 200: False}


def test_copies_that_are_still_compared_are_not_judged() -> None:
    made = study()
    begun = [
        dataclasses.replace(each, rows=each.rows[:2], summary={}) if each.step == 200 else each for each in made.copies
    ]
    assert found_of(dataclasses.replace(made, copies=begun))["IMP", 1].stable["train"][0] == {0: False, 50: True}
    told = said(dataclasses.replace(made, copies=begun))
    assert told[1].startswith("The dense networks are stable from k = 50 on"), "of the one seed that is known"


def test_what_is_not_known_is_not_never() -> None:
    made = study()
    runs = [dataclasses.replace(run, summary={}) if (run.ticket, run.level) == ("IMP", 2) else run for run in made.runs]
    copies = [
        dataclasses.replace(each, rows=[row for row in each.rows if row["part"] == "train"]) for each in made.copies
    ]
    told = said(dataclasses.replace(made, runs=runs, copies=copies))
    assert told[1] == "The dense networks are stable from k = 200 on (20 % of training), not known on test data."
    assert told[2].endswith("matching first at k = 50 at 50 % of weights, not known at 25 % of weights.")
    (findings,) = find_tickets(dataclasses.replace(made, runs=runs, copies=copies))
    stability, _ = grids(findings)
    assert dict(stability.parts)["IMP"][1].cells == ("never", NOTHING, NOTHING, "1", NOTHING, "3")


def test_the_median_of_an_even_number_of_seeds_may_lie_between_two_k() -> None:
    made = study(seeds=2)
    changed = [
        dataclasses.replace(each, rows=[{**row, "instability": 0.5} for row in each.rows])
        if (each.ticket, each.level, each.step, each.seed) == ("IMP", 1, 50, 1)
        else each
        for each in made.copies
    ]
    made = dataclasses.replace(made, copies=changed)
    assert found_of(made)["IMP", 1].stable_median() == 125
    assert any("stable from k = 125" in sentence for sentence in said(made))
    assert "between 77.5 % at k = 50 and 40.0 % at k = 200, for a median of k = 125 (IMP at 50 %" in said(made)[-1]


def test_a_median_of_no_steps_is_a_median() -> None:
    made = study()
    copies = [
        dataclasses.replace(each, rows=[{**row, "instability": 0.0} for row in each.rows])
        if each.ticket == "IMP"
        else each
        for each in made.copies
    ]
    told = said(dataclasses.replace(made, copies=copies))
    assert "stable is 90.0 % at k = 0 (IMP at 50 and 25 % of weights), 40.0 % at k = 200 (dense)" in told[-1]


def test_sentences() -> None:
    told = said(study())
    assert told[0] == (
        "Stable is: mean instability below 2 points on training data, from a k on and at every later one; "
        "tried were k = 0, 50 and 200 of 1,000 steps (median over 3 seeds)."
    )
    assert told[1] == "The dense networks are stable from k = 200 on (20 % of training), on test data at none."
    assert told[2] == (
        "IMP: stable from k = 50 at 50 % of weights, at none of these k at 25 % of weights; "
        "matching first at k = 50 at 50 % of weights, first at k = 200 at 25 % of weights."
    )
    assert told[4] == (
        "Of 18 networks of IMP (2 levels, 3 k, 3 seeds; those of one seed come from one dense run): "
        "6 stable and matching, 1 stable only, 3 matching only, 8 neither; "
        "both begin at the same median k at 1 of 1 level at which both do."
    )
    assert told[-1] == (
        "The dense network's test error where networks become stable is 77.5 % at k = 50 (IMP at 50 % of weights), "
        "40.0 % at k = 200 (dense); it is 11.0 % at the end."
    )


def test_sentences_of_one_level_say_both_together() -> None:
    told = said(study(names=((DENSE, 0), ("IMP", 1))))
    assert told[2] == (
        "IMP, 50 % of weights: stable from k = 50 on (5.0 % of training), on test data from k = 200 on; "
        "it matches first at k = 50."
    )


def test_sentences_of_one_k_say_how_unstable_networks_are() -> None:
    told = said(study(seeds=1, rewind=("0ep",), names=((DENSE, 0), ("IMP", 1))))
    assert told == [
        "Instability of dense from k = 0 on: 50.0 ± 0.0 points on training data (51.0 ± 0.0 points on test data).",
        "Instability of IMP from k = 0 on: at 50 % of weights 40.0 ± 0.0 points on training data "
        "(41.0 ± 0.0 points on test data).",
    ]


def test_all_steps_again_are_told_beside_the_steps_left() -> None:
    made = study(names=((DENSE, 0),))
    again = list(every(3, ("0ep", "50it", "2ep"), [(DENSE, 0)], after="replay"))
    told = said(dataclasses.replace(made, copies=[*made.copies, *again]))
    assert "When copies train all steps again after k: dense is stable from k = 200 on, as with the steps left." in told


def test_without_copies_nothing_is_said() -> None:
    made = study(copies=[])
    assert said(made) == []
    assert list(grids(find_tickets(made)[0])) == []


def test_tables_of_the_page() -> None:
    (findings,) = find_tickets(study())
    stability, instability = grids(findings)
    by = dict(stability.parts)
    assert [(line.head, line.cells) for line in by["IMP"]] == [
        ("50", ("50", "200", "50", "3", "3", "3")),
        ("25", ("never", "never", "200", "1", "3", "3")),
    ]
    assert dict(instability.parts)["IMP"][1].cells == ("50", "7.3 ± 9.5", "8.3 ± 9.5", "9", "3")
    assert len(list(grids(find_tickets(study(rewind=("0ep",)))[0]))) == 1


def test_pairs_are_counted_over_seeds_and_grouped_by_density() -> None:
    (findings,) = find_tickets(study())
    networks = compared(findings)
    assert [(network.ticket, network.level) for network in networks] == list(INSTABILITY)
    assert tried(networks) == (0, 50, 200)
    assert counted(networks) == "9 pairs of copies of 3 seeds"
    assert over(findings, networks) == "mean over 9 pairs of copies of 3 seeds, band: one standard deviation"
    titles = [(title.replace(SPACE, " "), [each.ticket for each in own]) for title, own in panels_of(networks)]
    assert titles == [("50 % of weights", [DENSE, "IMP", "random"]), ("25 % of weights", [DENSE, "IMP", "random"])]


def test_the_ends_of_the_ways_are_the_errors_of_the_copies() -> None:
    rows = [
        {"part": "test", "seeds": [1, 2], "errors": [0.2, 0.9, 0.1]},
        {"part": "test", "seeds": [1, 3], "errors": [0.3, 0.9, 0.1]},
        {"part": "train", "seeds": [1, 2], "errors": [0.0, 0.0, 0.0]},
    ]
    assert errors_at_end(Copies("net", "IMP", 1, 0.5, "0ep", 0, 0, rows=rows), "test") == {1: 0.1, 2: 0.2, 3: 0.3}


@pytest.mark.parametrize("chance", [0.9, 0.1])
def test_at_chance_nothing_matches(chance: float) -> None:
    found = found_of(study(chance={"net": chance}))
    assert bool(found["IMP", 1].matching) == (chance == 0.1)
