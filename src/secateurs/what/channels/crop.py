"""Gates by gradient flow: CroP-S, as it was run and as it was printed. See :mod:`secateurs.what.channels.gated`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, Task
from secateurs.what.channels.common import ChannelScores, Within, check_channel_values
from secateurs.what.channels.gated import gated, layer_sums, leaves_of, scores_of, times
from secateurs.what.channels.parts import coupled_of
from secateurs.what.channels.reduction import GateAbsolute, Reduce
from secateurs.what.loss import MeanLoss
from secateurs.what.weights import weights_of


def crop_gate(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    names: Sequence[str] | None = None,
    reduce: Reduce = "sum",
    absolute: GateAbsolute = "inside",
    micro_batch: int | None = None,
) -> ChannelScores:
    """``|d/dc <stopgrad(g), g>|`` (CroP-S, as P1's authors ran it): what scaling the channel does to gradient flow.

    P1 eq. 6 says another thing, see :func:`crop_gate_eq6`. Without a mask it is, unit by unit,
    ``|sum theta (Hg) + sum g^2 + b d/db <stopgrad(g), g>|``, sums over the unit's weights; where g
    is over biases, too (``names``), g_b^2 is added.

    Args:
        names: parameters that g is over; by default all prunable weights.
        reduce: see :func:`snap`; so are ``absolute``, ``micro_batch`` and the errors.
        absolute: see :func:`snap`.
        micro_batch: examples per pass, which bounds memory.

    Raises:
        PruningError: also for a model that cannot be differentiated twice.
    """
    del generator
    check_channel_values("crop_gate", reduce=reduce, absolute=absolute, absolutes=get_args(GateAbsolute))
    coupled = coupled_of(model, groups, "crop_gate")
    layers = gated(coupled, "crop_gate")
    over = weights_of(model, names)
    leaves = leaves_of(model, layers, over)
    names = [*leaves.values()]
    loss = MeanLoss(model, task, batches, names, mask=mask, micro_batch=micro_batch, called="crop_gate")
    if len(names) == len(over):  # without biases one graph serves for both
        g, hg = loss.gradient_and_product()
    else:
        g = {name: each if name in over else torch.zeros_like(each) for name, each in loss.gradient().items()}
        hg = loss.product(g)
    theta = loss.weights

    def product(name: str) -> Tensor:
        return torch.addcmul(g[name].square(), theta[name], hg[name])

    return scores_of(coupled, layers, leaves, product, reduce, absolute)


def crop_gate_eq6(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    hessian: Within = "network",
    absolute: GateAbsolute = "inside",
    micro_batch: int | None = None,
) -> ChannelScores:
    """``|H_cc g_c|``, Hessian and gradient with respect to gates alone: P1 eq. 6 by the letter, see :func:`crop_gate`.

    Args:
        hessian: ``"network"``: c are all gates. ``"group"``: c are those of one group at a time, as the
            index l of eq. 6 says, where a group is a layer; one Hessian product for each group.
        absolute: see :func:`snap`; so are ``micro_batch`` and the errors.
        micro_batch: examples per pass, which bounds memory.

    Raises:
        PruningError: also for a model that cannot be differentiated twice.
    """
    del generator
    called = "crop_gate_eq6"
    check_channel_values(called, absolute=absolute, hessian=hessian, absolutes=get_args(GateAbsolute))
    coupled = coupled_of(model, groups, called)
    layers = gated(coupled, called)
    leaves = leaves_of(model, layers)
    loss = MeanLoss(model, task, batches, [*leaves.values()], mask=mask, micro_batch=micro_batch, called=called)
    theta = loss.weights
    first = times(theta, loss.gradient())
    found: ChannelScores = {}
    for together in [coupled] if hessian == "network" else [[group] for group in coupled]:
        direction = {name: torch.zeros_like(each) for name, each in theta.items()}
        for group in together:
            slopes, _ = layer_sums(layers[group.name], leaves, first, group.units)
            if absolute == "outside":
                slopes = slopes.sum(0).expand_as(slopes)
            for slope, layer in zip(slopes, layers[group.name], strict=True):
                for part in layer:
                    name = leaves[id(part.parameter)]
                    direction[name].addcmul_(theta[name], part.spread(slope))
        found |= scores_of(together, layers, leaves, times(theta, loss.product(direction)), "sum", absolute)
    return found
