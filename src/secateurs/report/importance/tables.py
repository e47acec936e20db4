"""The tables of P3's analyses with a fixed order of columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from secateurs.report.curves import Spread
from secateurs.report.importance.findings import ImportanceFindings
from secateurs.report.importance.rows import ImportanceStudy
from secateurs.report.overview import Row
from secateurs.report.rows import number
from secateurs.report.tables import to_csv

COLUMNS: dict[str, tuple[str, ...]] = {
    "correlations": (
        *("setting", "unit", "epoch", "entries", "seeds", "correlation_mean", "correlation_sd"),
        *("of_sums_mean", "of_sums_sd", "of_scales_mean", "of_scales_sd", "mask_distance_mean", "mask_distance_sd"),
    ),
    "scatters": ("setting", "unit", "epoch", "entries", "seeds", "correlation_mean", "correlation_sd"),
    "points": ("setting", "unit", "epoch", "seed", "first", "second"),
    "gradient_norms": ("setting", "layer", "width", "epoch", "seeds", "norm_mean", "norm_sd"),
    "runs": (
        *("setting", "seed", "test_accuracy", "validation_accuracy", "train_accuracy"),
        *("seconds", "diverged"),
    ),
}
"""The tables by name, and the columns of each; ``points`` are theta' g and theta' Hg of those that are drawn."""


def tables(study: ImportanceStudy, found: Sequence[ImportanceFindings]) -> dict[str, list[Row]]:
    """All tables by name."""
    return {
        "correlations": [row for each in found for row in _changes(each)],
        "scatters": [row for each in found for row in _flows(each)],
        "points": [row for each in found for row in _points(each)],
        "gradient_norms": [row for each in found for row in _norms(each)],
        "runs": list(_runs(study)),
    }


def write_tables(study: ImportanceStudy, found: Sequence[ImportanceFindings], folder: Path) -> list[Path]:
    """Write every table as ``<folder>/<name>.csv``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in tables(study, found).items():
        path = folder / f"{name}.csv"
        path.write_text(to_csv(rows, COLUMNS[name]), encoding="utf-8")
        written.append(path)
    return written


def _changes(found: ImportanceFindings) -> Iterator[Row]:
    for curve in found.changes:
        for point in curve.points:
            yield {
                **{"setting": found.setting, "unit": curve.unit, "epoch": point.epoch, "entries": point.entries},
                "seeds": 0 if point.correlation is None else point.correlation.n,
                **_spread("correlation", point.correlation),
                **_spread("of_sums", point.of_sums),
                **_spread("of_scales", point.of_scales),
                **_spread("mask_distance", point.distance),
            }


def _flows(found: ImportanceFindings) -> Iterator[Row]:
    for point in found.flows:
        yield {
            **{"setting": found.setting, "unit": point.unit, "epoch": point.epoch, "entries": point.entries},
            "seeds": 0 if point.correlation is None else point.correlation.n,
            **_spread("correlation", point.correlation),
        }


def _points(found: ImportanceFindings) -> Iterator[Row]:
    for point in found.flows:
        where: Row = {"setting": found.setting, "unit": point.unit, "epoch": point.epoch, "seed": point.seed}
        for first, second in point.pairs:
            yield {**where, "first": first, "second": second}


def _norms(found: ImportanceFindings) -> Iterator[Row]:
    for layer in found.layers:
        for epoch, norm in zip(layer.epochs, layer.norms, strict=True):
            where: Row = {"setting": found.setting, "layer": layer.layer, "width": layer.width, "epoch": epoch}
            yield {**where, "seeds": norm.n, **_spread("norm", norm)}


def _runs(study: ImportanceStudy) -> Iterator[Row]:
    for run in study.runs:
        names = ("test_accuracy", "validation_accuracy", "train_accuracy", "seconds")
        values = {name: number(run.summary, name) for name in names}
        yield {"setting": run.setting, "seed": run.seed, **values, "diverged": run.diverged}


def _spread(name: str, spread: Spread | None) -> Row:
    mean, sd = (None, None) if spread is None else (spread.mean, spread.sd)
    return {f"{name}_mean": mean, f"{name}_sd": sd}
