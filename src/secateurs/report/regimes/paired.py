"""Differences of test error, paired by seed, and when they are told apart from nothing: one rule for the whole page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST, told_apart
from secateurs.report.student import by_chance, t_interval
from secateurs.report.words import number_of, plural

Interval = tuple[float, float] | None

TOO_FEW = f"with fewer than {FEWEST} seeds nothing is told apart"


@dataclass(frozen=True)
class Paired:
    """A difference for each seed; fractions.

    >>> Paired((0.1, 0.11, 0.12)).apart, Paired((0.1, -0.11, 0.12)).apart
    (True, False)
    >>> Paired((0.1, 0.11)).apart, Paired((0.0, 0.0, 0.0)).apart
    (None, None)
    """

    differences: tuple[float, ...]

    @property
    def spread(self) -> Spread | None:
        """Mean and standard deviation; None without a seed."""
        return Spread.of(self.differences)

    @cached_property
    def interval(self) -> Interval:
        """Student's t interval of the mean; None of fewer than two seeds."""
        return t_interval(self.differences)

    @property
    def same(self) -> bool:
        """Whether there is no difference on any seed, to the last digit: then there is nothing to tell apart."""
        return bool(self.differences) and not any(self.differences)

    @property
    def apart(self) -> bool | None:
        """Whether the interval leaves out 0; None of fewer than three seeds, and where all are the same."""
        return None if self.same else told_apart(self.interval, len(self.differences))

    @property
    def rises(self) -> bool:
        """Whether the mean is above 0."""
        return fmean(self.differences) > 0


def judged_by(every: Iterable[Paired]) -> int:
    """How many of them can be told apart, and might be by chance."""
    return sum(each.apart is not None for each in every)


def chance(intervals: int) -> str:
    """What chance does to so many intervals.

    >>> chance(6)
    'of 6 intervals about 0.3 would by chance where nothing differs'
    """
    return f"of {plural(intervals, 'interval')} about {expected(intervals)} would by chance where nothing differs"


def expected(intervals: int) -> str:
    """How many of so many intervals leave out 0 by chance.

    >>> expected(2), expected(21)
    ('0.1', '1.1')
    """
    return number_of(round(by_chance(intervals), 1 if intervals > 1 else 2))
