"""What a network without some of its channels really saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from secateurs.core import Keep
from secateurs.how import remove_channels
from secateurs.measure.costs import without_values
from secateurs.pruner.after import work_in_words
from secateurs.pruner.wrappers import plain


@dataclass(frozen=True)
class ChannelSavings:
    """What the removal of channels saves: memory, work, and so time, of training as of use.

    Attributes:
        weights: prunable weights before pruning.
        kept: prunable weights that are left.
        density: kept / weights.
        parameters_dense: all parameters before pruning, biases and norms included.
        parameters: those that are left.
        bytes_dense: what all parameters took.
        bytes: what they take. Gradients and the optimiser's moments shrink alike.
        channels_dense: channels that could be removed; coupled ones count once.
        channels: those that are left.
        multiply_adds_dense: of one example, in Linear and Conv layers; None where it was not measured.
        multiply_adds: those of the network that is left.
    """

    weights: int
    kept: int
    density: float
    parameters_dense: int
    parameters: int
    bytes_dense: int
    bytes: int
    channels_dense: int
    channels: int
    multiply_adds_dense: int | None = None
    multiply_adds: int | None = None

    @property
    def density_of_all_parameters(self) -> float:
        """parameters / parameters_dense."""
        return self.parameters / self.parameters_dense

    def __str__(self) -> str:
        work = work_in_words(self.multiply_adds, self.multiply_adds_dense)
        return (
            f"{self.channels} of {self.channels_dense} channels and {self.kept} of {self.weights} prunable weights are "
            f"left ({self.density:.2%}; {self.density_of_all_parameters:.2%} of all parameters): {self.bytes:,} of "
            f"{self.bytes_dense:,} bytes{work}. The rest is gone for good: each further step of training computes and "
            "stores only what is left."
        )


def channel_savings(model: nn.Module, keep: Keep, times: Mapping[str, int] | None = None) -> ChannelSavings:
    """What ``keep`` saves of the dense ``model``; nothing is computed but shapes.

    Args:
        times: in how many multiply-adds a weight of each layer takes part, by plain names
            (:func:`~secateurs.pruner.costs.multiply_adds`); None: not measured.

    >>> from secateurs.how import channel_groups
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> keep = Keep(channel_groups(net, torch.zeros(1, 3)), {"0": torch.tensor([True, False, False, True])})
    >>> found = channel_savings(net, keep, {"0.weight": 1, "2.weight": 1})
    >>> found.channels, found.kept, found.parameters, found.bytes, found.multiply_adds
    (2, 10, 14, 56, 10)
    """
    prunable = keep.groups[0].weights
    dense = dict(model.named_parameters())
    left = dict(remove_channels(without_values(model), keep).named_parameters())
    weights, kept = sum(map(prod, prunable.values())), sum(left[name].numel() for name in prunable)
    cut = {member.name for group in keep.groups for member in group.members} & prunable.keys()
    known = times is not None and all(times.get(plain(name)) for name in cut)
    return ChannelSavings(
        weights,
        kept,
        kept / weights,
        _numbers(dense),
        _numbers(left),
        sum(p.numel() * p.element_size() for p in dense.values()),
        sum(p.numel() * p.element_size() for p in left.values()),
        sum(len(flags) for flags in keep.values()),
        sum(int(flags.sum()) for flags in keep.values()),
        _work(dense, times) if known and times is not None else None,
        _work(left, times) if known and times is not None else None,
    )


def _numbers(parameters: Mapping[str, torch.Tensor]) -> int:
    return sum(p.numel() for p in parameters.values())


def _work(parameters: Mapping[str, torch.Tensor], times: Mapping[str, int]) -> int:
    return sum(p.numel() * times.get(plain(name), 0) for name, p in parameters.items())
