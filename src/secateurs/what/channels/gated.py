"""Gates: c = 1 multiplies a channel, and its derivatives say what the channel is worth.

A gate c_j multiplies unit j of a layer's output after the bias, before norm and activation. No gate
is ever put in: a gated layer is the layer with weights c_j theta and bias c_j b, and these enter the
loss in no other way, so that derivatives with respect to gates follow from those with respect to
weights (gated models with autograd are the tests' oracle):

* dL/dc_j = sum theta g + b g_b over what makes unit j;
* d/dc_j <stopgrad(g), g> = sum theta (Hg) + b (Hg)_b + sum g^2, the last over entries of g that
  belong to the unit: they are c_j times the gradient at the gated weights;
* (H_cc v)_j = sum theta (Hd) + b (Hd)_b in the direction d = theta v, b v.

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

Layers = dict[str, list[list[Part]]]
"""Group -> what makes its channels, by layer."""

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
    leaves: Mapping[int, str],
    product: Product,
    reduce: Reduce,
    absolute: GateAbsolute,
) -> ChannelScores:
    """Sums of products over each unit, coupled layers reduced to one."""
    found: ChannelScores = {}
    for group in coupled:
        rows, present = layer_sums(layers[group.name], leaves, product, group.units)
        found[group.name] = combine(rows, present, reduce, absolute)
    return found


def layer_sums(
    layers: Sequence[Sequence[Part]], leaves: Mapping[int, str], product: Product, units: int
) -> tuple[Tensor, Tensor]:
    """Sums over each layer's unit, ``[layers, units]``, and whether the layer has such a unit."""
    rows, present = [], []
    for layer in layers:
        sums = [unit_sums(part, product(leaves[id(part.parameter)]), units) for part in layer]
        rows.append(torch.stack(sums).sum(0))
        present.append(torch.stack([part.present(units) for part in layer]).any(0))
    return torch.stack(rows), torch.stack(present)


def times(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Product:
    """Entry by entry, for one parameter at a time: as many products as weights are never in memory."""
    return lambda name: one[name] * other[name]
