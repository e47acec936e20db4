"""Does a signal go with the accuracy? Spearman's rank correlation, seed by seed.

P0 says that accuracy "correlates" with tr(F) and shows curves; here it is a number. For each seed
the signal of its dense run at the moments of the grid is ranked against the accuracy of the
networks pruned at those moments; the mean over seeds comes with a bootstrap interval over seeds.
The untrained network (moment 0) takes no part, as it is no candidate for a peak either: its
normalisation statistics are still wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateurs.core import DataError
from secateurs.report.curves import Spread
from secateurs.report.regret import bootstrap_interval
from secateurs.report.rows import GRID, DenseRun, PrunedRun

Part = Literal["validation", "test"]
PARTS: tuple[Part, ...] = ("validation", "test")

ENOUGH = 3
"""Fewer moments than this have no rank correlation worth the name."""


@dataclass(frozen=True)
class Correlation:
    """Rank correlation (-1 to 1) of ``signal`` with the pruned networks' accuracy on ``part``.

    ``spread`` is over the seeds that have one, ``interval`` the 95 % bootstrap interval of its mean
    (None for fewer than two), ``moments`` the fewest moments that any of these seeds contributed.
    """

    signal: str
    part: Part
    spread: Spread
    interval: tuple[float, float] | None
    moments: int


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Rank from 1 (lowest) on; equal values share the mean of their ranks.

    Raises:
        DataError: a value that is not finite.

    >>> ranks([10.0, 30.0, 20.0, 20.0]).tolist()
    [1.0, 4.0, 2.5, 2.5]
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise DataError("rank correlation: a value is not finite, so it has no rank: leave it out")
    _, group, counts = np.unique(array, return_inverse=True, return_counts=True)
    last: NDArray[np.float64] = np.cumsum(counts, dtype=np.float64)
    return (last - (counts - 1) / 2)[group.reshape(array.shape)]


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation: Pearson's, of ranks with ties averaged.

    None for fewer than three pairs, or when one side is the same throughout: it then ranks nothing.

    Raises:
        DataError: sides of different lengths, or a value that is not finite.

    >>> spearman([1, 2, 3, 4], [10, 20, 40, 30])
    0.8
    >>> spearman([1, 2, 3], [5, 5, 5]) is None
    True
    """
    if len(first) != len(second):
        raise DataError(f"rank correlation: {len(first)} values against {len(second)}: give as many on both sides")
    if len(first) < ENOUGH:
        return None
    # Twice the distance of a rank from the middle is a whole number: the sums below are exact.
    a, b = (2 * ranks(side) - (len(first) + 1) for side in (first, second))
    norm = float(a @ a) * float(b @ b)
    return None if norm == 0 else min(1.0, max(-1.0, float(a @ b) / norm**0.5))


def correlations(
    dense: Sequence[DenseRun], pruned: Sequence[PrunedRun], signals: Sequence[str]
) -> tuple[Correlation, ...]:
    """The rank correlations of each signal with validation and test accuracy, on one setting and density.

    Moments of the grid at which the signal was not measured, or the run has no result, are left out.
    """
    found = (_correlation(dense, pruned, signal, part) for signal in signals for part in PARTS)
    return tuple(each for each in found if each is not None)


def _correlation(dense: Sequence[DenseRun], pruned: Sequence[PrunedRun], signal: str, part: Part) -> Correlation | None:
    each, moments = [], []
    for root in dense:
        if root.diverged is not None:
            continue
        at = dict(zip(*root.series(signal), strict=True))
        grid = [run for run in pruned if run.seed == root.seed and GRID in run.chosen_by and run.epoch > 0]
        pairs = [(at[run.epoch], y) for run in grid if run.epoch in at and (y := run.accuracy(part)) is not None]
        value = spearman([x for x, _ in pairs], [y for _, y in pairs])
        if value is not None:
            each.append(value)
            moments.append(len(pairs))
    spread = Spread.of(each)
    return None if spread is None else Correlation(signal, part, spread, bootstrap_interval(each), min(moments))
