"""Gates: c = 1 multiplies a channel, and its derivatives say what the channel is worth.

A gate c_j multiplies unit j of a layer's output after the bias, before norm and activation. A gated layer
is the layer with weights c_j theta and bias c_j b, and these enter the loss in no other way, so that
derivatives with respect to gates follow from those with respect to weights:

* dL/dc_j = sum theta g + b g_b over what makes unit j;
* d/dc_j <stopgrad(g), g> = sum theta (Hg) + b (Hg)_b + sum g^2, the last over entries of g that
  belong to the unit: they are c_j times the gradient at the gated weights;
* (H_cc v)_j = sum theta (Hd) + b (Hd)_b in the direction d = theta v, b v.

Or gates are really put in (:mod:`secateurs.what.channels.live`), for less memory.

All are taken in evaluation mode: a norm with the batch's own statistics undoes a gate before it, whose
gradient is then zero. Where layers are coupled (residual adds) their scores are summed over the
group by default, ``absolute="inside"``; with ``"outside"`` they share one gate, the derivative with
respect to which is the sum of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import PruningError
from secateurs.what.channels.common import ChannelScores, names_of
from secateurs.what.channels.parts import Coupled, Part
from secateurs.what.channels.reduction import GateAbsolute, Reduce, combine, unit_sums
from secateurs.what.loss import MeanLoss

Layers = dict[str, list[list[Part]]]
"""Group -> what makes its channels, by layer."""

Rows = dict[str, Tensor]
"""Group -> one number for each unit in each of its layers, ``[layers, units]`` on the CPU."""

Product = Callable[[str], Tensor]
"""Parameter's name -> what is summed over the entries of a unit, of the parameter's shape."""


def gated(coupled: Iterable[Coupled], called: str) -> Layers:
    """Group -> weights and biases of the layers that make its channels, by layer.

    Raises:
        PruningError: for a group that no layer makes.
    """
    found = {group.name: group.layers(lambda part: part.role == "output") for group in coupled}
    for name, layers in found.items():
        if not layers:
            raise PruningError(f"{called}: no layer with parameters makes group {name!r}: leave it out")
    return found


def leaves_of(model: nn.Module, layers: Layers, over: Iterable[str] = ()) -> dict[int, str]:
    """Parameter's id -> name, of those that ``over`` names, then of those of the layers; each once."""
    return names_of(model, over, (part for group in layers.values() for layer in group for part in layer))


def scores_of(
    coupled: Sequence[Coupled],
    layers: Layers,
    rows: Rows,
    reduce: Reduce,
    absolute: GateAbsolute,
) -> ChannelScores:
    """Coupled layers reduced to one number a unit, over those that have the unit."""
    found: ChannelScores = {}
    for group in coupled:
        there = [torch.stack([part.present(group.units) for part in layer]).any(0) for layer in layers[group.name]]
        found[group.name] = combine(rows[group.name], torch.stack(there), reduce, absolute)
    return found


def sums(coupled: Iterable[Coupled], layers: Layers, leaves: Mapping[int, str], product: Product) -> Rows:
    """Sums of products over each layer's unit."""
    found: Rows = {}
    for group in coupled:
        rows = []
        for layer in layers[group.name]:
            each = [unit_sums(part, product(leaves[id(part.parameter)]), group.units) for part in layer]
            rows.append(torch.stack(each).sum(0))
        found[group.name] = torch.stack(rows)
    return found


def first_order(loss: MeanLoss) -> Product:
    """theta g."""
    g = loss.gradient()
    return times(loss.theta, g)


def times(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Product:
    """Entry by entry, for one parameter at a time: as many products as weights are never in memory."""
    return lambda name: one[name] * other[name]
