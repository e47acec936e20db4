"""From a study's rows to what they show, one :class:`Findings` per setting and density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.report.curves import (
    FITS,
    CurvePoint,
    SignalCurve,
    SignalPeak,
    Spread,
    accuracy_curve,
    best_point,
    signal_curve,
    signal_peak,
)
from secateurs.report.instability import Instability, at_moments
from secateurs.report.rank import Correlation, Part, correlations
from secateurs.report.regret import TriggerResult, trigger_result
from secateurs.report.rows import GRID, DenseRun, PrunedRun, Study, number
from secateurs.report.words import number_of


@dataclass(frozen=True)
class Divergence:
    """A run whose loss stopped being finite; ``pruned`` is None for the dense run."""

    seed: int
    pruned: str | None
    moment: str


@dataclass(frozen=True)
class Findings:
    """What one setting at one density shows. Accuracies are fractions.

    ``early_gain``: test accuracy at the best moment - at the last one of the grid, paired by seed.
    ``run_seconds``: mean seconds of a dense run; ``seconds``: of these, on measuring each signal.
    ``learning_rate``: of the dense run that got furthest (seeds share it). ``dense_runs``,
    ``pruned_runs``: the rows that all this is from. ``figure``: what the study regenerates.
    """

    setting: str
    density: float
    epochs: int
    seeds: tuple[int, ...]
    dense: Spread | None
    dense_validation: Spread | None
    train: Spread | None
    curve: tuple[CurvePoint, ...]
    best: CurvePoint | None
    early_gain: Spread | None
    signals: tuple[SignalCurve, ...]
    peaks: tuple[SignalPeak, ...]
    triggers: tuple[TriggerResult, ...]
    diverged: tuple[Divergence, ...]
    missing: tuple[str, ...]
    run_seconds: float | None
    seconds: dict[str, float]
    correlations: tuple[Correlation, ...]
    learning_rate: SignalCurve | None
    dense_runs: tuple[DenseRun, ...]
    pruned_runs: tuple[PrunedRun, ...]
    instability: tuple[Instability, ...]
    figure: str = ""

    @property
    def guided(self) -> bool:
        """Whether P0's statement on networks that do not fit holds of this: its recipe, and tr(F) was measured."""
        return self.figure.startswith("P0") and self.signal("fisher_trace") is not None

    @property
    def fits(self) -> bool | None:
        """Whether the dense networks fit their training data (mean accuracy >= 0.99); None: unknown."""
        return None if self.train is None else self.train.mean >= FITS

    def signal(self, name: str) -> SignalCurve | None:
        """The curve of the signal ``name``; None when it was not measured."""
        return next((curve for curve in self.signals if curve.signal == name), None)

    def peaks_of(self, name: str) -> tuple[SignalPeak, ...]:
        """The peaks of the signal ``name``, one per seed that measured it."""
        return tuple(peak for peak in self.peaks if peak.signal == name)

    def correlation(self, name: str, part: Part) -> Correlation | None:
        """The rank correlation of the signal ``name`` with accuracy on ``part``; None when there is none."""
        return next((each for each in self.correlations if (each.signal, each.part) == (name, part)), None)


def find(study: Study) -> tuple[Findings, ...]:
    """Work out what a study shows: settings in the order given, densities from high to low."""
    found: list[Findings] = []
    for setting in dict.fromkeys(run.setting for run in study.dense):
        dense = sorted((run for run in study.dense if run.setting == setting), key=lambda run: run.seed)
        pruned = [run for run in study.pruned if run.setting == setting]
        densities = sorted({run.density for run in pruned}, reverse=True)
        found += [_findings(study, dense, [run for run in pruned if run.density == density]) for density in densities]
    return tuple(found)


