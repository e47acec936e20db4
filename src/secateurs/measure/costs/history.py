"""What a run costs that prunes on the way: from the history of its density, or of its multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from secateurs.core import MeasureError

History = Sequence[tuple[float, float]]
"""From which epoch (or step) on, what value: ``[(0, 1.0), (12, 0.1)]`` is dense until epoch 12, then of density 0.1."""


def area_under(history: History, end: float) -> float:
    """Area under the curve of densities (P2 figure 5-1), in epochs, or in steps if the history counts them.

    Divided by ``end`` it is the mean density of training: 1 of a dense run, in [0, 1].

    Args:
        history: begins at 0, in order; of several values at one moment the last counts (pruning in several steps).
        end: of training, in the unit of the history.

    Raises:
        MeasureError: when it does not begin at 0, is out of order, or goes on after the end.

    >>> area_under([(0, 1.0), (12, 0.1)], end=30)
    13.8
    """
    starts = [start for start, _ in history]
    if not starts or starts[0] != 0:
        raise MeasureError(f"history: begins at {starts[0] if starts else 'no moment'}: say what holds from 0 on")
    for start, then in pairwise([*starts, end]):
        if not start <= then < math.inf:
            raise MeasureError(f"history: {then} comes after {start}: give moments in order, none after the end, {end}")
    ends = [*starts[1:], end]
    return math.fsum((then - start) * value for (start, value), then in zip(history, ends, strict=True))


def training_flops(history: History, end: float, *, examples: int, backward: float = 2.0) -> float:
    """Floating-point operations of a training run, from the multiply-adds of its forward pass as they change.

    2 (1 + ``backward``) operations for each multiply-add and example: a multiply-add is two operations, and the
    backward pass takes twice the forward pass (a product for the gradient of the activations, one for that of the
    weights), as Evci et al. (RigL) count, to whom P2 points. Only hardware that skips zeros does a mask's share of
    them; with removed channels they are what is done. What scores and signals cost is not in it.

    Args:
        history: from which epoch on, how many multiply-adds one example takes forward.
        end: epochs in all.
        examples: in an epoch.
        backward: what the backward pass takes, in forward passes.

    Raises:
        MeasureError: as :func:`area_under`.

    >>> dense, pruned = 40_000_000, 4_000_000
    >>> whole = training_flops([(0, dense)], end=30, examples=50_000)
    >>> training_flops([(0, dense), (12, pruned)], end=30, examples=50_000) / whole
    0.46
    """
    return 2 * (1 + backward) * examples * area_under(history, end)
