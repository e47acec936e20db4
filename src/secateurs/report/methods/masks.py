"""What the masks are like: sparsity by layer, by channel, and layers without any weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.methods.findings import Cell, Group, MethodFindings
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
    """Share of channels with a sparsity of at least s %, for s = 0..100 (P2 figure 5-6); empty when not known."""
    of = [shares for run in cell.runs if (shares := run.facts.get("unit_sparsity"))]
    if not of:
        return ()
    spreads = (Spread.of(values) for values in zip(*of, strict=True))
    return tuple(spread for spread in spreads if spread is not None)


def emptied(cell: Cell) -> Spread | None:
    """Share of channels without any weight left."""
    return Spread.of(number(run.facts, "emptied") for run in cell.runs)


@dataclass(frozen=True)
class Collapse:
    """A layer without any weight left."""

    method: str
    density: float
    moment: str
    epoch: float
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
            yield Collapse(cell.method, cell.density, cell.moment, cell.epoch, layer, tuple(on))


def shown_densities(findings: MethodFindings, group: Group) -> tuple[float, ...]:
    """The densities at which masks are drawn: the highest matching sparsity, as P2 does.

    Where none is matching, or nothing was trained: the highest density, the lowest, and one between.
    """
    matching = ranges(findings, group).matching
    if matching is not None:
        return (matching,)
    every = group.densities
    return every if len(every) <= SHOWN else (every[0], every[len(every) // 2], every[-1])
