"""What the runs of one setting show: accuracy against the moment of pruning, and each signal's course.

Means and sample standard deviations (ddof = 1) are over seeds; of one seed there is no deviation.
Nothing is chosen on test data: the best moment is the one with the highest validation accuracy.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from secateurs.report.rows import GRID, DenseRun, PrunedRun

FITS = 0.99
"""Training accuracy from which a network is said to fit its training data."""


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of ``n`` values; ``sd`` is None when n = 1."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """The spread of the values that are there; None when none is.

        >>> Spread.of([1.0, 3.0, None])
        Spread(mean=2.0, sd=1.4142135623730951, n=2)
        >>> Spread.of([0.5])
        Spread(mean=0.5, sd=None, n=1)
        """
        there = [value for value in values if value is not None]
        if not there:
            return None
        return cls(statistics.fmean(there), statistics.stdev(there) if len(there) > 1 else None, len(there))


@dataclass(frozen=True)
class CurvePoint:
    """What pruning at one moment gave, over the seeds whose run has a result."""

    epoch: float
    moment: str
    test: Spread
    validation: Spread | None


def accuracy_curve(runs: Iterable[PrunedRun]) -> tuple[CurvePoint, ...]:
    """Accuracy at the end against the moment of pruning, grid moments only, in order of epochs.

    A moment at which no run has a result is left out.
    """
    at: dict[float, list[PrunedRun]] = defaultdict(list)
    for run in runs:
        if GRID in run.chosen_by:
            at[run.epoch].append(run)
    points = []
    for epoch, group in sorted(at.items()):
        test = Spread.of(run.accuracy("test") for run in group)
        if test is not None:
            validation = Spread.of(run.accuracy("validation") for run in group)
            points.append(CurvePoint(epoch, group[0].moment, test, validation))
    return tuple(points)


def best_point(curve: Sequence[CurvePoint]) -> CurvePoint | None:
    """The moment with the highest mean **validation** accuracy; of equal ones the earliest.

    Only moments with a result for as many seeds as any other are candidates: a moment at which a
    run diverged must not win on the seeds that survived. None without validation accuracies.
    """
    judged = [(point.validation, point) for point in curve if point.validation is not None]
    full = max((validation.n for validation, _ in judged), default=0)
    candidates = [(validation.mean, -point.epoch, point) for validation, point in judged if validation.n == full]
    return max(candidates, key=lambda item: item[:2])[2] if candidates else None


@dataclass(frozen=True)
class SignalCurve:
    """A signal of the dense runs: at each epoch where it was measured, its spread over seeds."""

    signal: str
    epochs: tuple[float, ...]
    values: tuple[Spread, ...]


def signal_curve(runs: Iterable[DenseRun], signal: str) -> SignalCurve | None:
    """The course of ``signal`` over seeds; None when no run measured it."""
    at: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        for epoch, value in zip(*run.series(signal), strict=True):
            at[epoch].append(value)
    spreads = {epoch: spread for epoch, values in sorted(at.items()) if (spread := Spread.of(values)) is not None}
    return SignalCurve(signal, tuple(spreads), tuple(spreads.values())) if spreads else None


@dataclass(frozen=True)
class SignalPeak:
    """The highest measurement of a signal in one run.

    ``place``: "inside" the run, or at its "start" (it fell from the beginning on) or its "end" (it
    still rose). ``drop``: share of the peak that is lost by the last measurement.
    """

    signal: str
    seed: int
    epoch: float
    value: float
    place: Literal["inside", "start", "end"]
    drop: float

    @property
    def inside(self) -> bool:
        """Whether the signal rose before its peak and fell after it."""
        return self.place == "inside"


def find_peak(epochs: Sequence[float], values: Sequence[float]) -> tuple[int, Literal["inside", "start", "end"]] | None:
    """Index of the highest value after training began, and where in the run it lies.

    The untrained network (epoch 0) can spike and is no candidate, but it counts as what was
    before. Of equal values the first is the peak. None without a measurement after epoch 0.

    >>> find_peak([0, 1, 2, 3], [9.0, 1.0, 3.0, 2.0])
    (2, 'inside')
    >>> find_peak([0, 1, 2], [9.0, 3.0, 2.0]), find_peak([0, 1, 2], [1.0, 2.0, 3.0])
    ((1, 'start'), (2, 'end'))
    """
    trained = [index for index, epoch in enumerate(epochs) if epoch > 0]
    if not trained:
        return None
    top = max(trained, key=lambda index: values[index])
    if top == len(values) - 1:
        return top, "end"
    rose = top > 0 and values[top - 1] <= values[top]
    return top, "inside" if rose else "start"


def signal_peak(run: DenseRun, signal: str) -> SignalPeak | None:
    """The peak of ``signal`` in one dense run; None when it was never measured after epoch 0."""
    epochs, values = run.series(signal)
    found = find_peak(epochs, values)
    if found is None:
        return None
    top, place = found
    height = values[top]
    drop = (height - values[-1]) / abs(height) if height else 0.0
    return SignalPeak(signal, run.seed, epochs[top], height, place, drop)
