"""What the masks are like: sparsity by layer, by channel, and layers without any weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.ranges import ranges
from secateurs.report.rows import number

SHOWN = 3
"""At most so many densities are drawn of what can be drawn at each; the tables hold all."""


@dataclass(frozen=True)
class LayerSparsities:
    """Sparsity of each layer, from input to output, over the seeds whose mask is known."""

    layers: tuple[str, ...]
    sparsities: tuple[Spread, ...]


def layers_of(findings: MethodFindings) -> tuple[str, ...]:
    """The layers from input to output, as masks that were just found name them; stored ones come by the alphabet."""
    found = [run.mask["layer_densities"] for run in findings.runs if "layer_densities" in run.mask]
    laid_on = [run.facts["layer_densities"] for run in findings.runs if run.facts]
    return tuple(next(iter([*found, *laid_on]), {}))


def layer_sparsities(cell: Cell, layers: tuple[str, ...]) -> LayerSparsities | None:
    """The sparsity of each of these layers; None when no mask of the cell is known."""
    of = [run.facts["layer_densities"] for run in cell.runs if run.facts]
    spreads = {layer: Spread.of(1 - each[layer] for each in of if layer in each) for layer in layers}
    there = {layer: spread for layer, spread in spreads.items() if spread is not None}
    return LayerSparsities(tuple(there), tuple(there.values())) if there else None


def channel_shares(cell: Cell) -> tuple[Spread, ...]:
    """Share of channels with a sparsity of at least s %, for s = 0..100 (P2 figure 5-6).

    Empty when not known, and where channels are what is removed.
    """
    if cell.how == "channels":
        return ()
    of = [shares for run in cell.runs if (shares := run.facts.get("unit_sparsity"))]
    if not of:
        return ()
    spreads = (Spread.of(values) for values in zip(*of, strict=True))
    return tuple(spread for spread in spreads if spread is not None)


def emptied(cell: Cell) -> Spread | None:
    """Share of channels without any weight left; None where channels are what is removed."""
    if cell.how == "channels":
        return None
    return Spread.of(number(run.facts, "emptied") for run in cell.runs)


def groups_of_units(findings: MethodFindings) -> tuple[str, ...]:
    """The groups of channels from input to output, in the order of the layers that they are called by."""
    known: dict[str, object] = next((run.facts["units"] for run in findings.runs if "units" in run.facts), {})
    layers = [layer.removesuffix(".weight") for layer in layers_of(findings)]
    return tuple(sorted(known, key=lambda name: layers.index(name) if name in layers else len(layers)))


def removed_units(cell: Cell) -> dict[str, Spread]:
    """Share of the channels of each group that is removed, by the group's name; empty where channels stay."""
    of = [run.facts.get("units", {}) for run in cell.runs]
    names = dict.fromkeys(name for each in of for name in each)
    spreads = {name: Spread.of(1 - each[name][0] / each[name][1] for each in of if name in each) for name in names}
    return {name: spread for name, spread in spreads.items() if spread is not None}


@dataclass(frozen=True)
class Collapse:
    """A layer without any weight left."""

    cell: Cell
    layer: str
    seeds: tuple[int, ...]


def collapses(findings: MethodFindings) -> Iterator[Collapse]:
    """Every layer that was pruned away, where and on which seeds."""
    for cell in findings.all_cells:
        seeds: dict[str, list[int]] = {}
        for run in cell.runs:
            for layer in run.facts.get("empty_layers", ()):
                seeds.setdefault(layer, []).append(run.seed)
        for layer, on in seeds.items():
            yield Collapse(cell, layer, tuple(on))


def shown_densities(findings: MethodFindings, group: Group) -> tuple[float, ...]:
    """The densities at which masks are drawn: the highest matching sparsity, as P2 does.

    Where none is matching, or nothing was trained: the highest density, the lowest, and one between.
    """
    matching = ranges(findings, group).matching
    if matching is not None:
        return (matching,)
    every = group.densities
    return every if len(every) <= SHOWN else (every[0], every[len(every) // 2], every[-1])
