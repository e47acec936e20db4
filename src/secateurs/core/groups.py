"""Channels that can only go together: groups of them, and which of their units are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from secateurs.core.errors import PruningError, did_you_mean

Role = Literal["output", "input", "norm", "buffer"]

Index = tuple[tuple[int, ...], ...]
"""Unit -> its positions along a dimension: none, one, or several (a channel flattened into a Linear layer)."""


@dataclass(frozen=True)
class Member:
    """One dimension of one tensor of the model that is cut when units of a group are.

    Attributes:
        name: parameter or buffer, ``"blocks.0.conv1.weight"``.
        dim: the dimension along which units lie.
        index: unit -> positions along ``dim``. A unit may have none here: zero-padded shortcuts couple
            the channels of a wide layer with the fewer ones of a narrow layer.
        role: "output" are weight and bias of the layer that makes the channel, "norm" scale and shift of
            a normalisation, "buffer" its running statistics, "input" weights that read the channel.
    """

    name: str
    dim: int
    index: Index
    role: Role


@dataclass(frozen=True)
class Padding:
    """Zero channels that a padding module puts before and after those it gets, as far as they are a group's units."""

    name: str
    before: Index
    after: Index


@dataclass(frozen=True)
class Group:
    """Channels that go together or stay together, unit by unit: one unit is one index in all coupled layers.

    Attributes:
        name: module name of the first layer, in order of execution, whose output channels they are.
        units: how many units.
        members: the tensors that have entries for them.
        paddings: the zero-padding modules that have channels for them.
        weights: shapes of all prunable weights of the model, by parameter name; the same for all its groups.
    """

    name: str
    units: int
    members: tuple[Member, ...]
    paddings: tuple[Padding, ...] = ()
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)


class Keep(Mapping[str, Tensor]):
    """Which units of each group are kept: group name -> bool [units], True = kept. Immutable, on the CPU.

    It carries its groups, so that a cut needs the model and the ``Keep`` alone. A group without an entry
    is kept whole.

    Raises:
        PruningError: when a name is no group's, or a tensor is not bool of shape [units].

    >>> group = Group("fc1", 3, (Member("fc1.weight", 0, ((0,), (1,), (2,)), "output"),))
    >>> keep = Keep([group], {"fc1": torch.tensor([True, False, True])})
    >>> keep["fc1"].tolist(), keep.removed
    ([True, False, True], 1)
    >>> Keep([group], {"fc2": torch.ones(3, dtype=torch.bool)})
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: keep: there is no group 'fc2'; choices: fc1; did you mean 'fc1'?
    """

    def __init__(self, groups: Sequence[Group], kept: Mapping[str, Tensor]) -> None:
        units = {group.name: group.units for group in groups}
        if len(units) != len(groups):
            raise PruningError("keep: two groups have one name: are they of two models?")
        for name, flags in kept.items():
            if name not in units:
                raise PruningError(f"keep: there is no group {name!r}{did_you_mean(name, units)}")
            if flags.dtype != torch.bool or flags.shape != (units[name],):
                raise PruningError(
                    f"keep: group {name!r} needs bools of shape [{units[name]}], got {flags.dtype} of shape "
                    f"{list(flags.shape)}"
                )
        self._groups = tuple(groups)
        self._kept = {
            name: kept[name].detach().to("cpu", copy=True) if name in kept else torch.ones(number, dtype=torch.bool)
            for name, number in units.items()
        }

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that the names mean."""
        return self._groups

    @property
    def removed(self) -> int:
        """How many units go, over all groups."""
        return sum(int((~flags).sum()) for flags in self._kept.values())

    def __getitem__(self, name: str) -> Tensor:
        return self._kept[name].clone()

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Keep):
            return NotImplemented
        return self._groups == other._groups and all(torch.equal(t, other._kept[n]) for n, t in self._kept.items())

    def __hash__(self) -> int:
        return hash((tuple(self._kept), self.removed))

    def __repr__(self) -> str:
        widths = ", ".join(f"{name}: {int(flags.sum())} of {len(flags)}" for name, flags in self._kept.items())
        return f"Keep({widths})"
