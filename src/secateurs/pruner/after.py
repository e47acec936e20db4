"""After pruning: what the mask saves, and at which learning rate to go on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from secateurs.how import Mask
from secateurs.pruner.wrappers import laid_on

_INDEX = 4  # bytes of an int32 index


@dataclass(frozen=True)
class Savings:
    """What a mask saves, and what not.

    Attributes:
        weights: prunable weights before pruning.
        kept: prunable weights that are left.
        density: kept / weights.
        density_of_all_parameters: the same over all parameters, biases and norms included.
        bytes_dense: what all parameters take as they are.
        bytes_csr: the same with every masked layer in compressed sparse rows with 32-bit indices.
    """

    weights: int
    kept: int
    density: float
    density_of_all_parameters: float
    bytes_dense: int
    bytes_csr: int

    def __str__(self) -> str:
        return (
            f"{self.kept} of {self.weights} prunable weights are left ({self.density:.2%}; "
            f"{self.density_of_all_parameters:.2%} of all parameters): "
            f"{self.bytes_dense:,} bytes dense, {self.bytes_csr:,} in compressed sparse rows. "
            "A mask alone saves no time: dense kernels multiply the zeros as well."
        )


def savings(model: nn.Module, mask: Mask) -> Savings:
    """What ``mask`` saves of ``model``.

    >>> import torch
    >>> found = savings(nn.Linear(100, 10), Mask({"weight": torch.eye(10, 100)}))
    >>> found.kept, round(found.density_of_all_parameters, 4), found.bytes_dense, found.bytes_csr
    (10, 0.0198, 4040, 164)
    """
    every = sum(p.numel() for p in model.parameters())
    dense = sum(p.numel() * p.element_size() for p in model.parameters())
    sparse = dense
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, kept in laid_on(model, mask).items():
        p, rows = parameters[name], len(kept)
        sparse -= p.numel() * p.element_size()
        sparse += int(kept.sum()) * (p.element_size() + _INDEX) + (rows + 1) * _INDEX
    return Savings(mask.total, mask.kept, mask.density, (every - mask.total + mask.kept) / every, dense, sparse)


def learning_rate_after(lr: float, floor: float = 0.001) -> float:
    """The highest learning rate to train on with after pruning where the rate is ``lr``: max(floor, lr) (P0 section 3).

    Pruning leaves the learning rate alone: the schedule is the loop's. P0 goes on with the same
    family of schedules over the epochs that are left, from this rate; Lambda, the ``floor``, is
    0.001. It matters when pruning comes so late that the rate is too low to recover.

    >>> learning_rate_after(0.05), learning_rate_after(1e-5)
    (0.05, 0.001)
    """
    return max(floor, lr)
