"""Cells of a study of tickets: a ticket at one level and rewinding moment, over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from secateurs.core.matching import is_matching
from secateurs.report.curves import Spread
from secateurs.report.student import t_interval
from secateurs.report.tickets.rows import Band, TicketRun

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Cell:
    """A ticket at one level and rewinding moment. Accuracies are fractions.

    ``reference`` is the dense networks' test accuracy by seed, ``within`` how much less still matches. ``judged``:
    whether there is anything to match; not where the dense networks are at chance.
    """

    ticket: str
    level: int
    density: float
    rewind: str | None
    step: int | None
    runs: tuple[TicketRun, ...]
    reference: Mapping[int, float] = field(default_factory=dict)
    within: float = 0.002
    judged: bool = True

    def accuracies(self, part: str = "test") -> dict[int, float]:
        """Accuracy at the end by seed, of those that have one."""
        found = ((run.seed, run.accuracy(part)) for run in self.runs)
        return {seed: accuracy for seed, accuracy in found if accuracy is not None}

    def spread(self, part: str = "test") -> Spread | None:
        """Its mean and standard deviation over seeds; None without a result."""
        return Spread.of(self.accuracies(part).values())

    @property
    def diverged(self) -> tuple[int, ...]:
        """Seeds whose run diverged: they take no part in a mean."""
        return tuple(run.seed for run in self.runs if run.diverged is not None)

    @property
    def missing(self) -> tuple[int, ...]:
        """Seeds that have no result: not run yet, or the job failed."""
        return tuple(run.seed for run in self.runs if run.missing)

    @property
    def differences(self) -> tuple[float, ...]:
        """Test accuracy minus the dense network's of the same seed."""
        own = self.accuracies()
        return tuple(own[seed] - self.reference[seed] for seed in own if seed in self.reference)

    @property
    def difference(self) -> Spread | None:
        """Their mean and standard deviation."""
        return Spread.of(self.differences)

    @property
    def interval(self) -> Interval:
        """Their 95 % interval by Student's t; None of fewer than two seeds."""
        return t_interval(self.differences)

    @property
    def matching(self) -> bool | None:
        """Whether the mean over seeds matches that of dense over the same seeds; never where a run diverged.

        None without a result, and where nothing is judged.
        """
        if not self.judged:
            return None
        if self.diverged:
            return False
        own = self.accuracies()
        both = [seed for seed in own if seed in self.reference]
        if not both:
            return None
        mean = statistics.fmean(own[seed] for seed in both)
        return is_matching(mean, statistics.fmean(self.reference[seed] for seed in both), self.within)

    @property
    def empty_layers(self) -> dict[str, tuple[int, ...]]:
        """The layers without a weight, and on which seeds."""
        names = dict.fromkeys(name for run in self.runs for name in run.empty_layers)
        return {name: tuple(run.seed for run in self.runs if name in run.empty_layers) for name in names}


def paired(first: Cell, second: Cell) -> tuple[Spread, Interval] | None:
    """Test accuracy of the first minus the second on the same seeds, with its interval; None: no seed in common."""
    one, other = first.accuracies(), second.accuracies()
    differences = [one[seed] - other[seed] for seed in one if seed in other]
    spread = Spread.of(differences)
    return None if spread is None else (spread, t_interval(differences))


def band(values: Sequence[float], kind: Band) -> tuple[float, float, float]:
    """Mean, and the lower and upper edge of what is drawn around it; of one value there is no band.

    >>> band([1.0, 2.0, 6.0], "range")
    (3.0, 1.0, 6.0)
    >>> band([1.0, 3.0], "deviation") == (2.0, 2.0 - 2**0.5, 2.0 + 2**0.5)
    True
    >>> band([4.0], "deviation")
    (4.0, 4.0, 4.0)
    """
    mean = statistics.fmean(values)
    if kind == "range":
        return mean, min(values), max(values)
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return mean, mean - deviation, mean + deviation
