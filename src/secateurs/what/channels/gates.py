"""Gates by the gradient of the loss: SNAP and Gate Decorators. See :mod:`secateurs.what.channels.gated`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, PruningError, Task
from secateurs.what.channels.common import ChannelScores, check_channel_values
from secateurs.what.channels.gated import first_order, gated, leaves_of, scores_of, sums
from secateurs.what.channels.live import GateLoss
from secateurs.what.channels.parts import coupled_of
from secateurs.what.channels.reduction import GateAbsolute, Reduce
from secateurs.what.loss import MeanLoss


def snap(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    reduce: Reduce = "sum",
    absolute: GateAbsolute = "inside",
    micro_batch: int | None = None,
) -> ChannelScores:
    """``|dL/dc|`` (SNAP, Verdenius et al. 2020, with which P1 compares): the loss without the channel, to first order.

    Args:
        reduce: over the layers that are coupled.
        absolute: ``"inside"``: each layer's score is taken and these are reduced; ``"outside"``: the
            coupled layers share one gate.
        micro_batch: examples per pass, which bounds memory.

    Raises:
        PruningError: without task, data or groups; for groups that do not fit the model; or as
            :class:`~secateurs.what.MeanLoss` says.

    >>> from secateurs.core import Member
    >>> from secateurs.zoo import Classification
    >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, 3.0], [2.0, -2.0]]))
    >>> _ = net[1].weight.data.copy_(torch.eye(2))
    >>> made_by = Member("0.weight", 0, ((0,), (1,)), "output")
    >>> read_by = Member("1.weight", 1, ((0,), (1,)), "input")
    >>> batch = Batch(torch.tensor([[1.0, 1.0]]), torch.tensor([0]))
    >>> snap(net, Classification(2), [batch], [Group("0", 2, (made_by, read_by))])
    {'0': tensor([0.0719, 0.0000])}
    """
    del generator
    check_channel_values("snap", reduce=reduce, absolute=absolute, absolutes=get_args(GateAbsolute))
    coupled = coupled_of(model, groups, "snap")
    layers = gated(coupled, "snap")
    leaves = leaves_of(model, layers)
    loss = MeanLoss(model, task, batches, [*leaves.values()], mask=mask, micro_batch=micro_batch, called="snap")
    rows = GateLoss(loss, coupled, layers, leaves).slopes()
    if rows is None:
        rows = sums(coupled, layers, leaves, first_order(loss))
    return scores_of(coupled, layers, rows, reduce, absolute)


def gate_decorators(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    reduce: Reduce = "sum",
    absolute: GateAbsolute = "inside",
    micro_batch: int | None = None,
) -> ChannelScores:
    """``|phi dL/dphi|`` with the gate after the norm (Gate Decorators, You et al. 2019, with which P1 compares).

    It is ``|gamma g_gamma + beta g_beta|``, whether phi starts at 1 or, as its authors have it, takes the
    place of gamma. Norms are those of channels: batch, group and instance norms. In a group without
    any the gate is where :func:`snap` has it.

    Args:
        reduce: see :func:`snap`; so are ``absolute``, ``micro_batch`` and the errors.
        absolute: see :func:`snap`.
        micro_batch: examples per pass, which bounds memory.

    Raises:
        PruningError: also for a group of which a norm has no scale.
    """
    del generator
    called = "gate_decorators"
    check_channel_values(called, reduce=reduce, absolute=absolute, absolutes=get_args(GateAbsolute))
    coupled = coupled_of(model, groups, called)
    for group in coupled:
        if group.bare_norms:
            raise PruningError(
                f"{called}: {group.bare_norms[0]!r} of group {group.name!r} is a norm without scale and shift, which "
                "this gate is told by: give it some (affine=True), or score with snap"
            )
    layers = {
        group.name: group.layers(lambda part: part.of_channel_norm) or gated([group], called)[group.name]
        for group in coupled
    }
    leaves = leaves_of(model, layers)
    loss = MeanLoss(model, task, batches, [*leaves.values()], mask=mask, micro_batch=micro_batch, called=called)
    rows = sums(coupled, layers, leaves, first_order(loss))
    return scores_of(coupled, layers, rows, reduce, absolute)
