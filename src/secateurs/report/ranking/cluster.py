"""Means over settings and seeds, and how far they can be trusted: a bootstrap of clusters.

Seeds of one setting share network, data and sparsity, so they are no independent witnesses of what
holds in settings at large. A resample therefore draws settings with replacement, and within each
setting it drew, that setting's seeds with replacement.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np


def cluster_mean(groups: Iterable[Sequence[float]]) -> float | None:
    """The mean over settings of the mean over each one's seeds: settings count the same. None without a value.

    >>> cluster_mean([[1.0, 3.0], [5.0], []])
    3.5
    """
    means = [statistics.fmean(values) for values in groups if values]
    return statistics.fmean(means) if means else None


def cluster_interval(
    groups: Iterable[Sequence[float]], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of :func:`cluster_mean`; None for fewer than two values.

    The draws come from numpy's default generator with ``seed``. Values are sorted within their
    group and groups among each other first, so that the order in which they are given, and what
    settings and seeds are called, changes nothing.

    Args:
        groups: the values of each setting's seeds; empty ones do not count.
        level: share of the resampled means that the interval holds, in (0, 1).
        resamples: how many.
        seed: of the draws.

    >>> cluster_interval([[0.5, 0.5], [0.5]])
    (0.5, 0.5)
    >>> cluster_interval([[0.1], []]) is None
    True
    """
    clusters = [np.array(values, dtype=np.float64) for values in sorted(sorted(values) for values in groups if values)]
    if sum(map(len, clusters)) < 2:
        return None
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(clusters), size=(resamples, len(clusters)))
    means = np.empty(drawn.shape)
    for index, values in enumerate(clusters):
        where = drawn == index
        seeds = generator.integers(len(values), size=(int(where.sum()), len(values)))
        means[where] = values[seeds].mean(axis=1)
    low, high = np.quantile(means.mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
