"""After pruning: what the mask saves, and at which learning rate to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from secateurs.how import Mask
from secateurs.pruner.costs import costs_of, counts


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
        multiply_adds_dense: of one example, in Linear and Conv layers; None where it was not measured.
        multiply_adds: those of the weights that are left.
    """

    weights: int
    kept: int
    density: float
    density_of_all_parameters: float
    bytes_dense: int
    bytes_csr: int
    multiply_adds_dense: int | None = None
    multiply_adds: int | None = None

    def __str__(self) -> str:
        work = work_in_words(self.multiply_adds, self.multiply_adds_dense)
        return (
            f"{self.kept} of {self.weights} prunable weights are left ({self.density:.2%}; "
            f"{self.density_of_all_parameters:.2%} of all parameters): "
            f"{self.bytes_dense:,} bytes dense, {self.bytes_csr:,} in compressed sparse rows{work}. "
            "A mask alone saves no time: dense kernels multiply the zeros as well."
        )


def work_in_words(left: int | None, dense: int | None) -> str:
    """How many of the dense network's multiply-adds are left, to be put behind something; nothing if it is not known.

    >>> work_in_words(10, 1000), work_in_words(None, None)
    ('; 10 of 1,000 multiply-adds for an example (1.00%)', '')
    """
    if left is None or not dense:
        return ""
    return f"; {left:,} of {dense:,} multiply-adds for an example ({left / dense:.2%})"


def savings(model: nn.Module, mask: Mask, times: Mapping[str, int] | None = None) -> Savings:
    """What ``mask`` saves of ``model``.

    Args:
        times: in how many multiply-adds a weight of each layer takes part
            (:func:`~secateurs.pruner.costs.multiply_adds`); None: not measured.

    >>> import torch
    >>> found = savings(nn.Linear(100, 10), Mask({"weight": torch.eye(10, 100)}), {"weight": 1})
    >>> found.kept, round(found.density_of_all_parameters, 4), found.bytes_dense, found.bytes_csr, found.multiply_adds
    (10, 0.0198, 4040, 164, 10)
    """
    every = sum(p.numel() for p in model.parameters())
    kept = counts(mask)
    stored, work = costs_of(model, [*mask], times)
    known = work is not None and all(work.each.values())
    return Savings(
        mask.total,
        mask.kept,
        mask.density,
        (every - mask.total + mask.kept) / every,
        stored.dense,
        stored.under(kept),
        work.dense if known and work is not None else None,
        work.under(kept) if known and work is not None else None,
    )


def learning_rate_after(lr: float, floor: float = 0.001) -> float:
    """The highest learning rate to train on with after pruning where the rate is ``lr``: max(floor, lr) (P0 section 3).

    Pruning leaves the learning rate alone: the schedule is the loop's. P0 goes on with the same
    family of schedules over the epochs that are left, from this rate; Lambda, the ``floor``, is
    0.001. It matters when pruning comes so late that the rate is too low to recover.

    >>> learning_rate_after(0.05), learning_rate_after(1e-5)
    (0.05, 0.001)
    """
    return max(floor, lr)
