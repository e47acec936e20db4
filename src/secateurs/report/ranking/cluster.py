"""Means over settings and seeds, and how far they can be trusted: Student's t over the settings' means.

Seeds of one setting share network, data and sparsity, so they are no independent witnesses of what
holds in settings at large: the mean over the seeds of a setting is one observation, and the number of
settings is the number of observations. A percentile bootstrap of so few (here some eight settings)
covers less than it says; see ``bootstrap_interval``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence


def cluster_mean(groups: Iterable[Sequence[float]]) -> float | None:
    """The mean over settings of the mean over each one's seeds: settings count the same. None without a value.

    >>> cluster_mean([[1.0, 3.0], [5.0], []])
    3.5
    """
    means = _means(groups)
    return statistics.fmean(means) if means else None


def cluster_interval(groups: Iterable[Sequence[float]], *, level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of :func:`cluster_mean` over the settings' means; None for fewer than two settings.

    Mean -+ t * s / sqrt(n): n settings that have a value, s the standard deviation of their means,
    t the quantile for n - 1 degrees of freedom. It is exact when the settings are drawn from a
    population whose means are normally distributed, however many seeds each has.

    Args:
        groups: the values of each setting's seeds; empty ones do not count.
        level: how often such an interval is to hold the true mean, in (0, 1).

    >>> low, high = cluster_interval([[1.0], [2.0], [2.0, 4.0]])
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    >>> cluster_interval([[0.1, 0.2], []]) is None
    True
    """
    means = _means(groups)
    if len(means) < 2:
        return None
    middle = statistics.fmean(means)
    half = t_quantile((1 + level) / 2, len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
    return middle - half, middle + half


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


def _means(groups: Iterable[Sequence[float]]) -> list[float]:
    return [statistics.fmean(values) for values in groups if values]