def _findings(study: Study, dense: Sequence[DenseRun], pruned: Sequence[PrunedRun]) -> Findings:
    # Seeds whose dense run came to an end: what is pruned from a run that diverges later has
    # results for early moments only, and must not decide which moment is best.
    well = [run for run in dense if run.accuracy("test") is not None]
    sound = {run.seed for run in well}
    kept = [run for run in pruned if run.seed in sound]
    curve = accuracy_curve(kept)
    best = best_point(curve)
    curves = [signal_curve(well, name) for name in study.signals]
    times = Spread.of(number(run.summary, "seconds") for run in dense)
    peaks = [signal_peak(run, name) for name in study.signals for run in well]
    return Findings(
        setting=dense[0].setting,
        density=pruned[0].density,
        epochs=max(run.epochs for run in dense),
        seeds=tuple(run.seed for run in dense),
        dense=Spread.of(run.accuracy("test") for run in dense),
        dense_validation=Spread.of(run.accuracy("validation") for run in dense),
        train=Spread.of(run.accuracy("train") for run in dense),
        curve=curve,
        best=best,
        early_gain=_early_gain(kept, best, curve),
        signals=tuple(item for item in curves if item is not None),
        peaks=tuple(item for item in peaks if item is not None),
        triggers=tuple(
            trigger_result(
                *(name, text, dense, kept, study.needs.get(name)), study.thresholds.get((dense[0].setting, name))
            )
            for name, text in study.triggers.items()
        ),
        diverged=_diverged(dense, pruned),
        missing=_missing(dense, pruned),
        run_seconds=None if times is None else times.mean,
        seconds={name: cost for name in study.signals if (cost := _seconds(dense, name)) is not None},
        correlations=correlations(dense, kept, study.signals),
        learning_rate=signal_curve([max(dense, key=lambda run: len(run.log))], "lr"),
        dense_runs=tuple(dense),
        pruned_runs=tuple(kept),
        figure=study.figure,
        instability=at_moments([run for run in study.instability if run.setting == dense[0].setting]),
    )


def _early_gain(pruned: Sequence[PrunedRun], best: CurvePoint | None, curve: Sequence[CurvePoint]) -> Spread | None:
    if best is None or best.epoch == curve[-1].epoch:
        return None
    at = {(run.seed, run.epoch): run.accuracy("test") for run in pruned if GRID in run.chosen_by}
    gains = []
    for seed in sorted({run.seed for run in pruned}):
        early, late = at.get((seed, best.epoch)), at.get((seed, curve[-1].epoch))
        if early is not None and late is not None:
            gains.append(early - late)
    return Spread.of(gains)


def _diverged(dense: Sequence[DenseRun], pruned: Sequence[PrunedRun]) -> tuple[Divergence, ...]:
    roots = [Divergence(run.seed, None, run.diverged) for run in dense if run.diverged is not None]
    cut = sorted(pruned, key=lambda run: (run.seed, run.epoch))
    lost = (Divergence(run.seed, run.moment, run.diverged) for run in cut if run.diverged)
    return (*roots, *lost)


def _missing(dense: Sequence[DenseRun], pruned: Sequence[PrunedRun]) -> tuple[str, ...]:
    """Runs that neither diverged nor have a test accuracy: their job failed or has not run yet."""
    roots = [f"dense, seed {run.seed}" for run in dense if run.diverged is None and run.accuracy("test") is None]
    lost = [run for run in pruned if run.diverged is None and run.accuracy("test") is None]
    lost.sort(key=lambda run: (run.seed, run.epoch))
    return (*roots, *(f"pruned at epoch {number_of(run.epoch)}, seed {run.seed}" for run in lost))


def _seconds(dense: Sequence[DenseRun], signal: str) -> float | None:
    """Mean over runs of the seconds spent in measuring ``signal``; None when no time was logged."""
    name = f"seconds/{signal}"
    sums = [sum(times) for run in dense if (times := [t for row in run.log if (t := number(row, name)) is not None])]
    spread = Spread.of(sums)
    return None if spread is None else spread.mean
