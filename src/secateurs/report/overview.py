"""Several settings side by side, as a table of one row each: accuracies and correlations as they are, times apart."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.curves import Spread
from secateurs.report.findings import Findings
from secateurs.report.rank import PARTS
from secateurs.report.regret import seconds_share
from secateurs.report.rows import Study

Value = str | int | float | bool | None
Row = dict[str, Value]

_FIRST = (
    *("setting", "density", "seeds", "epochs", "dense_test_mean", "dense_test_sd", "train_mean", "fits"),
    *("best_epoch", "best_test_mean", "best_test_sd", "loss_mean", "loss_sd"),
)


def loss(findings: Findings) -> Spread | None:
    """Dense test accuracy minus that at the best moment, paired by seed; None without a best moment."""
    if findings.best is None:
        return None
    dense = {run.seed: run.accuracy("test") for run in findings.dense_runs}
    at_best = [run for run in findings.pruned_runs if run.epoch == findings.best.epoch]
    pairs = [(dense.get(run.seed), run.accuracy("test")) for run in at_best]
    return Spread.of(top - low for top, low in pairs if top is not None and low is not None)


def share(findings: Findings, signal: str) -> float | None:
    """Seconds that ``signal`` took per second of a dense run's training; None when it is not known."""
    return seconds_share(findings.dense_runs, [signal])


def peak_epochs(findings: Findings, signal: str) -> Spread | None:
    """Epochs of the peaks of ``signal``, over the seeds on which it lies inside the run."""
    return Spread.of(peak.epoch for peak in findings.peaks_of(signal) if peak.inside)


def columns(study: Study) -> tuple[str, ...]:
    """The columns of the overview of this study: fixed ones, then those of each signal and each trigger."""
    made = [*_FIRST]
    for signal in study.signals:
        made += [f"{signal}/{name}" for name in ("peak_mean", "peak_sd", "peaks_inside", "peaks")]
        made += [f"{signal}/rank_{part}_{name}" for part in PARTS for name in ("mean", "sd", "low", "high")]
    for trigger in study.triggers:
        made += [f"{trigger}/{name}" for name in ("fired", "epoch_mean", "epoch_sd", "regret_mean", "regret_sd")]
        made += [f"{trigger}/{name}" for name in ("regret_low", "regret_high", "cost_mean", "cost_sd")]
    return (*made, *(f"seconds_share/{name}" for name in (*study.signals, *study.triggers)))


def rows(study: Study, found: Sequence[Findings]) -> list[Row]:
    """The overview as a table: a row per setting and density."""
    return [_row(study, findings) for findings in found]


def _row(study: Study, findings: Findings) -> Row:
    best, train = findings.best, findings.train
    row: Row = {
        **{"setting": findings.setting, "density": findings.density, "seeds": len(findings.seeds)},
        **{"epochs": findings.epochs, **_two("dense_test", findings.dense)},
        "train_mean": None if train is None else train.mean,
        "fits": findings.fits,
        "best_epoch": None if best is None else best.epoch,
        **_two("best_test", None if best is None else best.test),
        **_two("loss", loss(findings)),
    }
    for signal in study.signals:
        peaks = findings.peaks_of(signal)
        row |= _two(f"{signal}/peak", peak_epochs(findings, signal))
        row |= {f"{signal}/peaks_inside": sum(peak.inside for peak in peaks), f"{signal}/peaks": len(peaks)}
        row[f"seconds_share/{signal}"] = share(findings, signal)
        for part in PARTS:
            found = findings.correlation(signal, part)
            row |= _two(f"{signal}/rank_{part}", None if found is None else found.spread)
            row |= _ends(f"{signal}/rank_{part}", None if found is None else found.interval)
    for result in findings.triggers:
        name = result.trigger
        row[f"{name}/fired"] = len(result.choices)
        row |= _two(f"{name}/epoch", Spread.of(choice.epoch for choice in result.choices))
        row |= _two(f"{name}/regret", result.regret) | _ends(f"{name}/regret", result.interval)
        row |= _two(f"{name}/cost", result.cost)
        row[f"seconds_share/{name}"] = result.seconds_share
    return row


def _two(name: str, spread: Spread | None) -> Row:
    mean, sd = (None, None) if spread is None else (spread.mean, spread.sd)
    return {f"{name}_mean": mean, f"{name}_sd": sd}


def _ends(name: str, interval: tuple[float, float] | None) -> Row:
    return {f"{name}_low": interval and interval[0], f"{name}_high": interval and interval[1]}
