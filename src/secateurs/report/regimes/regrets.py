"""Ways to choose a temperature against grid search: how much higher the test error is, and what was saved.

The regret of a choice is the test error it comes to minus that of grid search's choice for the same load and seed: the
mean over seeds, with Student's t interval. Over all loads each seed counts once, with its mean: choices of one seed at
several loads share their dense networks.
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
from secateurs.report.regimes.rows import mean
from secateurs.report.student import t_interval

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Line:
    """What one way comes to at one load, or over all (``load`` None).

    Attributes:
        choices: of all seeds, and loads.
        regrets: by seed, against grid search; a fraction.
        share: epochs of retraining in parts of grid search's, where both are known.
        loads: over how many loads the regrets are means.
    """

    way: Way
    load: float | None
    choices: tuple[Choice, ...]
    regrets: tuple[float, ...]
    share: float | None
    loads: int = 1

    @property
    def regret(self) -> Spread | None:
        return Spread.of(self.regrets)

    @cached_property
    def interval(self) -> Interval:
        """Student's t interval of the mean regret; None of fewer than two seeds."""
        return t_interval(self.regrets)

    @property
    def error(self) -> Spread | None:
        """Test error at what was chosen, over seeds."""
        return Spread.of(each.error for each in self.choices)

    @property
    def retraining(self) -> float | None:
        """Epochs of retraining, the mean of the choices that could be made."""
        return mean(each.retraining for each in self.choices)

    @property
    def dense(self) -> float | None:
        """Epochs of dense training, the mean of the choices that could be made."""
        return mean(each.dense for each in self.choices)

    @property
    def passes(self) -> float:
        """Forward passes over the training data, the mean of the choices that could be made."""
        return mean(each.passes for each in self.choices if each.temperature is not None) or 0.0

    @property
    def lmc(self) -> float | None:
        return mean(each.lmc for each in self.choices)

    @property
    def chosen(self) -> dict[float, int]:
        """By temperature on how many seeds it was chosen."""
        return dict(sorted(Counter(each.temperature for each in self.choices if each.temperature is not None).items()))

    @property
    def same(self) -> bool:
        """Whether every choice is grid search's, or as good to the last digit: then there is nothing to tell apart."""
        return bool(self.regrets) and not any(self.regrets)

    @property
    def differs(self) -> bool:
        """Whether its interval leaves out 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)

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
    """

    ways: tuple[Way, ...]
    grid: Way
    lines: tuple[Line, ...]
    overall: tuple[Line, ...]
    columns: tuple[Column, ...]

    @property
    def loads(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys(column.load for column in self.columns))

    @property
    def seeds(self) -> int:
        return len({column.seed for column in self.columns})

    def of(self, way: Way) -> tuple[Line, ...]:
        """A way's lines, load by load."""
        return tuple(line for line in self.lines if line.way is way)

    def over_all(self, way: Way) -> Line | None:
        return next((line for line in self.overall if line.way is way), None)

    @property
    def comparisons(self) -> int:
        """How many intervals against grid search there are, load by load, where the choice is not the same."""
        return sum(line.interval is not None and not line.same for line in self.lines if line.way is not self.grid)

    def lost(self, why: str) -> dict[str, int]:
        """By way how many choices could not be made or have no error, for a reason; ways without such are left out."""
        counts = {way.name: sum(line.undecided(why) for line in self.of(way)) for way in self.ways}
        return {name: count for name, count in counts.items() if count}

    @property
    def has_results(self) -> bool:
        """Whether any choice comes to an error."""
        return any(line.error is not None for line in self.lines)


def judged(columns: Sequence[Column], ways: Iterable[Way], grid: Way) -> Judged:
    """Let every way choose in every column, and compare it with grid search, which is one of them."""
    every = tuple(ways)
    choices = {(way.name, column.load, column.seed): way(column) for way in every for column in columns}
    loads = tuple(dict.fromkeys(column.load for column in columns))
    seeds = tuple(sorted({column.seed for column in columns}))

    def regret(way: Way, load: float, seed: int) -> float | None:
        own, best = (choices.get((each.name, load, seed)) for each in (way, grid))
        errors = None if own is None or best is None else (own.error, best.error)
        return None if errors is None or errors[0] is None or errors[1] is None else errors[0] - errors[1]

    def line(way: Way, load: float | None, of: Sequence[float], regrets: Sequence[float]) -> Line:
        own = tuple(found for at in of for seed in seeds if (found := choices.get((way.name, at, seed))) is not None)
        share = mean(_share(each, choices[grid.name, each.load, each.seed]) for each in own)
        return Line(way, load, own, tuple(regrets), share, len(of))

    lines = tuple(
        line(way, load, [load], [each for seed in seeds if (each := regret(way, load, seed)) is not None])
        for way in every
        for load in loads
    )
    whole = [load for load in loads if all(regret(way, load, seed) is not None for way in every for seed in seeds)]
    overall = tuple(
        line(way, None, whole, [fmean(regret(way, load, seed) or 0.0 for load in whole) for seed in seeds])
        for way in every
        if whole and len(loads) > 1
    )
    return Judged(every, grid, lines, overall, tuple(columns))


def _share(own: Choice, grid: Choice) -> float | None:
    return own.retraining / grid.retraining if own.retraining is not None and grid.retraining else None
