"""Means over settings and seeds, and how far they can be trusted: Student's t over the settings' means.

Seeds of one setting share network, data and sparsity, so they are no independent witnesses of what
holds in settings at large: the mean over the seeds of a setting is one observation, and the number of
settings is the number of observations. A percentile bootstrap of so few (here some eight settings)
covers less than it says; see ``bootstrap_interval``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from secateurs.report.student import LEVEL, t_interval


def cluster_mean(groups: Iterable[Sequence[float]]) -> float | None:
    """The mean over settings of the mean over each one's seeds: settings count the same. None without a value.

    >>> cluster_mean([[1.0, 3.0], [5.0], []])
    3.5
    """
    means = _means(groups)
    return statistics.fmean(means) if means else None


def cluster_interval(groups: Iterable[Sequence[float]], *, level: float = LEVEL) -> tuple[float, float] | None:
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
    return t_interval(_means(groups), level=level)


def _means(groups: Iterable[Sequence[float]]) -> list[float]:
    return [statistics.fmean(values) for values in groups if values]
