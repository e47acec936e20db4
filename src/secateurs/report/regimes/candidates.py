"""What may be chosen between: the dense networks of one seed, each pruned to one load, and what is known of each.

A choice is made with what whoever makes it would pay for: errors are those of the first copy, LMC and CKA those of the
first pair of copies. Only what a choice comes to is judged by all copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.rows import At, Part, RegimeCellRow, RegimeTerms, Row
from secateurs.report.rows import number

Metric = Literal["lmc", "cka"]
"""What pairs of copies are compared by."""


class UnknownError(Exception):
    """A number that a choice needs is not there, though nothing diverged: its job is not done, or failed."""


@dataclass(frozen=True)
class Column:
    """The candidates of one load and one seed, the hottest first.

    Attributes:
        cells: one for each temperature.
        temperature: the name of what differs between them.
        terms: the setting's.
    """

    cells: tuple[RegimeCellRow, ...]
    temperature: str
    terms: RegimeTerms

    @property
    def load(self) -> float:
        return self.cells[0].load

    @property
    def seed(self) -> int:
        return self.cells[0].seed

    def only(self, temperatures: Iterable[float]) -> Column | None:
        """The candidates of these temperatures, in the column's order; None where one of them is not there."""
        wanted = set(temperatures)
        cells = tuple(cell for cell in self.cells if cell.temperature in wanted)
        return Column(cells, self.temperature, self.terms) if len(cells) == len(wanted) else None

    def at(self, temperature: float) -> RegimeCellRow:
        """The candidate of a temperature.

        Raises:
            ValueError: there is none.
        """
        return self.cells[[cell.temperature for cell in self.cells].index(temperature)]

    def dense_epochs(self, temperatures: Iterable[float]) -> float | None:
        """Epochs of dense training that networks of these temperatures take; None where it is not known.

        Stops of one run take the longest of them, everything else a run each.
        """
        own = [self.terms.dense_epochs.get(each) for each in dict.fromkeys(temperatures)]
        known = [each for each in own if each is not None]
        if len(known) < len(own):
            return None
        return max(known, default=0) if self.temperature == "epochs" else sum(known)


def columns(found: RegimeFindings) -> Iterator[Column]:
    """The columns of a setting: by load, from the smallest, and by seed."""
    for load in found.load.values:
        for seed in found.seeds:
            there = (found.row(hot, load, seed) for hot in found.temperature.values)
            cells = tuple(cell for cell in there if cell is not None)
            if cells:
                yield Column(cells, found.temperature.name, found.terms)


def of_dense(cell: RegimeCellRow, part: Part) -> float | None:
    """The dense network's error on a part of the data; None where it diverged.

    Raises:
        UnknownError: it is not known yet.
    """
    error = cell.dense_error(part)
    return _known(error, cell.dense)


def of_copy(cell: RegimeCellRow, part: Part, at: At) -> float | None:
    """The error of the first copy; None where it, or its dense network, diverged before.

    Raises:
        UnknownError: it is not known yet.
    """
    run = _first(cell, cell.runs)
    looked: Row = run.get("probe") or {} if at == "probe" else {} if run.get("diverged") is not None else run
    error = number(looked, f"{part}_error")
    return _known(error, run)


def of_pair(cell: RegimeCellRow, metric: Metric, at: At) -> float | None:
    """LMC or CKA of the first two copies; None where one of them diverged, or CKA is undefined.

    Raises:
        UnknownError: they are not compared yet.
    """
    pair = _first(cell, cell.pairs(at))
    value = number(pair, metric)
    undefined = metric == "cka" and pair.get("cka_undefined") is not None
    return None if undefined else _known(value, pair)


def known(read: Callable[[], float | None]) -> float | None:
    """The number, None where it is not known, for whatever reason."""
    try:
        return read()
    except UnknownError:
        return None


def passes(cell: RegimeCellRow, at: At, points: int) -> float:
    """How often LMC of the first pair went over the training data, recomputing BatchNorm's statistics or the error.

    As was counted; else twice for each of so many points on the way.
    """
    rows = cell.pairs(at)
    counted: Row = (rows[0].get("passes") or {}) if rows else {}
    found = [number(counted, name) for name in ("recalibration", "evaluation")]
    there = [each for each in found if each is not None]
    return sum(there) if there else 2.0 * points


def _first(cell: RegimeCellRow, rows: tuple[Row, ...]) -> Row:
    """The first row; where the dense network diverged that says so for all of them."""
    if cell.dense.get("diverged") is not None:
        return cell.dense
    if not rows or not rows[0]:
        raise UnknownError
    return rows[0]


def _known(value: float | None, row: Row) -> float | None:
    """The value; None of what diverged.

    Raises:
        UnknownError: there is none, and it did not diverge.
    """
    if value is None and row.get("diverged") is None:
        raise UnknownError
    return value
