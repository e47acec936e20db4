"""Which costs of a table are the best and the second best of their kind, and which differences say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Mark = Literal["best", "second", ""]

ALIKE = 0.05
"""Costs that differ by less than this share of the lower one are alike: it may come from another sparsity."""

ENOUGH = 3
"""Fewer seeds do not tell how far a measured time would come out another time: nothing of it is marked."""


@dataclass(frozen=True)
class Judged:
    """What stands in one place of a column.

    Attributes:
        value: as it is printed.
        sd: over seeds, for what was measured by a clock; None: one seed.
        seeds: how many.
    """

    value: float
    sd: float | None = None
    seeds: int = 1


@dataclass(frozen=True)
class Column:
    """How the values of a column are compared: which end is good, and whether it is of the clock, or an accuracy."""

    better: Literal["low", "high"]
    measured: bool = False
    accuracy: bool = False


def marks(column: Column, values: Mapping[int, Judged]) -> dict[int, Mark]:
    """The marks of a column's values by their place.

    Of one alone, or where all are alike, there are none; a second best there is of three ranks or more.

    >>> low = Column("low")
    >>> marks(low, {0: Judged(100.0), 1: Judged(103.0), 2: Judged(120.0), 3: Judged(200.0)})
    {0: 'best', 1: 'best', 2: 'second'}
    >>> marks(low, {0: Judged(100.0), 1: Judged(103.0)})
    {}
    >>> marks(Column("low", measured=True), {0: Judged(1.0, 0.1, 2), 1: Judged(2.0, 0.1, 2)})
    {}
    >>> marks(Column("low", measured=True), {0: Judged(1.0, 1.5, 3), 1: Judged(2.0, 0.1, 3), 2: Judged(9.0, 0.1, 3)})
    {0: 'best', 1: 'best'}
    """
    if column.measured and any(each.seeds < ENOUGH for each in values.values()):
        return {}
    ranks = list(_ranks(column, values))
    if len(ranks) < 2:
        return {}
    found: dict[int, Mark] = dict.fromkeys(ranks[0], "best")
    return found | (dict.fromkeys(ranks[1], "second") if len(ranks) > 2 else {})


def _ranks(column: Column, values: Mapping[int, Judged]) -> Iterator[list[int]]:
    """Places from the best on, those together that are alike to the first of them."""
    sign = -1 if column.better == "high" else 1
    rank: list[int] = []
    for place in sorted(values, key=lambda each: sign * values[each].value):
        if rank and not _alike(column, values[rank[0]], values[place]):
            yield rank
            rank = []
        rank.append(place)
    if rank:
        yield rank


def _alike(column: Column, first: Judged, other: Judged) -> bool:
    difference = abs(first.value - other.value)
    if column.accuracy or difference == 0:
        return difference == 0
    if column.measured and difference <= max(first.sd or 0.0, other.sd or 0.0):
        return True
    return difference < ALIKE * min(abs(first.value), abs(other.value))
