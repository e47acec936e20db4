"""How far each method goes before accuracy is lost, and what it costs to get there.

Matching: within 0.2 points of the dense network. A method's highest matching sparsity is the last
one that is matching together with every lower one that was tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import MATCHING, MethodFindings
from secateurs.report.rows import number

NEAR = 0.01
"""P2 figure 5-1: methods that reach accuracy within one percentage point of the dense network."""


def lowest_matching(cells: Sequence[Cell]) -> float | None:
    """The lowest density that is matching, with every higher one tried; None: not even the highest is.

    A density without a result ends the range: nothing is known beyond it.
    """
    reached = None
    for cell in sorted(cells, key=lambda each: -each.density):
        if cell.within(MATCHING) is not True:
            break
        reached = cell.density
    return reached


@dataclass(frozen=True)
class Ranges:
    """P2 section 5.2: sparsities that random pruning matches are trivial, those that any method matches are matching.

    Densities; None: not even the lowest sparsity tried is, or (``trivial``) there is no random pruning.
    """

    trivial: float | None
    matching: float | None
    by: dict[str, float | None]

    @property
    def farthest(self) -> tuple[str, ...]:
        """The methods that go farthest."""
        return tuple(name for name, density in self.by.items() if density is not None and density == self.matching)

    def of(self, names: Collection[str]) -> Ranges:
        """The same of some of the methods; what is trivial stays so."""
        by = {name: density for name, density in self.by.items() if name in names}
        return Ranges(self.trivial, min((each for each in by.values() if each is not None), default=None), by)


def ranges(findings: MethodFindings, group: Group) -> Ranges:
    """The ranges of sparsity of a group of methods."""
    by = {name: lowest_matching(group.cells_of(name)) for name in group.methods}
    trivial = [density for name, density in by.items() if name in findings.study.random and density is not None]
    reached = [density for density in by.values() if density is not None]
    return Ranges(min(trivial, default=None), min(reached, default=None), by)


@dataclass(frozen=True)
class Remaining:
    """The weights that remain at each step of one method's training: all of them to ``epoch``, ``density`` in the end.

    ``area``: under this curve, in epochs of the dense network. ``whole``: with the training that went on
    to find a mask which is laid on earlier weights; the same where the mask was found there. ``stages``: from
    which epoch on how much is left, the last one's being ``density``.
    """

    method: str
    density: float
    moment: str
    at: str
    epoch: float
    epochs_after: float
    area: float
    whole: float
    stages: tuple[tuple[float, float], ...]

    @property
    def end(self) -> float:
        """When the training of what is left ends, in epochs."""
        return self.epoch + self.epochs_after

    @property
    def retroactive(self) -> bool:
        """Whether the mask comes from a later moment than the weights that it is laid on."""
        return self.whole > self.area


def remaining(cell: Cell) -> Remaining | None:
    """The curve of a cell, its epochs means over seeds.

    None when it is not known how long its networks were trained, or how many weights were left between rounds.
    """
    first, after = cell.runs[0], Spread.of(run.epochs_after for run in cell.runs)
    by_channels = first.counted == "channels"
    if after is None or (by_channels and (cell.weight_sparsity is None or len(first.stages) > 1)):
        return None
    kept = 1 - cell.weight_sparsity.mean if by_channels and cell.weight_sparsity else cell.density
    begun = first.stages[0][0] if first.stages else cell.epoch
    stages = tuple(first.stages) if len(first.stages) > 1 else ((begun, kept),)
    end = cell.epoch + after.mean
    ends = [*(epoch for epoch, _ in stages[1:]), end]
    sparse = sum(left * (end - epoch) for (epoch, left), end in zip(stages, ends, strict=True))
    scored = begun if first.scored_epoch is None else max(begun, first.scored_epoch)
    area, whole = begun + sparse, scored + sparse
    trained = [number(run.costs, "density_area") for run in cell.runs]
    if whole > area and (known := Spread.of(trained)) is not None and None not in trained:
        whole = known.mean  # what was trained in between, when the mask was found in several levels, counts as well
    place = (cell.method, cell.density, cell.moment, cell.at, begun)
    return Remaining(*place, end - begun, area, whole, stages)


def cheapest(findings: MethodFindings) -> tuple[Remaining, ...]:
    """Of each method within one point of dense, the moment and density of least area, least first; none at chance."""

    def near() -> Iterator[Remaining]:
        for name in findings.methods:
            cells = [cell for cell in findings.all_cells if cell.method == name and cell.within(NEAR)]
            curves = [curve for cell in cells if (curve := remaining(cell)) is not None]
            if curves:
                yield min(curves, key=lambda curve: (curve.area, curve.epoch))

    return () if findings.at_chance else tuple(sorted(near(), key=lambda curve: curve.area))
