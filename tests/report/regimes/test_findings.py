"""What is made of the cells of a study of regimes, against numbers worked out by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from secateurs.core import DataError
from secateurs.report.regimes import (
    Axis,
    Claim,
    RegimeStudy,
    RegimeTerms,
    by_regime,
    directions,
    find_regimes,
    moves,
    steps,
    summary,
)
from secateurs.report.regimes.borders import between, regimes_of
from secateurs.report.regimes.grids import grids

MakeRegimes = Callable[..., RegimeStudy]

GONE = {"diverged": None, "diverged_copies": [7], "lmc": None, "cka": None, "cka_undefined": None}


def test_means_are_over_pairs_or_copies_then_over_seeds(make_regimes: MakeRegimes) -> None:
    study = make_regimes(seeds=2)
    row = next(cell for cell in study.cells if (cell.temperature, cell.load, cell.seed) == (160.0, 0.05, 0))
    runs = tuple({"test_error": error, "diverged": None} for error in (0.30, 0.32, 0.40))
    ends = tuple({"lmc": lmc, "cka": cka} for lmc, cka in ((-0.6, 0.3), (-0.3, 0.4), (0.0, 0.5)))
    mine = replace(row, runs=runs, ends=ends)
    cell = find_regimes(make_regimes(seeds=2, changed={("net", 160.0, 0.05, 0): mine}))[0].cell(160.0, 0.05)
    error, lmc, cka = cell.error(), cell.lmc, cell.cka
    assert error is not None
    assert lmc is not None
    assert cka is not None
    assert (error.mean, error.n) == (pytest.approx((0.34 + 0.302) / 2), 2)
    assert (lmc.mean, cka.mean) == (pytest.approx((-0.3 - 0.6) / 2), pytest.approx(0.4))
    assert error.sd == pytest.approx((0.34 - 0.302) / 2**0.5)


def test_regimes_and_their_borders(make_regimes: MakeRegimes) -> None:
    found = find_regimes(make_regimes())[0]
    told = [[cell.regime for cell in found.column(load)] for load in found.load.values]
    assert told == [["II-A", "I", "I"], ["II-A", "II-A", "I"], ["II-A", "II-B", "II-B"]]
    poor, similar = between(regimes_of(found))
    assert set(poor) == {((0, 1), (1, 1)), ((1, 1), (1, 2)), ((1, 2), (2, 2)), ((2, 2), (2, 3))}
    assert set(similar) == {((2, 1), (3, 1)), ((2, 1), (2, 2))}


def test_the_best_of_a_load_and_what_the_others_are_above_it(make_regimes: MakeRegimes) -> None:
    found = find_regimes(make_regimes())[0]
    best = [found.best(load) for load in found.load.values]
    assert [cell and cell.temperature for cell in best] == [10.0, 80.0, 160.0]
    excess = found.excess(found.cell(160.0, 0.05))
    assert excess is not None
    assert (excess.mean, excess.sd) == (pytest.approx(0.1), pytest.approx(0.0))


def test_the_best_is_chosen_over_the_seeds_that_all_cells_of_the_load_have(make_regimes: MakeRegimes) -> None:
    def hard_seeds(temperature: float, load: float, seed: int) -> float:
        return 0.10 + (0.01 if temperature == 10.0 else 0.0) + (0.2 if seed > 2 else 0.0)

    hot_has_more = dict.fromkeys(("net", hot, 0.8, seed) for hot in (80.0, 160.0) for seed in (0, 1))
    cold_has_more = dict.fromkeys(("net", 10.0, 0.8, seed) for seed in (3, 4))
    for gone, seeds in ((hot_has_more, (2, 3, 4)), (cold_has_more, (0, 1, 2))):
        found = find_regimes(make_regimes(seeds=5, numbers={"error": hard_seeds}, changed=gone))[0]
        best = found.best(0.8)
        assert best is not None
        assert (best.temperature, found.common(0.8)) == (80.0, seeds)
        above = [found.excess(cell) for cell in found.column(0.8)]
        assert [each and round(each.mean, 9) for each in above] == [0.01, 0.0, 0.0]
        assert {each and each.n for each in above} == {3}


def test_without_enough_common_seeds_no_cell_is_the_best(make_regimes: MakeRegimes) -> None:
    gone = {("net", 160.0, 0.8, 2): None}
    found = find_regimes(make_regimes(changed=gone))[0]
    assert (found.best(0.8), found.common(0.8)) == (None, ())
    assert [found.excess(cell) for cell in found.column(0.8)] == [None, None, None]
    assert [each.load for each in directions(found)] == [0.05, 0.2]
    said = " ".join(summary(found)).replace("\N{NO-BREAK SPACE}", " ")
    assert "No temperature is called the best at density 80 %: too few seeds have an error in every cell." in said
    assert find_regimes(make_regimes(seeds=1))[0].best(0.8) is not None  # all the seeds there are


def test_a_cell_that_diverged_altogether_hinders_no_other(make_regimes: MakeRegimes) -> None:
    found = find_regimes(make_regimes(numbers={"error": lambda hot, load, seed: None if hot == 10.0 else hot / 1000}))
    best = found[0].best(0.8)
    assert best is not None
    assert (best.temperature, found[0].excess(found[0].cell(10.0, 0.8))) == (80.0, None)


def test_changes_go_where_lmc_says(make_regimes: MakeRegimes) -> None:
    found = find_regimes(make_regimes())[0]
    told = [(each.way, each.start.load, each.start.temperature, each.end.temperature) for each in moves(found)]
    assert told == [
        ("hotter", 0.05, 160.0, 10.0),
        ("hotter", 0.2, 160.0, 80.0),
        ("colder", 0.2, 10.0, 80.0),
        ("colder", 0.8, 10.0, 160.0),
    ]
    assert [round(each.difference.mean, 6) for each in moves(found)] == [-0.1, -0.01, -0.02, -0.04]
    assert {each.said for each in moves(found)} == {"helps"}  # every seed says the same
    assert [each.way for each in steps(found)] == ["hotter", "hotter", "colder", "hotter", "colder", "colder"]
    assert [(each.raises, each.best_is_hotter) for each in directions(found)] == [
        (True, True),
        (True, True),
        (False, False),
    ]
    told = {(each.low, each.high): each.test for each in by_regime(found)}
    assert set(told) == {("II-A", "I"), ("II-B", "II-A")}  # no load has cells of I and of II-B
    assert told["II-A", "I"].count == 2
    assert told["II-A", "I"].difference.mean == pytest.approx(((0.20 - 0.26) + (0.13 - 0.13)) / 2)
    assert told["II-B", "II-A"].difference.mean == pytest.approx((0.10 + 0.08) / 2 - 0.12)


def null_world(make_regimes: MakeRegimes, rng: np.random.Generator) -> RegimeStudy:
    """Errors that depend on the load and the seed, never on the temperature; regimes that depend on neither error."""
    noise = rng.normal(size=(4, 4, 3)) * np.array([0.03, 0.02, 0.01, 0.005])[:, None, None] + rng.normal(size=3) / 50
    loads, hots = (0.05, 0.1, 0.2, 0.8), (10.0, 40.0, 80.0, 160.0)
    places = {(hot, load): (c, r) for c, load in enumerate(loads) for r, hot in enumerate(hots)}
    poor = {place: place[0] < 2 and place[1] >= place[0] for place in places.values()}
    return make_regimes(
        Axis("epochs", hots, "epochs"),
        Axis("density", loads, "density"),
        terms=RegimeTerms(copies=2),
        numbers={
            "error": lambda hot, load, seed: 0.3 - load / 4 + noise[(*places[hot, load], seed)],
            "lmc": lambda hot, load, seed: -0.3 if poor[places[hot, load]] else 0.0,
            "cka": lambda hot, load, seed: 0.95,
            "dense_error": lambda hot, load, seed: 0.1,
        },
    )


def test_where_temperature_does_nothing_a_claim_shows_in_one_world_of_twenty(make_regimes: MakeRegimes) -> None:
    rng = np.random.default_rng(0)
    worlds, verdicts = 150, Counter[str]()
    for _ in range(worlds):
        found = find_regimes(null_world(make_regimes, rng))[0]
        changes = moves(found)
        for way in ("hotter", "colder"):
            test = Claim.of([each for each in changes if each.way == way])
            verdicts[f"{way}: {test.verdict}"] += 1
        (order,) = by_regime(found)
        verdicts[f"order: {order.test.verdict}"] += 1
    for claim in ("hotter", "colder", "order"):
        said = worlds - verdicts[f"{claim}: does not show"]
        assert said <= 16  # of 150 about 7.5 by Student's t; more than 16 with chance 0.002
        assert verdicts[f"{claim}: shows"] <= 10


def test_the_sentences_say_what_the_table_says_where_a_seed_diverged(make_regimes: MakeRegimes) -> None:
    study = make_regimes()
    row = next(cell for cell in study.cells if (cell.temperature, cell.load, cell.seed) == (10.0, 0.05, 2))
    lost = replace(row, dense={"diverged": "1ep"}, runs=({"diverged": "1ep"},) * 3, ends=(GONE,) * 3)
    found = find_regimes(make_regimes(changed={("net", 10.0, 0.05, 2): lost}))[0]
    (table,) = (grid for grid in grids(found) if grid.name == "changes")
    told = [line.cells[-1] for _, lines in table.parts for line in lines]
    assert told == ["too few seeds", "helps", "helps", "helps"]
    said = " ".join(summary(found)).replace("\N{NO-BREAK SPACE}", " ")
    assert "1 of 9 cells have fewer than 3 seeds: nothing is told apart there." in said
    assert "test error falls at 2 of 2 loads (told apart: 1 to fall, 0 to rise; by chance about 0.1 of 1" in said
    assert "; 1 left out, of fewer than 3 seeds)" in said
    assert "Judged by the change of one load, seed by seed: \N{MINUS SIGN}1.00 points" in said
    (regimes,) = (grid for grid in grids(found) if grid.name == "regimes")
    assert regimes.parts[0][1][0].cells == ("II-A (1 missing)", "II-A", "II-A")


def test_a_claim_that_does_not_show_is_said_so(make_regimes: MakeRegimes) -> None:
    def hot_is_bad(temperature: float, load: float, seed: int) -> float:
        return 0.3 - temperature / 1000 + 0.001 * seed * (1 if load < 0.1 else temperature / 10)

    said = " ".join(summary(find_regimes(make_regimes(numbers={"error": hot_is_bad}))[0]))
    assert "gain from a higher temperature does not show here: the reverse does" in said
    few = " ".join(summary(find_regimes(make_regimes(seeds=1))[0]))
    assert "cannot be judged here: too few seeds" in few
    assert "One dense network in each cell" in few


def test_what_diverged_or_waits_takes_no_part_and_is_said(make_regimes: MakeRegimes) -> None:
    study = make_regimes()
    rows = {(cell.temperature, cell.load, cell.seed): cell for cell in study.cells}
    partly = rows[160.0, 0.05, 1]
    lost = replace(partly, runs=({"diverged": "3ep"}, *partly.runs[1:]), ends=(GONE, GONE, partly.ends[2]))
    dense = replace(rows[80.0, 0.05, 0], dense={"diverged": "1ep"}, runs=({"diverged": "1ep"},) * 3, ends=(GONE,) * 3)
    nothing = replace(rows[10.0, 0.8, 2], dense={}, mask={}, runs=({},) * 3, ends=({},) * 3)
    changed = {("net", each.temperature, each.load, each.seed): each for each in (lost, dense, nothing)}
    found = find_regimes(make_regimes(changed=changed))[0]
    cell = found.cell(160.0, 0.05)
    assert (cell.known, cell.planned, cell.diverged, cell.waiting) == ((8, 7), (9, 9), 1, False)
    gone = found.cell(80.0, 0.05)
    assert (gone.known, gone.diverged, gone.waiting, sorted(gone.errors())) == ((6, 6), 3, False, [1, 2])
    waiting = found.cell(10.0, 0.8)
    assert (waiting.waiting, waiting.diverged, waiting.lack(None)) == (True, 0, "waiting")
    said = " ".join(summary(found)).replace("\N{NO-BREAK SPACE}", " ")
    assert "The study is not finished: 1 of 9 cells waits for results; it has an error already." in said
    assert "4 of 81 copies diverged" in said
    assert "at 10 epochs and 7.2 ± 0.2 % at 160 epochs" in said
    assert "density 5 % (epochs 80 and 160)" in said


def test_copies_that_learned_nothing_have_no_regime(make_regimes: MakeRegimes) -> None:
    study = make_regimes(
        terms=RegimeTerms(chance=0.1), numbers={"error": lambda hot, load, seed: 0.9 if load < 0.1 else 0.1}
    )
    found = find_regimes(study)[0]
    assert [cell.regime for cell in found.column(0.05)] == [None, None, None]
    assert not found.at_chance
    assert "Hardly better than guessing after retraining" in " ".join(summary(found))


def test_dense_networks_at_chance_are_judged_by_nothing(make_regimes: MakeRegimes) -> None:
    study = make_regimes(terms=RegimeTerms(chance=0.1), numbers={"dense_error": lambda hot, load, seed: 0.89})
    found = find_regimes(study)[0]
    assert found.at_chance
    said = " ".join(summary(found))
    assert "hardly better than chance" in said
    assert "P4's claim" not in said


def test_cka_that_is_not_defined(make_regimes: MakeRegimes) -> None:
    study = make_regimes()
    row = next(cell for cell in study.cells if (cell.temperature, cell.load, cell.seed) == (10.0, 0.8, 0))
    why = "the outputs are the same for every example"
    pair = {"lmc": 0.0, "cka": None, "cka_undefined": why, "diverged": None}
    mine = {("net", 10.0, 0.8, seed): replace(row, seed=seed, ends=(pair,) * 3) for seed in range(3)}
    found = find_regimes(make_regimes(changed=mine))[0]
    cell = found.cell(10.0, 0.8)
    assert (cell.regime, cell.lack(cell.cka, undefined=True), cell.lack(cell.lmc)) == (None, "undefined", None)
    assert why in " ".join(summary(found))


def test_faults_of_rows_are_told(make_regimes: MakeRegimes) -> None:
    study = make_regimes()
    with pytest.raises(DataError, match="given 2 times"):
        replace(study, cells=[*study.cells, study.cells[0]])
    with pytest.raises(DataError, match="temperature is none of the setting's"):
        replace(study, cells=[replace(study.cells[0], temperature=5.0)])
    with pytest.raises(DataError, match="loads lack the setting 'net'"):
        replace(study, loads={})
