"""Whether numbers are numbers, and how far shares may be off."""

from __future__ import annotations

from torch import Tensor

ROUNDING = 1e-9
"""What shares of examples are compared within: far above rounding, far below half an example of a million."""


def all_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds finite real numbers only, in one read of it.

    The extremes tell: NaN is passed on by both of them. ``isfinite().all()`` takes ten times as long.

    >>> import torch
    >>> all_finite(torch.tensor([1.0, 2.0])), all_finite(torch.tensor([1.0, torch.nan, 2.0]))
    (True, False)
    """
    if tensor.is_complex():
        return False
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    low, high = tensor.detach().aminmax()
    return bool(low.isfinite() & high.isfinite())
