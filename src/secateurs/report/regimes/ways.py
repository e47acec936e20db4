"""The ways to choose a temperature that P4 compares (its section 4), on recorded numbers, each with what it costs.

Which dense network is chosen is worked out by the rules of :mod:`secateurs.core.regimes`, for each load and seed by
itself. Costs are epochs of retraining: the dense networks are given (P4 section 4.2); only Algorithm 1 trains as many
as it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from secateurs.core.regimes import highest, raises_temperature, select
from secateurs.report.regimes.candidates import Column, UnknownError, known, of_copy, of_dense, of_pair, passes
from secateurs.report.regimes.choices import Choice, Way
from secateurs.report.regimes.rows import At, Part, RegimeCellRow


def fixed(temperature: float, name: str, meaning: str) -> Way:
    """Always the same temperature."""

    def choose(column: Column) -> Choice:
        cell = column.only([temperature])
        if cell is None:
            raise UnknownError
        return _whole(column, cell.cells[0])

    return Way(name, meaning, choose)


def grid_search() -> Way:
    """Every candidate retrained once, in full."""
    return Way("grid search", "all are pruned and retrained in full; lowest validation error", _grid)


def conventional() -> Way:
    """The conventional choice of a dense network to prune."""
    return Way("conventional", "lowest validation error of the dense network, unpruned", _conventional)


def algorithm_2(*, on_test: bool = False) -> Way:
    """P4's Algorithm 2: validation errors in place of test errors; or as printed, on test data."""
    part: Part = "test" if on_test else "validation"
    name = "Algorithm 2 as printed" if on_test else "Algorithm 2"
    meaning = (
        f"the conventional choice on {part} error, unless LMC after a short retraining is below the threshold: then "
        f"lowest {part} error of all candidates after that retraining"
    )
    return Way(name, meaning, partial(_selected, part=part, by_cka=False), on_test=on_test)


def algorithm_21() -> Way:
    """P4's Algorithm 2.1, with validation errors in place of test errors."""
    meaning = (
        "the conventional choice, unless LMC after a short retraining is below the threshold: then highest CKA of two "
        "copies of each candidate after that retraining"
    )
    return Way("Algorithm 2.1", meaning, partial(_selected, part="validation", by_cka=True))


def algorithm_1(at: At, name: str, meaning: str, *, initial: float, raised: float) -> Way:
    """P4's Algorithm 1: from the initial temperature to the raised one where LMC is below the threshold.

    Where LMC is not known, since a copy diverged, the temperature stays.
    """

    def choose(column: Column) -> Choice:
        if column.only([initial, raised]) is None:
            raise UnknownError
        first = column.at(initial)
        lmc = of_pair(first, "lmc", at)
        poorly = raises_temperature(lmc, column.terms.threshold)
        chosen, trained = (raised, [initial, raised]) if poorly else (initial, [initial])
        spent = _two_copies(column, at) + (column.terms.retrain_epochs if poorly or at == "probe" else 0)
        return Choice(
            *("", column.load, column.seed, chosen),
            lmc=lmc if not poorly else known(lambda: of_pair(column.at(raised), "lmc", at)),
            poorly_connected=poorly,
            looked_at=1,
            retraining=spent,
            dense=column.dense_epochs(trained),
            passes=passes(first, at, column.terms.points),
        )

    return Way(name, meaning, choose)


def highest_cka(at: At, name: str, meaning: str) -> Way:
    """P4 section 4.3: the candidate whose copies are most alike (its rho of SAM)."""

    def choose(column: Column) -> Choice:
        found = _best(column, lambda cell: of_pair(cell, "cka", at))
        if found is None:
            return Choice("", column.load, column.seed)
        # At the end of retraining one of the two copies is what was wanted.
        more = column.terms.retrain_epochs if at == "probe" else 0
        count = _candidates(column)
        whole = _whole(column, found)
        return replace(whole, looked_at=count, retraining=count * _two_copies(column, at) + more, dense=_all(column))

    return Way(name, meaning, choose)


def _grid(column: Column) -> Choice:
    found = _best(column, lambda cell: _minus(of_copy(cell, "validation", "end")))
    if found is None:
        return Choice("", column.load, column.seed)
    count = _candidates(column)
    spent = count * column.terms.retrain_epochs
    return replace(_whole(column, found), looked_at=count, retraining=spent, dense=_all(column))


def _conventional(column: Column) -> Choice:
    found = _best(column, lambda cell: _minus(of_dense(cell, "validation")))
    return Choice("", column.load, column.seed) if found is None else replace(_whole(column, found), dense=_all(column))


def _selected(column: Column, *, part: Part, by_cka: bool) -> Choice:
    cells, terms = column.cells, column.terms
    errors = [of_dense(cell, part) for cell in cells]
    if all(error is None for error in errors):
        return Choice("", column.load, column.seed)

    def worth(place: int) -> float | None:
        cell = cells[place]
        return of_pair(cell, "cka", "probe") if by_cka else _minus(of_copy(cell, part, "probe"))

    found = select(errors, lambda place: of_pair(cells[place], "lmc", "probe"), worth, terms.threshold)
    alpha = terms.probe_epochs or 0
    others = (len(found.looked_at) - 1) * alpha * (2 if by_cka else 1)
    chosen, first = cells[found.chosen], cells[found.first]
    return Choice(
        *("", column.load, column.seed, chosen.temperature),
        lmc=known(lambda: of_pair(chosen, "lmc", "probe")),
        poorly_connected=found.poorly_connected,
        looked_at=len(found.looked_at),
        retraining=_two_copies(column, "probe") + others + terms.retrain_epochs,
        dense=_all(column),
        passes=passes(first, "probe", terms.points),
    )


def _whole(column: Column, cell: RegimeCellRow) -> Choice:
    """One network retrained in full, and nothing else."""
    at: At = "probe" if cell.probes else "end"
    return Choice(
        *("", column.load, column.seed, cell.temperature),
        lmc=known(lambda: of_pair(cell, "lmc", at)),
        looked_at=1,
        retraining=column.terms.retrain_epochs,
        dense=column.dense_epochs([cell.temperature]),
    )


def _two_copies(column: Column, at: At) -> float:
    return 2 * (column.terms.retrain_epochs if at == "end" else column.terms.probe_epochs or 0)


def _candidates(column: Column) -> int:
    """How many can be pruned at all: a dense network that diverged is not."""
    return sum(cell.dense.get("diverged") is None for cell in column.cells)


def _all(column: Column) -> float | None:
    return column.dense_epochs([cell.temperature for cell in column.cells])


def _best(column: Column, worth: Callable[[RegimeCellRow], float | None]) -> RegimeCellRow | None:
    """The worthiest candidate, of equals the first; None where nothing is known of any, as all diverged."""
    place = highest([worth(cell) for cell in column.cells])
    return None if place is None else column.cells[place]


def _minus(error: float | None) -> float | None:
    return None if error is None else -error
