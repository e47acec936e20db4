"""Rules on plain numbers by which P2 judges networks: whether they match, since when, how stable, how fast they learn.

An accuracy is a fraction in [0, 1], and None that of a run that diverged, which matches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal

from secateurs.core.errors import MeasureError
from secateurs.core.numbers import ROUNDING

MATCHING_WITHIN = 0.002
"""A subnetwork this far below the dense network still matches it: 0.2 percentage points."""

STABLE_BELOW = 0.02
"""Instability below which P2 section 4.1.1 calls a network stable: 2 percentage points."""

SparsityRange = Literal["I", "II", "III"]
"""P2 section 4.2.5: I, trivial (random pruning matches, too); II, matching; III, too sparse to match."""


def is_matching(accuracy: float | None, reference: float, within: float = MATCHING_WITHIN) -> bool:
    """Whether an accuracy is at least ``reference - within`` (P2 section 4.2.5), the bound itself included.

    >>> is_matching(0.915, 0.917), is_matching(0.9149, 0.917), is_matching(0.93, 0.917), is_matching(None, 0.917)
    (True, False, True, False)
    >>> 0.015 >= 0.017 - 0.002, is_matching(0.015, 0.017)
    (False, True)
    """
    return accuracy is not None and accuracy >= reference - within - ROUNDING


def least_dilation(
    factors: Sequence[float],
    accuracies: Sequence[float | None],
    reference: float,
    within: float = MATCHING_WITHIN,
) -> float | None:
    """The dilation delta* (P2 section 3.3.6): the least factor at which a network matches; None if it never does.

    Raises:
        MeasureError: when there are not as many accuracies as factors.

    >>> least_dilation([0.5, 0.6, 0.7], [0.90, 0.96, 0.95], reference=0.96)
    0.6
    """
    _paired("least_dilation", "factors", factors, accuracies)
    pairs = zip(factors, accuracies, strict=True)
    return min((factor for factor, accuracy in pairs if is_matching(accuracy, reference, within)), default=None)


def early_stopping(steps: Sequence[int], losses: Sequence[float | None]) -> int | None:
    """Where the loss on held-out data is lowest (P2 section 3.3.6): an index; of several, the earliest step's.

    Losses that are not finite, or None, do not count; None where no other is left.

    Raises:
        MeasureError: when there are not as many losses as steps.

    >>> early_stopping([0, 100, 200, 300], [2.3, 0.5, 0.5, float("nan")])
    1
    """
    _paired("early_stopping", "steps", steps, losses)
    finite = [(loss, steps[i], i) for i, loss in enumerate(losses) if loss is not None and math.isfinite(loss)]
    return min(finite)[2] if finite else None


def sparsity_range(trivial: bool, matching: bool) -> SparsityRange:
    """The range of P2 section 4.2.5 that a sparsity is in.

    Args:
        trivial: a randomly pruned network of this sparsity matches.
        matching: IMP's subnetwork of this sparsity matches, at whatever rewinding step.

    >>> sparsity_range(True, True), sparsity_range(False, True), sparsity_range(False, False)
    ('I', 'II', 'III')
    """
    return "I" if trivial else "II" if matching else "III"


def first_from(steps: Sequence[int], flags: Sequence[bool]) -> int | None:
    """The first step from which on something holds, at every later step, too; None where it fails at the last.

    Raises:
        MeasureError: when there are not as many flags as steps.

    >>> first_from([0, 500, 1000, 2000], [True, False, True, True]), first_from([0, 500], [True, False])
    (1000, None)
    """
    _paired("first_from", "steps", steps, flags)
    first = None
    for step, holds in sorted(zip(steps, flags, strict=True), reverse=True):
        if not holds:
            break
        first = step
    return first


def median_step(steps: Sequence[float | None]) -> float | None:
    """The median over replicates of a step, or a factor, that some never reach (None): later than any other.

    It is there only where more than half of them have one.

    >>> median_step([500, 1000, None]), median_step([500, None]), median_step([]), median_step([500, 1000])
    (1000, None, None, 750.0)
    """
    if 2 * sum(step is not None for step in steps) <= len(steps):
        return None
    return median(math.inf if step is None else step for step in steps)


def _paired(called: str, name: str, ones: Sequence[object], others: Sequence[object]) -> None:
    if len(ones) != len(others):
        raise MeasureError(f"{called}: one value for each of the {name}: got {len(ones)} {name}, {len(others)} values")
