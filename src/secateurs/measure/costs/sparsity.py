"""How many weights and how many channels of a network are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from secateurs.core import prunable


class Left(NamedTuple):
    """What is left of so many.

    >>> Left(kept=5, total=20).sparsity
    0.75
    """

    kept: int
    total: int

    @property
    def sparsity(self) -> float:
        """1 - kept / total: in [0, 1], or below 0 of a network larger than its reference."""
        return 1 - self.kept / self.total


def weights_left(
    model: nn.Module, mask: Mapping[str, Tensor] | None = None, reference: nn.Module | None = None
) -> Left:
    """Weights of all Conv and Linear layers that are left, of those that the dense network has.

    A layer without a mask keeps all its weights: over a mask of all layers the density is the mask's own. The
    zeros of the weights say nothing; the mask does.

    Args:
        reference: the dense network that ``model`` was cut from; None: ``model`` itself is as large.

    >>> import torch
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> weights_left(net, {"0.weight": torch.eye(3, 4)})
    Left(kept=9, total=18)
    >>> weights_left(net, reference=nn.Linear(6, 6))
    Left(kept=18, total=36)
    """
    flags = mask or {}
    kept = sum(int(flags[n].count_nonzero()) if n in flags else p.numel() for n, p in prunable(model).items())
    return Left(kept, sum(p.numel() for p in prunable(model if reference is None else reference).values()))


def nodes_left(model: nn.Module, mask: Mapping[str, Tensor] | None = None, reference: nn.Module | None = None) -> Left:
    """Channels and neurons that are left, of those that the dense network has (P1: node sparsity is 1 - the share).

    They are the output channels of all Conv and the output neurons of all Linear layers, the last layer's
    included. Under a mask one is left as long as one weight that enters it is; removed channels are not there.

    Args:
        reference: the dense network that ``model`` was cut from; None: ``model`` itself is as large.

    >>> import torch
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> nodes_left(net, {"0.weight": torch.tensor([[0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])})
    Left(kept=4, total=5)
    >>> nodes_left(net, reference=nn.Linear(6, 10))
    Left(kept=5, total=10)
    """
    flags = mask or {}
    kept = sum(
        int((flags[n] != 0).flatten(1).any(1).count_nonzero()) if n in flags else len(p)
        for n, p in prunable(model).items()
    )
    return Left(kept, sum(len(p) for p in prunable(model if reference is None else reference).values()))
