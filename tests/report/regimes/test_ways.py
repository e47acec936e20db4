"""Ways to choose a temperature: what they choose, what they pay, and what becomes of runs that diverged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs.report.regimes.candidates import Column, columns
from secateurs.report.regimes.findings import find_regimes
from secateurs.report.regimes.rows import Axis, RegimeCellRow, RegimeStudy, RegimeTerms
from secateurs.report.regimes.ways import (
    Choice,
    Way,
    algorithm_1,
    algorithm_2,
    algorithm_21,
    conventional,
    fixed,
    grid_search,
    highest_cka,
)

MakeRegimes = Callable[..., RegimeStudy]

TERMS = RegimeTerms(probe_epochs=2.0, dense_epochs={10.0: 10.0, 80.0: 80.0, 160.0: 160.0})
R, ALPHA, COUNT = 160, 2, 3
RAISE = {"initial": 160.0, "raised": 80.0}

GONE = {"diverged": "3ep"}


def column(study: RegimeStudy, load: float, seed: int = 0) -> Column:
    """One column of the only setting."""
    (found,) = find_regimes(study)
    return next(each for each in columns(found) if (each.load, each.seed) == (load, seed))


def changed(column: Column, temperature: float, **fields: Any) -> Column:
    """The column with one cell changed."""
    cells = (replace(cell, **fields) if cell.temperature == temperature else cell for cell in column.cells)
    return replace(column, cells=tuple(cells))


@pytest.fixture
def poor(make_regimes: MakeRegimes) -> Column:
    """Density 5 %: the network trained longest is poorly connected."""
    return column(make_regimes(terms=TERMS), 0.05)


@pytest.fixture
def well(make_regimes: MakeRegimes) -> Column:
    """Density 80 %: it is well connected."""
    return column(make_regimes(terms=TERMS), 0.8)


def test_columns_go_by_load_and_seed_hottest_first(make_regimes: MakeRegimes) -> None:
    (found,) = find_regimes(make_regimes(terms=TERMS))
    every = list(columns(found))
    assert [(each.load, each.seed) for each in every][:4] == [(0.05, 0), (0.05, 1), (0.05, 2), (0.2, 0)]
    assert [cell.temperature for cell in every[0].cells] == [10.0, 80.0, 160.0]


def test_the_conventional_choice_costs_one_retraining(poor: Column) -> None:
    found = conventional()(poor)
    assert (found.temperature, found.error, found.retraining, found.passes) == (160.0, 0.30, R, 0.0)


def test_grid_search_retrains_every_candidate(poor: Column) -> None:
    found = grid_search()(poor)
    assert (found.temperature, found.error, found.retraining) == (10.0, pytest.approx(0.20), COUNT * R)


def test_algorithm_2_looks_at_all_candidates_of_a_poorly_connected_network(poor: Column) -> None:
    found = algorithm_2()(poor)
    assert (found.temperature, found.poorly_connected, found.looked_at) == (10.0, True, COUNT)
    assert found.retraining == 2 * ALPHA + (COUNT - 1) * ALPHA + R
    assert found.passes == 22


def test_algorithm_2_keeps_a_well_connected_network(well: Column) -> None:
    found = algorithm_2()(well)
    assert (found.temperature, found.poorly_connected, found.looked_at) == (160.0, False, 1)
    assert found.retraining == 2 * ALPHA + R


def test_algorithm_21_pays_two_copies_of_every_candidate(poor: Column, well: Column) -> None:
    found = algorithm_21()(poor)
    assert (found.temperature, found.retraining) == (10.0, 2 * COUNT * ALPHA + R)
    assert algorithm_21()(well).retraining == 2 * ALPHA + R


def test_only_algorithm_2_as_printed_looks_at_test_errors(poor: Column) -> None:
    probe = {"train_error": 0.4, "validation_error": 0.9, "test_error": 0.01}
    run = {**poor.cells[1].runs[0], "probe": probe}
    column = changed(poor, 80.0, runs=(run, run, run))
    assert algorithm_2(on_test=True)(column).temperature == 80.0
    assert algorithm_2()(column).temperature == 10.0
    assert [way.on_test for way in (algorithm_2(on_test=True), algorithm_2(), grid_search())] == [True, False, False]


def test_choices_are_made_by_the_first_copy_and_judged_by_all(poor: Column) -> None:
    runs = tuple({**poor.cells[1].runs[0], "validation_error": e, "test_error": 0.5 + e} for e in (0.1, 0.3, 0.8))
    found = grid_search()(changed(poor, 80.0, runs=runs))
    assert found.temperature == 80.0
    assert found.error == pytest.approx(0.9)


def test_passes_are_those_that_were_counted(poor: Column) -> None:
    pair = {**poor.cells[2].probes[0], "passes": {"recalibration": 0, "evaluation": 11, "outputs": 2}}
    assert algorithm_2()(changed(poor, 160.0, probes=(pair,))).passes == 11


@pytest.mark.parametrize(
    "way", [conventional(), grid_search(), algorithm_2(), algorithm_21(), highest_cka("end", "", "")]
)
def test_of_equal_candidates_the_hottest_is_chosen(way: Way, make_regimes: MakeRegimes) -> None:
    numbers = {"error": lambda *_: 0.2, "lmc": lambda *_: -0.5, "cka": lambda *_: 0.5, "dense_error": lambda *_: 0.1}
    assert way(column(make_regimes(terms=TERMS, numbers=numbers), 0.05)).temperature == 10.0


def test_what_diverged_is_never_chosen(poor: Column) -> None:
    hot = changed(poor, 10.0, runs=(GONE,) * 3, ends=(GONE,) * 3, probes=(GONE,) * 3)
    assert {way(hot).temperature for way in (grid_search(), algorithm_2(), algorithm_21())} == {80.0}
    dense = changed(poor, 160.0, dense=GONE, runs=({},) * 3, ends=({},) * 3, probes=({},) * 3)
    assert conventional()(dense).temperature == 80.0
    assert grid_search()(dense).retraining == 2 * R


def test_a_copy_that_diverged_later_still_has_its_probe(poor: Column) -> None:
    run = {**GONE, "probe": {"validation_error": 0.2, "test_error": 0.2}}
    found = algorithm_2()(changed(poor, 80.0, runs=(run,) * 3))
    assert (found.temperature, found.error, found.undecided) == (80.0, None, "diverged")


def test_where_copies_diverged_lmc_tells_nothing(poor: Column) -> None:
    cold = changed(poor, 160.0, ends=(GONE,) * 3, probes=(GONE,) * 3)
    looked = algorithm_2()(cold)
    assert (looked.poorly_connected, looked.looked_at) == (None, COUNT)
    stays = algorithm_1("end", "", "", **RAISE)(cold)
    assert (stays.temperature, stays.poorly_connected, stays.error) == (160.0, None, pytest.approx(0.30))


def test_everything_diverged(poor: Column) -> None:
    cells = tuple(replace(cell, dense=GONE, runs=({},) * 3, ends=({},) * 3, probes=({},) * 3) for cell in poor.cells)
    gone = replace(poor, cells=cells)
    ways = (conventional(), grid_search(), algorithm_2(), algorithm_21(), highest_cka("end", "", ""))
    assert {way(gone).undecided for way in (*ways, algorithm_1("end", "", "", **RAISE))} == {"diverged"}


def test_what_is_not_there_yet_is_waited_for(poor: Column) -> None:
    nothing = changed(poor, 10.0, runs=({},) * 3, probes=({},) * 3, ends=({},) * 3)
    assert {way(nothing).undecided for way in (grid_search(), algorithm_2(), algorithm_21())} == {"waiting"}
    assert conventional()(nothing).undecided == ""
    assert conventional()(changed(poor, 10.0, dense={})).undecided == "waiting"


def test_an_undefined_cka_is_never_chosen(poor: Column) -> None:
    pair = {"lmc": 0.0, "cka": None, "cka_undefined": "constant outputs", "diverged": None}
    assert highest_cka("probe", "", "")(changed(poor, 10.0, probes=(pair,) * 3)).temperature == 80.0


def test_algorithm_1_by_the_end_and_by_the_probe(poor: Column, well: Column) -> None:
    spent = {
        (at, name): algorithm_1(at, "", "", **RAISE)(own)  # type: ignore[arg-type]
        for at in ("end", "probe")
        for name, own in (("poor", poor), ("well", well))
    }
    assert {key: each.temperature for key, each in spent.items()} == {
        ("end", "poor"): 80.0, ("end", "well"): 160.0, ("probe", "poor"): 80.0, ("probe", "well"): 160.0,
    }  # fmt: skip
    assert [each.retraining for each in spent.values()] == [3 * R, 2 * R, 2 * ALPHA + R, 2 * ALPHA + R]
    assert {each.dense for each in spent.values()} == {160.0}


def test_networks_that_are_no_stops_of_one_run_are_trained_one_by_one(make_regimes: MakeRegimes) -> None:
    batches = Axis("batch_size", (16.0, 128.0), "batch size")
    terms = replace(TERMS, dense_epochs={16.0: 20.0, 128.0: 160.0})
    numbers = {"error": lambda *_: 0.2, "lmc": lambda *_: -0.5, "cka": lambda *_: 0.5, "dense_error": lambda *_: 0.1}
    own = column(make_regimes(temperature=batches, terms=terms, numbers=numbers), 0.05)
    assert grid_search()(own).dense == 180
    assert algorithm_1("end", "", "", initial=128.0, raised=16.0)(own).dense == 180
    assert fixed(128.0, "", "")(own).dense == 160


def test_the_highest_cka_takes_two_copies_of_every_candidate(poor: Column) -> None:
    assert highest_cka("end", "", "")(poor).retraining == 2 * COUNT * R
    assert highest_cka("probe", "", "")(poor).retraining == 2 * COUNT * ALPHA + R


def test_a_temperature_that_was_not_tried_is_waited_for(poor: Column) -> None:
    assert fixed(20.0, "", "")(poor).undecided == "waiting"
    assert algorithm_1("end", "", "", initial=160.0, raised=20.0)(poor).undecided == "waiting"


error = st.one_of(st.none(), st.sampled_from([0.1, 0.2, 0.3, 0.4]))
candidate = st.tuples(error, error, error, st.sampled_from([-0.5, -0.05, 0.0]), st.sampled_from([0.3, 0.6, 0.9]))


def cells_of(numbers: list[tuple[Any, ...]]) -> Iterator[RegimeCellRow]:
    """A cell for each candidate: error of dense, at the probe, at the end; LMC; CKA. None: it diverged."""
    for place, (dense, short, end, lmc, cka) in enumerate(numbers):
        run: dict[str, Any] = {"diverged": "9ep"} if end is None else {"diverged": None, "validation_error": end}
        run |= {} if end is None else {"test_error": end}
        run |= {} if short is None else {"probe": {"validation_error": short}}
        if short is None:
            run = {"diverged": "1ep"}
        pair = {"lmc": lmc, "cka": cka, "diverged": None} if short is not None else {"diverged": "1ep"}
        accuracies = {"diverged": "1ep"} if dense is None else {"validation_accuracy": 1 - dense, "diverged": None}
        yield RegimeCellRow("net", place + 1, 0.05, 0.05, 0, accuracies, {}, (run, run), (pair,), (pair,))


@settings(max_examples=60, deadline=None)
@given(st.lists(candidate, min_size=1, max_size=4))
def test_algorithm_2_is_its_pseudo_code(numbers: list[tuple[Any, ...]]) -> None:
    """Against the plain text of P4's Algorithm 2, with what diverged left out."""
    found = algorithm_2()(Column(tuple(cells_of(numbers)), "epochs", TERMS))
    there = [place for place, each in enumerate(numbers) if each[0] is not None]
    if not there:
        assert (found.temperature, found.undecided) == (None, "diverged")
        return
    chosen = min(there, key=lambda place: round(numbers[place][0], 9))
    if numbers[chosen][1] is None or numbers[chosen][3] < -0.05:
        short = [place for place in there if numbers[place][1] is not None]
        chosen = min(short, key=lambda place: numbers[place][1], default=chosen)
    assert found.temperature == chosen + 1
    whole = numbers[chosen][2] if numbers[chosen][1] is not None else None
    assert found.error == whole


def test_a_choice_that_is_none_costs_nothing() -> None:
    nothing = Choice("way", 0.05, 0)
    assert (nothing.retraining, nothing.dense, nothing.passes) == (None, None, 0.0)
