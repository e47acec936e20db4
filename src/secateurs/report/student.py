"""Intervals of a mean by Student's t, and how many comparisons come out by chance alone.

A percentile bootstrap of few values is too narrow: of three it leaves out 0 whenever they have one sign, which happens
to one comparison in four where there is nothing to find.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

LEVEL = 0.95
"""How often intervals are to hold the true mean."""


def t_interval(values: Sequence[float], *, level: float = LEVEL) -> tuple[float, float] | None:
    """Student's t interval of the mean of ``values``; None for fewer than two.

    Mean -+ t * s / sqrt(n): s the standard deviation of n values, t the quantile for n - 1 degrees of freedom. It is
    exact when the values are drawn independently from a normal distribution, however few there are.

    Args:
        values: observations of equal weight: of paired runs, a difference for each seed.
        level: how often such an interval is to hold the true mean, in (0, 1).

    >>> low, high = t_interval([1.0, 2.0, 3.0])
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    >>> t_interval([0.25, 0.25]), t_interval([0.1]) is None
    ((0.25, 0.25), True)
    """
    if len(values) < 2:
        return None
    middle = statistics.fmean(values)
    half = t_quantile((1 + level) / 2, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return middle - half, middle + half


def by_chance(comparisons: int, *, level: float = LEVEL) -> float:
    """How many of so many intervals leave out 0 by chance, on average, where nothing differs.

    >>> round(by_chance(40), 6)
    2.0
    """
    return (1 - level) * comparisons


@lru_cache(maxsize=256)
def t_quantile(share: float, degrees: int) -> float:
    """The point below which Student's t with ``degrees`` (>= 1, whole) degrees of freedom lies with chance ``share``.

    By bisection of the distribution function, which is a finite sum for whole degrees of freedom
    (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4).

    Args:
        share: in [0.5, 1).
        degrees: of freedom.

    >>> round(t_quantile(0.975, 7), 4), t_quantile(0.5, 3)
    (2.3646, 0.0)
    """
    low, high = 0.0, math.pi / 2  # of theta = arctan(t / sqrt(degrees)), in which the function is smooth and bounded
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < 2 * share - 1 else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _within(theta: float, degrees: int) -> float:
    """The chance that \\|t\\| lies below sqrt(degrees) tan(theta)."""
    square, odd = math.cos(theta) ** 2, degrees % 2
    term = math.cos(theta) if odd else 1.0
    terms = []
    for index in range(1 + odd, degrees, 2):
        terms.append(term)
        term *= square * index / (index + 1)
    total = math.sin(theta) * math.fsum(terms)
    return 2 / math.pi * (theta + total) if odd else total
