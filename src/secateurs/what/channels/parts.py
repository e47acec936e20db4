"""Groups met with a model: which entries of which parameter belong to which unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from secateurs.core import Group, Member, PruningError, did_you_mean

ChannelNorm = (_NormBase, nn.GroupNorm)
"""Norms with one scale for each channel that they leave a channel of its own: batch, instance and group norms."""


@dataclass(frozen=True)
class Part:
    """A parameter's share in a group: ``positions[i]`` along ``dim`` belongs to unit ``units[i]``."""

    name: str
    parameter: nn.Parameter
    layer: str
    module: nn.Module
    role: str
    dim: int
    positions: Tensor = field(repr=False)
    units: Tensor = field(repr=False)

    @property
    def is_weight(self) -> bool:
        """Whether it is a weight that makes the channel, not a bias."""
        return self.role == "output" and self.parameter.ndim > 1

    @property
    def attribute(self) -> str:
        """What the layer calls it: "weight", "bias"."""
        return self.name.rpartition(".")[2]

    @property
    def of_conv(self) -> bool:
        return isinstance(self.module, _ConvNd)

    @property
    def of_depthwise(self) -> bool:
        return isinstance(self.module, _ConvNd) and self.module.groups == self.module.in_channels > 1

    @property
    def of_channel_norm(self) -> bool:
        return self.role == "norm" and isinstance(self.module, ChannelNorm)

    def present(self, count: int) -> Tensor:
        """Which of ``count`` units have a place here, bool ``[count]``."""
        return torch.zeros(count, dtype=torch.bool).index_fill(0, self.units, True)

    def spread(self, values: Tensor) -> Tensor:
        """One value a unit, laid along the parameter's dimension and 0 elsewhere; it broadcasts over the parameter."""
        p = self.parameter
        along = torch.zeros(p.shape[self.dim], dtype=p.dtype)
        along[self.positions] = values[self.units].to(p.dtype)
        return along.view([-1 if d == self.dim else 1 for d in range(p.ndim)]).to(p.device)


@dataclass(frozen=True)
class Coupled:
    """A group whose members have been found in the model: channels that go together."""

    name: str
    units: int
    parts: tuple[Part, ...]
    bare_norms: tuple[str, ...]
    """Channel norms without a scale, of which a group knows the buffers only."""

    def layers(self, choose: Callable[[Part], bool]) -> list[list[Part]]:
        """The parts that are chosen, by layer."""
        found: dict[str, list[Part]] = {}
        for part in self.parts:
            if choose(part):
                found.setdefault(part.layer, []).append(part)
        return list(found.values())


def coupled_of(model: nn.Module, groups: Iterable[Group], called: str) -> list[Coupled]:
    """The groups with their parameters.

    Raises:
        PruningError: without groups, for two of one name, or for one that does not fit the model.
    """
    # One parameter may have several names, and all of them are known.
    parameters = dict(model.named_parameters(remove_duplicate=False))
    modules = dict(model.named_modules(remove_duplicate=False))
    found: dict[str, Coupled] = {}
    for group in groups:
        if group.name in found:
            raise PruningError(f"{called}: two groups are named {group.name!r}: a score goes by the group's name")
        found[group.name] = _coupled(group, parameters, modules, called)
    if not found:
        raise PruningError(
            f"{called}: no groups of channels to score: pass those of how.channel_groups(model, example)"
        )
    return list(found.values())


def _coupled(group: Group, parameters: dict[str, nn.Parameter], modules: dict[str, nn.Module], called: str) -> Coupled:
    parts: list[Part] = []
    bare: list[str] = []
    for member in group.members:
        at = f"{called}: group {group.name!r}: {member.name!r}"
        layer = member.name.rpartition(".")[0]
        if member.role == "buffer":
            module = modules.get(layer)
            if isinstance(module, ChannelNorm) and getattr(module, "weight", None) is None and layer not in bare:
                bare.append(layer)
            continue
        if member.name not in parameters:
            raise PruningError(f"{at} is no parameter of the model{did_you_mean(member.name, parameters)}")
        parts.append(_part(member, group.units, layer, modules[layer], parameters[member.name], at))
    return Coupled(group.name, group.units, tuple(parts), tuple(bare))


def _part(member: Member, count: int, layer: str, module: nn.Module, p: nn.Parameter, at: str) -> Part:
    if not 0 <= member.dim < p.ndim or len(member.index) != count:
        raise PruningError(
            f"{at} has {len(member.index)} units along dimension {member.dim}, but the group has {count} units and the "
            f"parameter shape {tuple(p.shape)}: trace the groups anew from the model as it is now"
        )
    positions = torch.tensor(_flat(member.index), dtype=torch.long)
    units = torch.tensor([unit for unit, at in enumerate(member.index) for _ in at], dtype=torch.long)
    size = p.shape[member.dim]
    if len(positions) and not 0 <= int(positions.min()) <= int(positions.max()) < size:
        raise PruningError(
            f"{at}: positions up to {int(positions.max())} of dimension {member.dim}, which has {size}: "
            "trace the groups anew from the model as it is now"
        )
    return Part(member.name, p, layer, module, member.role, member.dim, positions, units)


def _flat(index: Sequence[Sequence[int]]) -> list[int]:
    return [position for positions in index for position in positions]
