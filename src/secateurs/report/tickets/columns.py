"""What the tables of tickets are made of: columns, and the rows of one setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.overview import Row
from secateurs.report.tickets.findings import TicketFindings

SPREAD = ("mean", "sd", "lowest", "highest")
"""The columns of a quantity that has several values."""


@dataclass(frozen=True)
class Table:
    """A table: its columns, and its rows of one setting."""

    columns: tuple[str, ...]
    rows: Callable[[TicketFindings], Iterable[Row]]


def of(*names: str) -> tuple[str, ...]:
    """The columns of these quantities."""
    return tuple(f"{name}_{each}" for name in names for each in SPREAD)


def spread_row(name: str, values: Iterable[float]) -> Row:
    """Mean, standard deviation (None of one value) and ends of some values, as columns."""
    there = list(values)
    found = Spread.of(there)
    mean, sd = (None, None) if found is None else (found.mean, found.sd)
    ends = (min(there, default=None), max(there, default=None))
    return dict(zip(of(name), (mean, sd, *ends), strict=True))
