"""How many channels and prunable weights a choice of units leaves, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateurs.core import Group, Keep, Member, PruningError, did_you_mean

Counted = Literal["weights", "channels"]
Flags = Sequence[NDArray[np.bool_]]
"""For each group, which of its units stay."""
Sizes = NDArray[np.int64]
"""For each unit of a group, how many positions it has somewhere."""


def keep_density(keep: Keep, counted: Counted = "weights") -> float:
    """Share of the prunable weights, or of the channels, that is left after the cut, in (0, 1].

    Weights are those of all Conv and Linear layers, cut or not; one is left when the channel that it
    reads and the channel that it makes are both left. Channels are those of all layers that make
    channels of a group (node density, P1): a unit of several coupled layers counts once for each.

    Raises:
        PruningError: when ``counted`` is neither, or the groups do not know the model's weights.

    >>> import torch
    >>> from secateurs.how import channel_groups
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> keep = Keep(channel_groups(net, torch.zeros(1, 3)), {"0": torch.tensor([True, False, False, False])})
    >>> keep_density(keep), keep_density(keep, "channels")
    (0.25, 0.25)
    """
    counter = counter_of(keep.groups, counted)
    return counter.left([keep[group.name].numpy() for group in keep.groups]) / counter.total


def counter_of(groups: Sequence[Group], counted: Counted) -> Weights | Channels:
    """What counts weights or channels.

    Raises:
        PruningError: as :func:`keep_density`.
    """
    if counted == "weights":
        return Weights(groups)
    if counted == "channels":
        return Channels(groups)
    raise PruningError(f"unknown count {counted!r}{did_you_mean(counted, ('weights', 'channels'))}")


def makers(group: Group) -> list[Sizes]:
    """For each layer that makes channels of the group: how many each unit has in it."""
    layers: dict[str, Sizes] = {}
    for member in group.members:
        if member.role == "output":  # weight and bias of one layer are one
            layers.setdefault(layer_of(member.name), _sizes(member))
    return list(layers.values())


def layer_of(name: str) -> str:
    """The layer that a parameter belongs to: its module, or the parameter itself where a module has it for its own.

    >>> layer_of("conv.weight"), layer_of("conv.bias"), layer_of("lstm.weight_hh_l0"), layer_of("mlp.first")
    ('conv', 'conv', 'lstm', 'mlp.first')
    """
    module, _, attribute = name.rpartition(".")
    return module if attribute.partition("_")[0] in ("weight", "bias") else name


def _sizes(member: Member) -> Sizes:
    return np.fromiter(map(len, member.index), dtype=np.int64, count=len(member.index))


class Channels:
    """Counts channels of layers."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._per_unit: list[Sizes] = [sum(makers(group), np.zeros(group.units, dtype=np.int64)) for group in groups]
        self.total = sum(int(sizes.sum()) for sizes in self._per_unit)

    def left(self, flags: Flags) -> int:
        """Channels left."""
        return sum(int(sizes[kept].sum()) for sizes, kept in zip(self._per_unit, flags, strict=True))


class Weights:
    """Counts prunable weights: of each, the product of what is left along its dimensions."""

    def __init__(self, groups: Sequence[Group]) -> None:
        shapes = groups[0].weights if groups else {}
        if not shapes:
            raise PruningError("counted='weights': the groups do not know the model's weights: use channel_groups")
        self._shapes = shapes
        self._cuts: list[list[tuple[str, int, Sizes]]] = [
            [(member.name, member.dim, _sizes(member)) for member in group.members if member.name in shapes]
            for group in groups
        ]
        self.total = sum(math.prod(shape) for shape in shapes.values())

    def left(self, flags: Flags) -> int:
        """Weights left."""
        shapes = {name: list(shape) for name, shape in self._shapes.items()}
        for cuts, kept in zip(self._cuts, flags, strict=True):
            for name, dim, sizes in cuts:
                shapes[name][dim] -= int(sizes[~kept].sum())
        return sum(math.prod(shape) for shape in shapes.values())
