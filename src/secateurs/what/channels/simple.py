"""Channel scores that look at no examples: chance, none at all, scales of norms, norms of filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, PruningError, Task
from secateurs.what.channels.common import ChannelScores, check_channel_values, counting
from secateurs.what.channels.parts import Part, coupled_of
from secateurs.what.channels.reduction import Reduce, combine, unit_sums
from secateurs.what.passes import wide
from secateurs.what.scores.common import explicit
from secateurs.what.weights import kept_by, zeroed


def random(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> ChannelScores:
    """U(0, 1) for each unit, drawn in the order of the groups: the baseline.

    Ranked globally it is P1's and P3's random pruning; with the same share in every layer it is P3's
    uniform pruning, which removes as much of each layer, at random (P3 appendix E).

    Raises:
        PruningError: without a CPU ``generator`` or groups; for groups that do not fit the model.
    """
    del task, batches, mask
    source = explicit(generator, "random")
    return {group.name: torch.rand(group.units, generator=source) for group in coupled_of(model, groups, "random")}


def uniform(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> ChannelScores:
    """1 for each unit: all are worth the same, and where ties are broken by position the first are kept.

    With the same share in every layer, a narrower network of the same shape. In an untrained network
    positions mean nothing; in a trained one, P3's uniform pruning is :func:`random`, layer by layer.

    Raises:
        PruningError: without groups; for groups that do not fit the model.
    """
    del task, batches, mask, generator
    return {group.name: torch.ones(group.units) for group in coupled_of(model, groups, "uniform")}


def bn_scale(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    reduce: Reduce = "sum",
) -> ChannelScores:
    """``|gamma|`` of the norm that follows (network slimming, Liu et al. 2017; Early-Bird, You et al. 2020).

    Norms are those of channels: batch, group and instance norms.

    Args:
        reduce: over the norms of coupled layers.

    Raises:
        PruningError: without groups; for groups that do not fit the model, or have no such norm with a scale.
    """
    del task, batches, generator
    check_channel_values("bn_scale", reduce=reduce)
    coupled = coupled_of(model, groups, "bn_scale")
    kept = kept_by(mask, model, "bn_scale")
    found: ChannelScores = {}
    for group in coupled:
        scales = [part for part in group.parts if part.of_channel_norm and part.attribute == "weight"]
        if not scales:
            raise PruningError(
                f"bn_scale: group {group.name!r} has no batch norm with a scale: leave the group out, "
                "or score with filter_norm"
            )
        rows = [unit_sums(part, zeroed(part.parameter, kept).abs(), group.units) for part in scales]
        there = [part.present(group.units) for part in scales]
        found[group.name] = combine(torch.stack(rows), torch.stack(there), reduce)
    return found


def filter_norm(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    order: Literal[1, 2] = 2,
    reduce: Reduce = "sum",
    convs_only: bool = False,
    depthwise: bool = True,
) -> ChannelScores:
    """L1 or L2 norm of each filter's weights.

    P3 ranks L2 norms globally; EfficientConvNets (Li et al. 2017, as P1 compares with it) ranks L1 norms
    within each layer, of which all lose the same share.

    Args:
        order: 1 or 2.
        reduce: over the filters of coupled layers. (The norm of all their weights together, as if they
            were one filter, is ``magnitude`` with ``reduce="norm"``.)
        convs_only: convolutions alone count.
        depthwise: False leaves depthwise convolutions out, which then only follow the layer before them.

    Raises:
        PruningError: without groups; for groups that do not fit the model, or have no filter that counts.

    >>> from secateurs.core import Member
    >>> net = nn.Linear(2, 2)
    >>> _ = net.weight.data.copy_(torch.tensor([[3.0, -4.0], [0.0, 1.0]]))
    >>> groups = [Group("fc", 2, (Member("weight", 0, ((0,), (1,)), "output"),))]
    >>> filter_norm(net, groups=groups), filter_norm(net, groups=groups, order=1)
    ({'fc': tensor([5., 1.])}, {'fc': tensor([7., 1.])})
    """
    del task, batches, generator
    check_channel_values("filter_norm", reduce=reduce, order=order, convs_only=convs_only, depthwise=depthwise)
    coupled = coupled_of(model, groups, "filter_norm")
    layers = counting(coupled, "filter_norm", convs_only=convs_only, depthwise=depthwise)
    kept = kept_by(mask, model, "filter_norm")

    def norms(layer: list[Part], units: int) -> Tensor:
        powers = [zeroed(part.parameter, kept).to(wide(part.parameter)).abs() ** order for part in layer]
        each = [unit_sums(part, power, units) for part, power in zip(layer, powers, strict=True)]
        return torch.stack(each).sum(0) ** (1 / order)

    found: ChannelScores = {}
    for group in coupled:
        rows = [norms(layer, group.units) for layer in layers[group.name]]
        there = [torch.stack([part.present(group.units) for part in layer]).any(0) for layer in layers[group.name]]
        found[group.name] = combine(torch.stack(rows), torch.stack(there), reduce)
    return found
