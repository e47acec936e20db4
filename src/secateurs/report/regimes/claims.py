"""P4's main claim, judged: in Regime I a higher temperature helps, in well-connected regimes a lower one does.

All comparisons are paired by seed: the change of test error is that of one dense network against another of the same
seed. Where they are made follows from LMC and the axes, never from test error: the best of a column would look better
than it is. Each claim has one test, of the mean over loads with one number for each seed: of the many loads one is soon
told apart by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from statistics import fmean
from typing import Literal

from secateurs.core.regimes import Regime
from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST, told_apart
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.student import t_interval

Way = Literal["hotter", "colder"]
"""Which way P4 says the temperature is to go."""

Said = Literal["helps", "harms", ""]
"""Told apart: the interval leaves out 0, over three seeds or more; below 0 it helps."""

POOR: tuple[Regime, ...] = ("I",)
WELL: tuple[Regime, ...] = ("II-A", "II-B")


@dataclass(frozen=True)
class Difference:
    """Differences of test error by seed, fractions; below 0 it is as P4 says.

    >>> Difference({0: -0.03, 1: -0.02, 2: -0.025}).said, Difference({0: -0.03, 1: -0.02}).said
    ('helps', '')
    """

    by_seed: Mapping[int, float]

    @property
    def difference(self) -> Spread:
        """Over seeds; nan without any."""
        return Spread.of(self.by_seed.values()) or Spread(float("nan"), None, 0)

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Student's t, 95 %, of the mean difference; None of one seed."""
        return t_interval(list(self.by_seed.values()))

    @property
    def said(self) -> Said:
        """Whether it is told apart."""
        if not told_apart(self.interval, len(self.by_seed)):
            return ""
        return "helps" if self.difference.mean < 0 else "harms"


@dataclass(frozen=True)
class Change(Difference):
    """Test error at ``end`` minus that at ``start``: below 0 the change of temperature helps.

    Attributes:
        way: where the temperature goes from ``start`` to ``end``.
    """

    way: Way
    start: Cell
    end: Cell


def paired(way: Way, start: Cell, end: Cell) -> Change | None:
    """The change over the seeds on which both cells have an error; None without any."""
    before, after = start.errors(), end.errors()
    differences = {seed: after[seed] - error for seed, error in before.items() if seed in after}
    return Change(differences, way, start, end) if differences else None


def averaged(parts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """By seed the mean over all parts, of the seeds that every part has.

    >>> averaged([{0: 1.0, 1: 2.0}, {0: 3.0, 2: 5.0}]), averaged([])
    ({0: 2.0}, {})
    """
    common = [seed for seed in parts[0] if all(seed in part for part in parts)] if parts else []
    return {seed: fmean(part[seed] for part in parts) for seed in common}


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
        judged: how many are of three seeds or more; the others are not told apart.
        helps, harms: how many are told apart.
    """

    count: int
    helped: int
    judged: int
    helps: int
    harms: int

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Tally:
        """Count them."""
        return cls(
            len(changes),
            sum(change.difference.mean < 0 for change in changes),
            sum(change.difference.n >= FEWEST for change in changes),
            sum(change.said == "helps" for change in changes),
            sum(change.said == "harms" for change in changes),
        )


@dataclass(frozen=True)
class Claim(Difference):
    """The one test of a claim: by seed the mean over all ``count`` changes that are of three seeds or more.

    Seeds that one of these changes lacks take no part.
    """

    count: int = 1

    @classmethod
    def of(cls, changes: Sequence[Difference]) -> Claim:
        """Average them seed by seed."""
        judged = [each.by_seed for each in changes if each.difference.n >= FEWEST]
        return cls(averaged(judged), len(judged))

    @property
    def verdict(self) -> Literal["shows", "does not show", "reverse", ""]:
        """Whether a claim shows; ``""``: there is nothing to judge by, or there are too few seeds.

        >>> Claim({0: -0.03, 1: -0.02, 2: -0.025}).verdict, Claim({0: -0.03, 1: 0.02, 2: 0.0}).verdict
        ('shows', 'does not show')
        >>> Claim({0: 0.03, 1: 0.02, 2: 0.025}).verdict, Claim({0: -0.03, 1: -0.02}).verdict
        ('reverse', '')
        """
        if len(self.by_seed) < FEWEST:
            return ""
        return "shows" if self.said == "helps" else "reverse" if self.said == "harms" else "does not show"


@dataclass(frozen=True)
class Order:
    """Test error in regime ``low`` minus that in ``high``, inside the loads that have cells of both.

    P4 says (section 3.2) that it is below 0. Over the cells of a regime in a load it is their mean, and each load
    counts once: between loads error differs for other reasons.
    """

    high: Regime
    low: Regime
    test: Claim


def by_regime(findings: RegimeFindings) -> tuple[Order, ...]:
    """Each two regimes that lie beside each other in one load at least."""
    found = []
    for high, low in combinations((*POOR, *WELL), 2):
        sides = [[_within(findings, load, regime) for regime in (high, low)] for load in findings.load.values]
        test = Claim.of([Difference({s: b[s] - a[s] for s in a if s in b}) for a, b in sides if a and b])
        if test.by_seed:
            found.append(Order(high, low, test))
    return tuple(found)


def _within(findings: RegimeFindings, load: float, regime: Regime) -> dict[int, float]:
    """By seed, the mean error of a load's cells in a regime, of those with three seeds or more."""
    errors = [cell.errors() for cell in findings.column(load) if cell.regime == regime]
    return averaged([each for each in errors if len(each) >= FEWEST])


@dataclass(frozen=True)
class Direction:
    """One load, seen from its coldest temperature: whether LMC there says to raise it, and where the best one lies."""

    load: float
    raises: bool
    best_is_hotter: bool


def directions(findings: RegimeFindings) -> tuple[Direction, ...]:
    """Of the loads that have a best temperature, judged on test data: whether it is hotter than the coldest one."""
    found = []
    for load in findings.load.values:
        best, coldest = findings.best(load), findings.column(load)[-1]
        if best is not None and coldest.regime is not None and len(findings.temperature.values) > 1:
            found.append(Direction(load, coldest.regime in POOR, best is not coldest))
    return tuple(found)
