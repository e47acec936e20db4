"""Whether two quantities go together: Pearson's coefficient."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from secateurs.core import MeasureError


@torch.no_grad()
def pearson(x: Tensor, y: Tensor) -> float | None:
    """Pearson's correlation coefficient of two tensors with as many entries, in [-1, 1]; in float64 on the CPU.

    None for fewer than two entries, or when one side is the same throughout: it then goes with nothing.

    Args:
        x, y: real numbers of any shape; entries are paired in order.

    Raises:
        MeasureError: for different numbers of entries, or one that is not finite.

    >>> pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0]))
    1.0
    >>> pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.1, 0.1, 0.1])) is None
    True
    """
    if x.numel() != y.numel():
        raise MeasureError(f"pearson: {x.numel()} entries against {y.numel()}: give as many on both sides")
    sides = [side.detach().flatten().to("cpu", torch.float64) for side in (x, y)]
    if not all(bool(side.isfinite().all()) for side in sides):
        raise MeasureError("pearson: an entry is not finite: has training diverged? Measure an earlier state")
    # Not by the deviations, which rounding may leave at a constant side.
    if x.numel() < 2 or any(bool(side.min() == side.max()) for side in sides):
        return None
    a, b = (_deviations(side) for side in sides)
    return min(1.0, max(-1.0, float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))))


def _deviations(side: Tensor) -> Tensor:
    """From the mean, in units of the largest: products of scores are so small that their squares could vanish."""
    scaled = side / side.abs().amax()
    deviations = scaled - scaled.mean()
    return deviations / deviations.abs().amax()
