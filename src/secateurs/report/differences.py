"""How far apart one setting is in two studies, and how sure that is.

Where the two have seeds in common, everything is over those seeds and the differences are paired;
else over each study's own seeds. Intervals are 95 % percentile bootstrap intervals over seeds. All
differences are the second study's value minus the first's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateurs.report.curves import CurvePoint, Spread, accuracy_curve, best_point
from secateurs.report.findings import Findings
from secateurs.report.regret import bootstrap_interval, trigger_result
from secateurs.report.rows import GRID

RESAMPLES = 10_000
Unit = Literal["accuracy", "points", "epochs"]


@dataclass(frozen=True)
class Difference:
    """A quantity in both studies and their difference, second minus first; None where it is not known.

    ``unit`` "accuracy" and "points" are fractions. ``paired``: over the same seeds, seed by seed.
    ``seeds`` are how many seeds each side has; ``interval`` is None for fewer than two on a side.
    """

    quantity: str
    unit: Unit
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    paired: bool
    seeds: tuple[int, int]


def differences(a: Findings, b: Findings) -> tuple[Difference, ...]:
    """What changed from ``a`` to ``b``: accuracies, the best epoch, each shared trigger's regret."""
    common = sorted(set(a.seeds) & set(b.seeds))
    paired = len(common) > 1 or a.seeds == b.seeds
    seeds = (common, common) if paired else (list(a.seeds), list(b.seeds))
    best = _best(a, seeds[0]), _best(b, seeds[1])
    made = [
        _difference("dense accuracy", "accuracy", _dense(a, seeds[0]), _dense(b, seeds[1]), paired),
        _best_epochs((a, b), seeds, best, paired),
        _difference("accuracy at best", "accuracy", _at(a, seeds[0], best[0]), _at(b, seeds[1], best[1]), paired),
        _difference("loss at best", "points", _loss(a, seeds[0], best[0]), _loss(b, seeds[1], best[1]), paired),
    ]
    for trigger in [result.trigger for result in a.triggers]:
        if any(result.trigger == trigger for result in b.triggers):
            sides = _regrets(a, trigger, seeds[0]), _regrets(b, trigger, seeds[1])
            made.append(_difference(f"regret of {trigger}", "points", *sides, paired))
    return tuple(made)


def _difference(quantity: str, unit: Unit, a: Mapping[int, float], b: Mapping[int, float], paired: bool) -> Difference:
    if paired:
        both = [seed for seed in a if seed in b]
        a, b = {seed: a[seed] for seed in both}, {seed: b[seed] for seed in both}
    left, right = Spread.of(a.values()), Spread.of(b.values())
    interval = None
    if paired:
        interval = bootstrap_interval([b[seed] - a[seed] for seed in a], resamples=RESAMPLES)
    elif len(a) > 1 and len(b) > 1:
        means = [
            np.array([*side.values()])[picks].mean(axis=1) for side, picks in zip((a, b), _picks(a, b), strict=True)
        ]
        interval = _percentiles(means[1] - means[0])
    return Difference(
        quantity=quantity,
        unit=unit,
        a=None if left is None else left.mean,
        b=None if right is None else right.mean,
        difference=None if left is None or right is None else right.mean - left.mean,
        interval=interval,
        paired=paired,
        seeds=(len(a), len(b)),
    )


def _picks(a: Mapping[int, float] | Sequence[int], b: Mapping[int, float] | Sequence[int]) -> list[NDArray[np.int64]]:
    """Resamples of each side's seeds, drawn apart from each other."""
    generator = np.random.default_rng(0)
    return [generator.integers(len(side), size=(RESAMPLES, len(side))) for side in (a, b)]


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _best(findings: Findings, seeds: Sequence[int]) -> CurvePoint | None:
    return best_point(accuracy_curve(run for run in findings.pruned_runs if run.seed in seeds))


def _best_epochs(
    sides: tuple[Findings, Findings],
    seeds: tuple[Sequence[int], Sequence[int]],
    best: tuple[CurvePoint | None, CurvePoint | None],
    paired: bool,
) -> Difference:
    """The best epoch is found anew in each resample of the seeds, the same resample on both sides when paired."""
    a, b = (None if point is None else point.epoch for point in best)
    interval = None
    if a is not None and b is not None and min(map(len, seeds)) > 1:
        picks = _picks(*seeds)
        if paired:
            picks[1] = picks[0]
        left, right = (_resampled(*each) for each in zip(sides, seeds, picks, strict=True))
        interval = None if left is None or right is None else _percentiles(right - left)
    known = None if a is None or b is None else b - a
    return Difference("best epoch", "epochs", a, b, known, interval, paired, (len(seeds[0]), len(seeds[1])))


def _resampled(findings: Findings, seeds: Sequence[int], picks: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """The best epoch of each resample, among the moments at which every seed has a result; None when none is left."""
    grid = [run for run in findings.pruned_runs if GRID in run.chosen_by]
    values = {(run.seed, run.epoch): value for run in grid if (value := run.accuracy("validation")) is not None}
    full = [epoch for epoch in sorted({at for _, at in values}) if all((seed, epoch) in values for seed in seeds)]
    if not full:
        return None
    table = np.array([[values[seed, epoch] for epoch in full] for seed in seeds])
    means = np.stack([column[picks].mean(axis=1) for column in table.T])
    chosen: NDArray[np.float64] = np.array(full)[means.argmax(axis=0)]
    return chosen


def _dense(findings: Findings, seeds: Sequence[int]) -> dict[int, float]:
    runs = findings.dense_runs
    return {run.seed: value for run in runs if run.seed in seeds and (value := run.accuracy("test")) is not None}


def _at(findings: Findings, seeds: Sequence[int], point: CurvePoint | None) -> dict[int, float]:
    if point is None:
        return {}
    runs = [run for run in findings.pruned_runs if run.epoch == point.epoch and run.seed in seeds]
    return {run.seed: value for run in runs if (value := run.accuracy("test")) is not None}


def _loss(findings: Findings, seeds: Sequence[int], point: CurvePoint | None) -> dict[int, float]:
    dense, pruned = _dense(findings, seeds), _at(findings, seeds, point)
    return {seed: dense[seed] - pruned[seed] for seed in dense if seed in pruned}


def _regrets(findings: Findings, trigger: str, seeds: Sequence[int]) -> dict[int, float]:
    """Regrets judged on these seeds alone: the other seeds' best moment must be that of the same seeds in both."""
    dense = [run for run in findings.dense_runs if run.seed in seeds]
    result = trigger_result(trigger, "", dense, [run for run in findings.pruned_runs if run.seed in seeds])
    return {choice.seed: choice.regret for choice in result.choices if choice.regret is not None}
