"""From entries to units: sum, mean, largest or norm over coupled channels, and where the absolute value is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from secateurs.what.channels.parts import Part
from secateurs.what.passes import wide

Reduce = Literal["sum", "mean", "max", "norm"]
"""Over what belongs to a unit; ``"norm"`` is the root of the sum of squares."""

Absolute = Literal["none", "inside", "filter", "outside"]
"""Where the absolute value is taken, when weights are reduced to units.

``"none"``: nowhere, scores are reduced as they are. ``"inside"``: of each weight, ``sum |s|``.
``"filter"``: of each layer's sum, sum over coupled layers of ``|sum s|``. ``"outside"``: of the whole
sum, ``|sum s|``. The last two take the sign that the score would have had before its absolute value.
"""

GateAbsolute = Literal["inside", "outside"]
"""``"inside"``: each layer has its gate, and scores of coupled layers are reduced. ``"outside"``: they share one."""


def reduced(
    layers: Sequence[Sequence[Part]], values: Mapping[int, Tensor], units: int, reduce: Reduce, absolute: Absolute
) -> Tensor:
    """One number a unit, ``[units]`` on the CPU, over all entries of all layers; each entry counts once.

    Args:
        layers: the parts that count, by layer.
        values: parameter's id -> values of the parameter's shape.
        units: how many units the group has.
    """
    if reduce == "max":
        return _largest([part for layer in layers for part in layer], values, units, absolute == "inside")
    count, seen = torch.zeros(units), dict[int, list[Part]]()
    rows = []
    for layer in layers:
        row = torch.zeros(units)
        for part in layer:
            each = values[id(part.parameter)]
            each = each.abs() if absolute == "inside" else each
            each = each.to(wide(each)).square() if reduce == "norm" else each
            before = seen.setdefault(id(part.parameter), [])
            again = _again(part, before)
            row = row + unit_sums(part, each if again is None else each.masked_fill(again, 0), units)
            if reduce == "mean":
                ones = torch.ones_like(each, dtype=torch.float32)
                count = count + unit_sums(part, ones if again is None else ones.masked_fill(again, 0), units)
            before.append(part)
        rows.append(row.abs() if absolute == "filter" else row)
    total = sum(rows[1:], rows[0])
    if absolute == "outside":
        total = total.abs()
    if reduce == "norm":
        return total.sqrt()
    return total / count.clamp_min(1) if reduce == "mean" else total


def unit_sums(part: Part, values: Tensor, units: int) -> Tensor:
    """The sum of the entries of each unit, ``[units]`` on the CPU, in float32 at least."""
    rows = _rows(part, values)
    sums = rows.sum(1, dtype=wide(rows)).cpu()
    return torch.zeros(units, dtype=sums.dtype).index_add(0, part.units, sums[part.positions])


def combine(rows: Tensor, present: Tensor, reduce: Reduce, absolute: GateAbsolute = "inside") -> Tensor:
    """Scores of coupled layers ``[layers, units]`` to one a unit, over the layers where it is ``present``.

    >>> rows = torch.tensor([[1.0, 2.0], [-3.0, 0.0]])
    >>> there = torch.tensor([[True, True], [True, False]])
    >>> combine(rows, there, "sum"), combine(rows, there, "sum", "outside"), combine(rows, there, "mean")
    (tensor([4., 2.]), tensor([2., 2.]), tensor([2., 2.]))
    """
    rows = rows if absolute == "outside" else rows.abs()
    if reduce == "norm":
        return rows.square().sum(0).sqrt()
    found = rows.amax(0) if reduce == "max" else rows.sum(0)
    if reduce == "mean":
        found = found / present.sum(0).clamp_min(1)
    return found.abs()


def _largest(parts: Sequence[Part], values: Mapping[int, Tensor], units: int, absolute: bool) -> Tensor:
    """The largest entry of each unit; 0 for a unit without entries."""
    found = torch.full((units,), -torch.inf, dtype=torch.float64)
    dtype = torch.float32
    for part in parts:
        rows = _rows(part, values[id(part.parameter)])
        dtype = torch.promote_types(dtype, rows.dtype)
        if rows.numel():
            peaks = (rows.abs() if absolute else rows).amax(1).to("cpu", torch.float64)
            found = found.scatter_reduce(0, part.units, peaks[part.positions], "amax")
    return found.masked_fill(found == -torch.inf, 0).to(dtype)


def _rows(part: Part, values: Tensor) -> Tensor:
    """The entries at each position, ``[size, entries]``."""
    return values.movedim(part.dim, 0).unsqueeze(-1).flatten(1)


def _again(part: Part, before: Sequence[Part]) -> Tensor | None:
    """Where an entry belongs to the very unit to which an earlier member of the same parameter gave it."""
    found = None
    for other in before:
        same = _owners(part) == _owners(other)
        same = same & (_owners(part) >= 0)
        found = same if found is None else found | same
    return None if found is None else found.to(part.parameter.device).expand(part.parameter.shape)


def _owners(part: Part) -> Tensor:
    """The unit of each position, -1 for none, so shaped that it broadcasts over the parameter."""
    p = part.parameter
    along = torch.full((p.shape[part.dim],), -1)
    along[part.positions] = part.units
    return along.view([-1 if d == part.dim else 1 for d in range(p.ndim)])
