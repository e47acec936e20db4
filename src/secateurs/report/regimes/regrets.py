"""Ways to choose a temperature against grid search: how much higher the test error is, and what was saved.

The regret of a choice is the test error it comes to minus that of grid search's choice for the same load and seed: the
mean over seeds, with Student's t interval. Over all loads each seed counts once, with its mean: choices of one seed at
several loads share their dense networks. All means, of errors and of costs, are over the same choices for every way:
those at loads and seeds at which each way came to an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from secateurs.report.curves import Spread
from secateurs.report.regimes.candidates import Column
from secateurs.report.regimes.choices import Choice, Way
from secateurs.report.regimes.paired import Interval, Paired
from secateurs.report.regimes.rows import mean

Place = tuple[float, int]
"""Load and seed."""


@dataclass(frozen=True)
class Line:
    """What one way comes to at one load, or over all (``load`` None).

    Attributes:
        choices: of all seeds, and loads.
        shared: those of them at loads and seeds at which every way came to an error; all means are over these.
        regrets: by seed, against grid search; a fraction.
        share: epochs of retraining in parts of grid search's, where both are known.
        loads: over how many loads the regrets are means.
    """

    way: Way
    load: float | None
    choices: tuple[Choice, ...]
    shared: tuple[Choice, ...]
    regrets: tuple[float, ...]
    share: float | None
    loads: int = 1

    @cached_property
    def paired(self) -> Paired:
        """The regrets, and whether they are told apart from nothing."""
        return Paired(self.regrets)

    @property
    def regret(self) -> Spread | None:
        return self.paired.spread

    @property
    def interval(self) -> Interval:
        """Student's t interval of the mean regret; None of fewer than two seeds."""
        return self.paired.interval

    @property
    def same(self) -> bool:
        """Whether every choice is grid search's, or as good to the last digit."""
        return self.paired.same

    @property
    def error(self) -> Spread | None:
        """Test error at what was chosen, over seeds."""
        return Spread.of(each.error for each in self.shared)

    @property
    def retraining(self) -> float | None:
        """Epochs of retraining, in the mean."""
        return mean(each.retraining for each in self.shared)

    @property
    def dense(self) -> float | None:
        """Epochs of dense training, in the mean."""
        return mean(each.dense for each in self.shared)

    @property
    def passes(self) -> float | None:
        """Forward passes over the training data, in the mean; None where nothing was chosen."""
        return mean(each.passes for each in self.shared)

    @property
    def lmc(self) -> float | None:
        return mean(each.lmc for each in self.shared)

    @property
    def chosen(self) -> dict[float, int]:
        """By temperature on how many seeds it was chosen."""
        return dict(sorted(Counter(each.temperature for each in self.choices if each.temperature is not None).items()))

    def undecided(self, why: str) -> int:
        """How many choices have nothing to show, for one reason."""
        return sum(each.undecided == why for each in self.choices)


@dataclass(frozen=True)
class Judged:
    """Several ways on the same columns.

    Attributes:
        lines: by way in the order given, and by load from the smallest.
        overall: of each way over the loads at which every seed of every way has a regret; empty with one load only.
        columns: what was chosen between.
        shared: loads and seeds at which every way came to an error.
    """

    ways: tuple[Way, ...]
    grid: Way
    lines: tuple[Line, ...]
    overall: tuple[Line, ...]
    columns: tuple[Column, ...]
    shared: frozenset[Place]

    @property
    def loads(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys(column.load for column in self.columns))

    def of(self, way: Way) -> tuple[Line, ...]:
        """A way's lines, load by load."""
        return tuple(line for line in self.lines if line.way is way)

    def over_all(self, way: Way) -> Line | None:
        return next((line for line in self.overall if line.way is way), None)

    def lost(self, why: str) -> dict[str, int]:
        """By way how many choices could not be made or have no error, for a reason; ways without such are left out."""
        counts = {way.name: sum(line.undecided(why) for line in self.of(way)) for way in self.ways}
        return {name: count for name, count in counts.items() if count}

    @property
    def has_results(self) -> bool:
        """Whether any choice comes to an error."""
        return any(each.error is not None for line in self.lines for each in line.choices)


def judged(columns: Sequence[Column], ways: Iterable[Way], grid: Way) -> Judged:
    """Let every way choose in every column, and compare it with grid search, which is one of them."""
    every = tuple(ways)
    choices = {(way.name, column.load, column.seed): way(column) for way in every for column in columns}
    loads = tuple(dict.fromkeys(column.load for column in columns))
    seeds = tuple(sorted({column.seed for column in columns}))
    shared = frozenset(
        (column.load, column.seed)
        for column in columns
        if all(choices[way.name, column.load, column.seed].error is not None for way in every)
    )

    def regret(way: Way, load: float, seed: int) -> float:
        own, best = (choices[each.name, load, seed].error for each in (way, grid))
        return (own or 0.0) - (best or 0.0)

    def line(way: Way, load: float | None, of: Sequence[float], regrets: Iterable[float]) -> Line:
        own = tuple(found for at in of for seed in seeds if (found := choices.get((way.name, at, seed))) is not None)
        both = tuple(each for each in own if (each.load, each.seed) in shared)
        share = mean(_share(each, choices[grid.name, each.load, each.seed]) for each in both)
        return Line(way, load, own, both, tuple(regrets), share, len(of))

    lines = tuple(
        line(way, load, [load], [regret(way, load, seed) for seed in seeds if (load, seed) in shared])
        for way in every
        for load in loads
    )
    whole = [load for load in loads if all((load, seed) in shared for seed in seeds)]
    overall = tuple(
        line(way, None, whole, [fmean(regret(way, load, seed) for load in whole) for seed in seeds])
        for way in every
        if whole and len(loads) > 1
    )
    return Judged(every, grid, lines, overall, tuple(columns), shared)


def _share(own: Choice, grid: Choice) -> float | None:
    return own.retraining / grid.retraining if own.retraining is not None and grid.retraining else None
