"""P4's main claim, judged: in Regime I a higher temperature helps, in well-connected regimes a lower one does.

All comparisons are paired by seed: the change of test error is that of one dense network against another of the same
seed. Where they are made follows from LMC and the axes, never from test error: the best of a column would look better
than it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from secateurs.core.regimes import Regime
from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST, told_apart
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.student import by_chance, t_interval

Way = Literal["hotter", "colder"]
"""Which way P4 says the temperature is to go."""

POOR: tuple[Regime, ...] = ("I",)
WELL: tuple[Regime, ...] = ("II-A", "II-B")


@dataclass(frozen=True)
class Change:
    """Test error at ``end`` minus that at ``start``, by seed: below 0 the change of temperature helps, as P4 says.

    Attributes:
        way: where the temperature goes from ``start`` to ``end``.
        interval: Student's t, 95 %, of the mean difference; None of one seed.
    """

    way: Way
    start: Cell
    end: Cell
    difference: Spread
    interval: tuple[float, float] | None

    @property
    def said(self) -> Literal["helps", "harms", ""]:
        """Told apart: the interval leaves out 0, over three seeds or more."""
        if not told_apart(self.interval, self.difference.n):
            return ""
        return "helps" if self.difference.mean < 0 else "harms"


def paired(way: Way, start: Cell, end: Cell) -> Change | None:
    """The change over the seeds on which both cells have an error; None without any."""
    before, after = start.errors(), end.errors()
    differences = [after[seed] - error for seed, error in before.items() if seed in after]
    spread = Spread.of(differences)
    return None if spread is None else Change(way, start, end, spread, t_interval(differences))


def moves(findings: RegimeFindings) -> tuple[Change, ...]:
    """At most one change for each load and way.

    Hotter: from the coldest temperature, where it is in Regime I, to the nearest one out of it; to the hottest
    one where none is out of it. Colder: from the hottest temperature, where it is well connected, to the last one
    before Regime I, or to the coldest one.
    """
    return tuple(each for load in findings.load.values for each in _moves(findings.column(load)))


def _moves(column: Sequence[Cell]) -> Iterator[Change]:
    known = [cell for cell in column if cell.regime is not None]
    if len(known) < 2:
        return
    hottest, coldest = known[0], known[-1]
    if coldest.regime in POOR:
        out = next((cell for cell in reversed(known) if cell.regime in WELL), hottest)
        found = paired("hotter", coldest, out)
        if found is not None:
            yield found
    if hottest.regime in WELL:
        poor = next((place for place, cell in enumerate(known) if cell.regime in POOR), len(known))
        found = paired("colder", hottest, known[poor - 1]) if poor > 1 else None
        if found is not None:
            yield found


def steps(findings: RegimeFindings) -> tuple[Change, ...]:
    """Between neighbouring temperatures of a load: hotter from every cell in Regime I, colder within Regime II."""
    return tuple(each for load in findings.load.values for each in _steps(findings.column(load)))


def _steps(column: Sequence[Cell]) -> Iterator[Change]:
    for hot, cold in pairwise(column):
        found = None
        if cold.regime in POOR and hot.regime is not None:
            found = paired("hotter", cold, hot)
        elif hot.regime in WELL and cold.regime in WELL:
            found = paired("colder", hot, cold)
        if found is not None:
            yield found


@dataclass(frozen=True)
class Tally:
    """How some changes came out.

    Attributes:
        helped: how many helped in the mean.
        helps, harms: how many are told apart.
        seeds: on how few of them a change was compared.
    """

    count: int
    helped: int
    helps: int
    harms: int
    seeds: int

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Tally:
        """Count them."""
        return cls(
            len(changes),
            sum(change.difference.mean < 0 for change in changes),
            sum(change.said == "helps" for change in changes),
            sum(change.said == "harms" for change in changes),
            min((change.difference.n for change in changes), default=0),
        )

    @property
    def verdict(self) -> Literal["shows", "partly", "does not show", "reverse", ""]:
        """Whether a claim shows; ``""``: there is nothing to judge by, or there are too few seeds.

        It shows where more changes are told apart to help than chance gives, and no more to harm; partly, where
        both are; the reverse shows where only more are told apart to harm.

        >>> Tally(10, 9, 5, 0, 3).verdict, Tally(10, 6, 3, 2, 3).verdict, Tally(10, 5, 0, 0, 3).verdict
        ('shows', 'partly', 'does not show')
        >>> Tally(10, 1, 0, 5, 3).verdict, Tally(10, 9, 0, 0, 2).verdict
        ('reverse', '')
        """
        if not self.count or self.seeds < FEWEST:
            return ""
        chance = by_chance(self.count) / 2  # of either sign
        if self.helps > chance:
            return "partly" if self.harms > chance else "shows"
        return "reverse" if self.harms > chance else "does not show"


def by_regime(findings: RegimeFindings) -> dict[Regime, Spread]:
    """Test error above that of the best cell of the same load, over the cells of each regime (P4 section 3.2)."""
    found: dict[Regime, Spread] = {}
    for regime in (*POOR, *WELL):
        above = [findings.excess(cell) for cell in findings.of(regime)]
        spread = Spread.of(each.mean for each in above if each is not None)
        if spread is not None:
            found[regime] = spread
    return found


@dataclass(frozen=True)
class Direction:
    """One load, seen from its coldest temperature: whether LMC there says to raise it, and where the best one lies."""

    load: float
    raises: bool
    best_is_hotter: bool


def directions(findings: RegimeFindings) -> tuple[Direction, ...]:
    """Of the loads whose every cell has an error: whether the best temperature is hotter than the coldest one."""
    found = []
    for load in findings.load.values:
        column = findings.column(load)
        best, coldest = findings.best(load), column[-1]
        if best is not None and coldest.regime is not None and len(column) > 1 and all(c.errors() for c in column):
            found.append(Direction(load, coldest.regime in POOR, best is not coldest))
    return tuple(found)
