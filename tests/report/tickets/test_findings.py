"""What a study of tickets shows, worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from pages import plain
from secateurs.core import DataError
from secateurs.report.tickets import (
    DENSE,
    TicketRun,
    compared,
    dilations,
    find_tickets,
    reach,
    speeds,
    summary,
    tables,
)
from secateurs.report.tickets.courses import looked_at

from .conftest import ACCURACY, DENSITIES, dilated, gone


def test_cells_are_paired_with_dense(make_tickets) -> None:
    (found,) = find_tickets(make_tickets())
    cell = found.cell("IMP", 3, "0ep")
    assert cell.density == 0.512
    assert cell.difference.mean == pytest.approx(-0.010)
    assert cell.interval == pytest.approx((-0.010, -0.010))
    assert cell.spread().mean == pytest.approx(0.922)
    assert cell.spread("train").mean == pytest.approx(0.972)
    assert [found.cell("IMP", level, "0ep").matching for level in (1, 2, 3)] == [True, True, False]
    assert found.cell("LRR", 3, "0ep").matching is True, "0.2 points below is matching; it has no moment of its own"
    assert found.dense().mean == pytest.approx(0.932)
    assert (found.imp, found.first, found.at_start, found.moments) == ("IMP", "0ep", "0ep", (("0ep", 0),))
    assert found.densities == tuple(DENSITIES.values())


def test_sparsity_ranges_and_the_most_extreme_level(make_tickets) -> None:
    (found,) = find_tickets(make_tickets())
    assert found.ranges == ((0.8, "I"), (0.64, "II"), (0.512, "III"))
    assert (found.most_extreme.level, found.most_extreme.rewind) == (2, "0ep")
    (later,) = find_tickets(make_tickets(rewind=("0ep", "500it")))
    assert (later.most_extreme.level, later.most_extreme.rewind, later.most_extreme.step) == (3, "500it", 500)
    assert later.ranges[-1] == (0.512, "II"), "it matches from one of the moments"
    assert [cell.rewind for cell in later.best("IMP")] == ["500it", "500it", "500it"]
    assert [cell.rewind for cell in later.best("global random")] == ["0ep"] * 3, "of equal ones the earliest"


def test_a_diverged_run_matches_nothing_and_is_no_best_moment(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(changed={("IMP", 1, 0): gone("3ep")}))
    cell = found.cell("IMP", 1, "0ep")
    assert (cell.matching, cell.diverged, len(cell.accuracies())) == (False, (0,), 2)
    assert found.diverged == (
        "IMP, 80\N{NO-BREAK SPACE}% of weights, k\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0, seed 0, after epoch 3",
    )
    assert found.missing == ()


def test_how_far_a_line_matches(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(changed={("one-shot IMP", 2, seed): {} for seed in range(3)}))
    own = reach(found.line("IMP", "0ep"))
    assert (own.down_to, own.again, own.open) == (0.64, (), False)
    own = reach(found.line("one-shot IMP", "0ep"))
    assert (own.down_to, own.again, own.open) == (0.8, (), True), "what comes next is not known yet"
    own = reach(found.line("layer-wise random", "0ep"))
    assert (own.down_to, own.again, own.open) == (0.8, (), False)
    (odd,) = find_tickets(make_tickets(changed={("IMP", 1, seed): {"test_accuracy": 0.5} for seed in range(3)}))
    own = reach(odd.line("IMP", "0ep"))
    assert (own.down_to, own.again) == (None, (0.64,))


def test_imp_against_the_others(make_tickets) -> None:
    (found,) = find_tickets(make_tickets())
    rows = {(each.other, each.level): each for each in compared(found)}
    assert len(rows) == 5 * 3
    each = rows["random re-initialisation", 3]
    assert (each.difference.mean, each.difference.n, each.said) == (pytest.approx(0.020), 3, "better")
    assert rows["LRR", 2].said == "worse"
    assert rows["one-shot IMP", 1].said == "", "the interval is 0 to 0"
    (two,) = find_tickets(make_tickets(seeds=2))
    assert {each.said for each in compared(two)} == {""}, "two seeds tell nothing apart"


def test_early_stopping_is_read_from_the_looks(make_tickets) -> None:
    (found,) = find_tickets(make_tickets())
    by = {(each.cell.ticket, each.cell.level): each for each in speeds(found)}
    assert by[DENSE, 0].steps == (700, 700, 700)
    assert by["IMP", 3].steps == (500, 500, 500)
    expected = [accuracy - 0.010 - 0.5 * 0.5**3 for accuracy in ACCURACY]
    assert by["IMP", 3].tests == pytest.approx(expected)
    assert speeds(find_tickets(make_tickets(look=False))[0]) == ()


def test_curves_are_of_test_data_where_they_were_looked_at(make_tickets) -> None:
    study = make_tickets()
    assert looked_at(find_tickets(study)[0]) == "test"
    untested = [
        dataclasses.replace(run, rows=[{"steps": 100, "validation_loss": 0.5, "validation_accuracy": 0.5}])
        for run in study.runs
    ]
    (found,) = find_tickets(dataclasses.replace(study, runs=untested))
    assert looked_at(found) == "validation"
    assert all(each.tests == () for each in speeds(found))


def test_a_dense_run_that_diverged_is_named_once(make_tickets) -> None:
    study = make_tickets(rewind=("0ep", "500it"), changed={("dense", 0, 1): {"diverged": "3ep"}})
    assert find_tickets(study)[0].diverged == ("dense, seed 1, after epoch 3",)


def test_least_dilation_needs_a_match_on_every_seed(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(dilated=dilated()))
    by = {(each.ticket, each.level): each for each in dilations(found)}
    assert by[DENSE, 0].spread.mean == pytest.approx(0.8)
    assert by["IMP", 1].spread.mean == pytest.approx(0.4)
    assert (by["IMP", 3].spread, by["IMP", 3].never, by["IMP", 3].known) == (None, (1,), (1.0, 1.0))
    unfinished = [
        dataclasses.replace(run, summary={}) if run.seed == 0 and run.factor == 1.0 else run for run in dilated()
    ]
    (open_,) = find_tickets(make_tickets(dilated=unfinished))
    assert all(set(each.by_seed) == {1, 2} for each in dilations(open_))


def test_sentences_say_what_was_found(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(dilated=dilated()))
    assert [plain(each) for each in summary(found)] == [
        "With fewer than 5 seeds (here 3) intervals are wide: what is not told apart need not be alike.",
        "IMP finds matching subnetworks down to 64 % of weights (matching: in the mean over seeds at most 0.2 points "
        "below dense).",
        "one-shot IMP matches down to 80 % of weights.",
        "LRR matches down to 51.2 % of weights.",
        "random re-initialisation matches down to 80 % of weights.",
        "layer-wise random matches down to 80 % of weights.",
        "global random matches down to 80 % of weights.",
        "Sparsity ranges, in weights remaining: I (randomly pruned networks match, too) at 80 %; "
        "II (only IMP's match) at 64 %; III (none matches) at 51.2 %. Random is global random.",
        "IMP against one-shot IMP: better at 64 and 51.2 %, mean differences from +0.40 to +1.00 points over levels; "
        "not told apart at 80 %, 0.00 points (0.00 to 0.00).",
        "IMP against LRR: worse at 64 and 51.2 %, mean differences from -0.80 to -0.20 points over levels; "
        "not told apart at 80 %, 0.00 points (0.00 to 0.00).",
        "IMP against random re-initialisation: better everywhere, mean differences from "
        "+0.20 to +2.00 points over levels.",
        "IMP against layer-wise random: better everywhere, mean differences from +0.30 to +2.50 points over levels.",
        "IMP against global random: better everywhere, mean differences from +0.50 to +29.00 points over levels.",
        "These were 15 comparisons, paired by seed, with 95 % intervals by Student's t: if nothing differed, 0.75 of "
        "them would still be told apart, on average.",
        "The dense networks reach 93.2 ± 0.2 % on the test set after 1,000 steps (3 seeds).",
        "Validation loss is lowest at step 700 for dense. Of the 2 levels at which IMP matches, all get there no "
        "later than dense of the same seeds in the mean (3 seeds); soonest at 64 % of weights, 100 steps before it.",
        "The least dilation δ* is chosen on test accuracy, seed by seed: each network against the dense one of its "
        "seed (3 seeds).",
        "Dense matches itself at δ* = 0.80 ± 0.00.",
        "IMP: least dilation δ* = 0.40 ± 0.00, at 80 % of weights; at most what dense needs at 80 and 64 %; "
        "at 51.2 % it matches at no factor on some seed.",
    ]


def test_sentences_of_several_moments(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(rewind=("0ep", "500it")))
    said = [plain(each) for each in summary(found)]
    assert said[1].startswith(
        "IMP: matches down to 64 % of weights from k = 0; matches down to 51.2 % of weights from k = 500 (matching"
    )
    assert "global random matches down to 80 % of weights, from each of 2 moments." in said
    assert (
        "The most extreme matching level over 2 rewinding moments: 51.2 % of weights, from k = 500 with 93.1 %; "
        "moment and level are chosen by test accuracy."
    ) in said
    assert any(each.startswith("IMP, k = 0, against LRR: ") for each in said)
    assert "winning" not in " ".join(said), "from later moments they are matching subnetworks"


def test_lost_runs_empty_layers_and_one_seed(make_tickets) -> None:
    empty = {"test_accuracy": 0.1, "diverged": None, "empty_layers": ["b.weight"], "layer_densities": {"b.weight": 0.0}}
    changed = {("global random", 3, 0): empty, ("IMP", 2, 0): gone("2ep"), ("IMP", 3, 0): {}}
    text = plain(" ".join(summary(find_tickets(make_tickets(seeds=1, changed=changed))[0])))
    for wanted in (
        "One seed: there is no spread, nothing is told apart, and what matches may do so by luck.",
        "IMP matches down to 80 % of weights (on 1 seed; matching",
        "Layer collapse: global random leaves no weight in b.weight, at 51.2 % (seed 0).",
        "1 run diverged and took no part in any mean: IMP, 64 % of weights, k = 0, seed 0, after epoch 2.",
        "1 run without a result: IMP, 51.2 % of weights, k = 0, seed 0.",
        "IMP against LRR: not told apart at 80 % (on 1 seed, too few), 0.00 points.",
    ):
        assert wanted in text
    assert not {"better", "worse"} & set(text.split())


def test_dense_networks_at_chance_tell_nothing(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(chance={"net": 0.9}, dilated=dilated()))
    text = plain(" ".join(summary(found)))
    wanted = "The dense networks are hardly better than chance (93.2 against 90 %): no accuracy here says"
    assert text.startswith(wanted)
    for claim in ("finds", "matches", "against IMP", "dilation", "Validation loss"):
        assert claim not in text
    assert found.ranges == ()
    assert {cell.matching for cell in found.cells} == {None}
    assert (found.most_extreme, tuple(compared(found)), dilations(found)) == (None, (), ())
    made = tables((found,))
    assert {row["matching"] for row in made["accuracy"]} == {None}
    assert {row["matches_down_to"] for row in made["reach"]} == {None}


def test_tables_have_every_digit(make_tickets) -> None:
    found = find_tickets(make_tickets(dilated=dilated()))
    made = tables(found)
    assert len(made["runs"]) == 3 + 6 * 3 * 3
    moments = tables(find_tickets(make_tickets(rewind=("0ep", "500it"))))
    for name, count in (("runs", 3), ("accuracy", 1)):
        dense = [row for row in moments[name] if row["ticket"] == DENSE]
        assert [(row["rewind"], row["step"]) for row in dense] == [(None, None)] * count, "one network at every moment"
    row = next(r for r in made["accuracy"] if (r["ticket"], r["level"]) == ("IMP", 2))
    assert row["test_lowest"] == ACCURACY[0] + 0.001
    assert (row["matching"], row["seeds"], row["step"]) == (True, 3, 0)
    row = next(r for r in made["dilation"] if (r["ticket"], r["level"]) == ("IMP", 3))
    assert (row["seeds"], row["never"], row["least_mean"]) == (3, 1, 1.0)
    assert {r["matches_down_to"] for r in made["reach"] if r["ticket"] == "LRR"} == {0.512}
    looked = [
        r for r in made["training"] if (r["ticket"], r["level"], r["part"], r["what"]) == ("IMP", 1, "test", "accuracy")
    ]
    assert [r["training_step"] for r in looked] == list(range(0, 1001, 100))


def test_rows_are_checked(make_tickets) -> None:
    study = make_tickets()
    with pytest.raises(DataError, match="is given 2 times"):
        dataclasses.replace(study, runs=[*study.runs, study.runs[0]])
    with pytest.raises(DataError, match="unknown ticket 'INP'"):
        dataclasses.replace(study, runs=[TicketRun("net", "INP", 1, 0.8, "0ep", 0, 0)])
    with pytest.raises(DataError, match="is the dense network"):
        dataclasses.replace(study, tickets={**study.tickets, DENSE: "x"})
    with pytest.raises(DataError, match="steps lacks the setting 'net'"):
        dataclasses.replace(study, steps={})
