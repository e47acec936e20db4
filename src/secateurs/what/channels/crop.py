"""Gates by gradient flow: CroP-S, as it was run and as it was printed. See :mod:`secateurs.what.channels.gated`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, Task
from secateurs.what.channels.common import ChannelScores, Within, check_channel_values
from secateurs.what.channels.gated import Layers, Rows, first_order, gated, leaves_of, scores_of, sums, times
from secateurs.what.channels.live import GateLoss
from secateurs.what.channels.parts import Coupled, coupled_of
from secateurs.what.channels.reduction import GateAbsolute, Reduce
from secateurs.what.loss import MeanLoss, Weights
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
        micro_batch: examples per pass. With it, or with several batches, it takes the memory of one gradient and of
            one pass's activations with their derivatives, where the model's operations have these in forward
            mode. Without, some 3 times the weights, and up to a quarter less time.

    Raises:
        PruningError: also for a model that cannot be differentiated twice.
    """
    del generator
    check_channel_values("crop_gate", reduce=reduce, absolute=absolute, absolutes=get_args(GateAbsolute))
    coupled = coupled_of(model, groups, "crop_gate")
    layers = gated(coupled, "crop_gate")
    over = weights_of(model, names)
    leaves = leaves_of(model, layers, over)
    loss = MeanLoss(model, task, batches, [*leaves.values()], mask=mask, micro_batch=micro_batch, called="crop_gate")
    rows, g = None, None
    if micro_batch is not None or loss.passes > 1:  # else the whole graph at once takes less time, and more memory
        g = loss.gradient(only=over)
        rows = GateLoss(loss, coupled, layers, leaves).slopes_along(g)
    if rows is None:
        rows = _by_weights(loss, coupled, layers, leaves, over, g)
    return scores_of(coupled, layers, rows, reduce, absolute)


def _by_weights(
    loss: MeanLoss,
    coupled: Sequence[Coupled],
    layers: Layers,
    leaves: Mapping[int, str],
    over: Collection[str],
    g: Weights | None,
) -> Rows:
    """theta (Hg) + g^2, summed; g is computed where it is not there yet."""
    names = loss.theta
    if g is None and len(names) == len(over):  # without biases one graph serves for both
        g, hg = loss.gradient_and_product()
    else:
        found = loss.gradient(only=over) if g is None else g
        g = {name: found[name] if name in found else torch.zeros_like(each) for name, each in names.items()}
        hg = loss.product(g)
    theta = loss.theta
    return sums(coupled, layers, leaves, lambda name: torch.addcmul(g[name].square(), theta[name], hg[name]))


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
    gates = GateLoss(loss, coupled, layers, leaves)
    slopes = gates.slopes()
    if slopes is None:
        slopes = sums(coupled, layers, leaves, first_order(loss))
    if absolute == "outside":
        slopes = {name: rows.sum(0).expand_as(rows) for name, rows in slopes.items()}
    found: ChannelScores = {}
    for together in [coupled] if hessian == "network" else [[group] for group in coupled]:
        direction = {group.name: slopes[group.name] for group in together}
        rows = gates.product(direction)
        if rows is None:
            rows = _product_by_weights(loss, together, layers, leaves, direction)
        found |= scores_of(together, layers, rows, "sum", absolute)
    return found


def _product_by_weights(
    loss: MeanLoss, together: Sequence[Coupled], layers: Layers, leaves: Mapping[int, str], gates: Rows
) -> Rows:
    theta = loss.theta
    direction = {name: torch.zeros_like(each) for name, each in theta.items()}
    for group in together:
        for row, layer in zip(gates[group.name], layers[group.name], strict=True):
            for part in layer:
                name = leaves[id(part.parameter)]
                direction[name].addcmul_(theta[name], part.spread(row))
    return sums(together, layers, leaves, times(theta, loss.product(direction)))
