"""Methods against each other: their order and ranks at each density, and each change against its plain method.

All comparisons are paired by seed. Two methods are *told apart* when the 95 % bootstrap interval of
their mean difference leaves out 0, and there are at least three seeds: the interval of two seeds leaves
out 0 whenever their differences have one sign, which says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell, Group, Interval
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.rank import ranks
from secateurs.report.regret import bootstrap_interval

FEWEST = 3
"""Fewer seeds tell nothing apart, and their standard deviation says little, too."""


def told_apart(interval: Interval, seeds: int) -> bool | None:
    """Whether an interval of differences over so many seeds leaves out 0; None: there are too few to tell.

    >>> told_apart((0.1, 0.3), 3), told_apart((-0.1, 0.3), 3), told_apart((0.0, 0.0), 3)
    (True, False, False)
    >>> told_apart((0.1, 0.3), 2), told_apart(None, 1)
    (None, None)
    """
    return None if interval is None or seeds < FEWEST else interval[0] > 0 or interval[1] < 0


@dataclass(frozen=True)
class Paired:
    """The difference between two cells' test accuracies, seed by seed (a fraction)."""

    difference: Spread
    interval: Interval

    @classmethod
    def of(cls, first: Cell, second: Cell) -> Paired | None:
        """First minus second, over the seeds on which both have a result; None without any."""
        one, two = first.accuracies, second.accuracies
        differences = [one[seed] - two[seed] for seed in one if seed in two]
        spread = Spread.of(differences)
        return None if spread is None else cls(spread, bootstrap_interval(differences))

    @property
    def told_apart(self) -> bool | None:
        """Whether the two are told apart; None with fewer than three seeds."""
        return told_apart(self.interval, self.difference.n)


@dataclass(frozen=True)
class Order:
    """The methods at one density, from best to worst, over the ``seeds`` on which all of them have a result.

    Changes of another method of the study take no part: they are compared with that one.

    Attributes:
        apart: whether each method is told apart from the next one, None with fewer than three
            seeds; one entry less than methods.
        ranks: 1 is best, equal ones share the mean of their ranks.
        without: methods that have no result here.
    """

    density: float
    methods: tuple[str, ...]
    means: tuple[float, ...]
    apart: tuple[bool | None, ...]
    ranks: tuple[float, ...]
    seeds: int
    without: tuple[str, ...]


def orders(findings: MethodFindings, group: Group, *, pinned: bool = True) -> tuple[Order, ...]:
    """The order of the methods at each density, from the highest density to the lowest.

    Args:
        pinned: whether methods take part that are pruned at a moment of their own, which no trigger chose.
    """
    study = findings.study
    names = [name for name in group.methods if name in study.plain and (pinned or name not in study.benchmarks)]
    found = (_order(group, names, density) for density in group.densities)
    return tuple(order for order in found if order is not None)


def _order(group: Group, names: Sequence[str], density: float) -> Order | None:
    cells = [group.cell(method, density) for method in names]
    there = [cell for cell in cells if cell is not None]
    judged = {cell.method: cell.accuracies for cell in there if cell.accuracies}
    common = set.intersection(*map(set, judged.values())) if judged else set()
    if not common:
        return None
    seeds = sorted(common)
    means = {name: sum(found[seed] for seed in seeds) / len(seeds) for name, found in judged.items()}
    best_first = sorted(means, key=lambda name: -means[name])  # stable: equal ones stay in the study's order
    apart = []
    for first, second in pairwise(best_first):
        interval = bootstrap_interval([judged[first][seed] - judged[second][seed] for seed in seeds])
        apart.append(told_apart(interval, len(seeds)))
    return Order(
        density=density,
        methods=tuple(best_first),
        means=tuple(means[name] for name in best_first),
        apart=tuple(apart),
        ranks=tuple(float(rank) for rank in ranks([-means[name] for name in best_first])),
        seeds=len(seeds),
        without=tuple(cell.method for cell in there if cell.method not in judged),
    )


def mean_ranks(found: tuple[Order, ...]) -> dict[str, Spread]:
    """Each method's rank over the densities at which it has one, best first."""
    names = dict.fromkeys(name for order in found for name in order.methods)
    spreads = {name: Spread.of(rank_of(order, name) for order in found) for name in names}
    there = {name: spread for name, spread in spreads.items() if spread is not None}
    return dict(sorted(there.items(), key=lambda item: item[1].mean))


def rank_of(order: Order, method: str) -> float | None:
    """The rank of a method at a density; None where it has no result."""
    return dict(zip(order.methods, order.ranks, strict=True)).get(method)


@dataclass(frozen=True)
class Ablation:
    """What a change of a method did at one density and moment: the ``variant`` minus the ``plain`` method."""

    variant: str
    plain: str
    density: float
    moment: str
    epoch: float
    paired: Paired
    at: str


def ablations(findings: MethodFindings) -> tuple[Ablation, ...]:
    """Every change against its plain method: variants in the study's order, then by moment and density."""
    base, cells = findings.study.base, findings.all_cells
    at = {(cell.method, cell.density, cell.moment): cell for cell in cells}

    def pairs() -> Iterator[Ablation]:
        for cell in cells:
            plain = at.get((base.get(cell.method, ""), cell.density, cell.moment))
            paired = None if plain is None else Paired.of(cell, plain)
            if plain is not None and paired is not None:
                yield Ablation(cell.method, plain.method, cell.density, cell.moment, cell.epoch, paired, cell.at)

    place = {name: index for index, name in enumerate(findings.study.methods)}
    return tuple(sorted(pairs(), key=lambda each: (place[each.variant], each.epoch, -each.density)))
