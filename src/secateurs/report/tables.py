"""Tables of a study with a fixed order of columns, and their CSV files.

Whatever depends on the clock stands in columns that begin with ``seconds``, so that the tables of
two runs can be compared without them. Accuracies are fractions.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from secateurs.report import overview
from secateurs.report.costs import COST_COLUMNS, cost_columns
from secateurs.report.curves import Spread
from secateurs.report.findings import Findings
from secateurs.report.overview import Row, Value
from secateurs.report.rows import Study, number

COLUMNS: dict[str, tuple[str, ...]] = {
    "runs": (
        *("setting", "density", "seed", "moment", "epoch", "chosen_by"),
        *("test_accuracy", "validation_accuracy", "train_accuracy", "diverged", "seconds"),
    ),
    "signals": ("setting", "seed", "signal", "epoch", "value", "seconds"),
    "curve": (
        *("setting", "density", "epoch", "moment"),
        *("seeds", "test_mean", "test_sd", "validation_mean", "validation_sd", "best"),
    ),
    "correlations": ("setting", "density", "signal", "part", "moments", "seeds", "mean", "sd", "low", "high"),
    "peaks": ("setting", "density", "signal", "seed", "epoch", "value", "place", "drop"),
    "triggers": (
        *("setting", "density", "trigger", "fired", "never", "lost", "regret_mean", "regret_sd"),
        *("regret_low", "regret_high", "cost_mean", "cost_sd"),
    ),
    "choices": (
        *("setting", "density", "trigger", "seed", "moment", "epoch"),
        *("at_bound", "test_accuracy", "best_epoch", "regret", "cost"),
    ),
    "costs": ("setting", "density", "seed", "moment", "epoch", "chosen_by", "test_accuracy", *COST_COLUMNS),
    "instability": (
        *("setting", "seed", "moment", "epoch", "train_instability", "test_instability"),
        *("stable", "l2_from_initialisation", "diverged"),
    ),
}
"""The tables by name, and the columns of each; ``overview`` has columns that follow from the study."""


def columns_of(study: Study) -> dict[str, tuple[str, ...]]:
    """Every table of this study and its columns: those of :data:`COLUMNS` and ``overview``."""
    return {"overview": overview.columns(study), **COLUMNS}


def tables(study: Study, found: Sequence[Findings]) -> dict[str, list[Row]]:
    """All tables of a study by name: its runs and signals as they are, and what was found."""
    return {
        "overview": overview.rows(study, found),
        "runs": _runs(study),
        "signals": _signals(study),
        "curve": [row for item in found for row in _curve(item)],
        "correlations": [row for item in found for row in _correlations(item)],
        "peaks": [row for item in found for row in _peaks(item)],
        "triggers": [row for item in found for row in _triggers(item)],
        "choices": [row for item in found for row in _choices(item)],
        "costs": _costs(study),
        "instability": _instability(study),
    }


def to_csv(rows: Sequence[Mapping[str, Value]], columns: Sequence[str]) -> str:
    r"""CSV text with exactly ``columns``; None is an empty cell, floats keep every digit.

    Text that a spreadsheet would take for a formula begins with an apostrophe.

    >>> to_csv([{"a": 0.1, "b": None}], ["b", "a"])
    'b,a\n,0.1\n'
    >>> to_csv([{"a": "=1+1", "b": "-1e-3"}], ["b", "a"])
    "b,a\n-1e-3,'=1+1\n"
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _inert(value: Value) -> Value:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def write_tables(study: Study, found: Sequence[Findings], folder: Path) -> list[Path]:
    """Write every table as ``<folder>/<name>.csv``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written, columns = [], columns_of(study)
    for name, rows in tables(study, found).items():
        path = folder / f"{name}.csv"
        path.write_text(to_csv(rows, columns[name]), encoding="utf-8")
        written.append(path)
    return written


def _runs(study: Study) -> list[Row]:
    rows: list[Row] = []
    for root in study.dense:
        place: Row = {"density": 1.0, "moment": None, "epoch": None, "chosen_by": "dense"}
        rows.append({"setting": root.setting, "seed": root.seed, **place, **_result(root.summary)})
    for run in study.pruned:
        place = {"density": run.density, "moment": run.moment, "epoch": run.epoch, "chosen_by": " ".join(run.chosen_by)}
        rows.append({"setting": run.setting, "seed": run.seed, **place, **_result(run.summary)})
    return rows


def _result(summary: Mapping[str, object]) -> Row:
    names = ("test_accuracy", "validation_accuracy", "train_accuracy", "seconds")
    diverged = summary.get("diverged")
    return {**{name: number(summary, name) for name in names}, "diverged": None if diverged is None else str(diverged)}


def _signals(study: Study) -> list[Row]:
    rows: list[Row] = []
    for run in study.dense:
        for signal in study.signals:
            times = dict(zip(*run.series(f"seconds/{signal}"), strict=True))
            for epoch, value in zip(*run.series(signal), strict=True):
                measured: Row = {"signal": signal, "epoch": epoch, "value": value, "seconds": times.get(epoch)}
                rows.append({"setting": run.setting, "seed": run.seed, **measured})
    return rows


def _costs(study: Study) -> list[Row]:
    """A row for each dense run and each reason to prune: what a trigger's run cost includes its signals."""
    rows: list[Row] = []
    for root in study.dense:
        place: Row = {"density": 1.0, "moment": None, "epoch": None, "chosen_by": "dense"}
        known: Row = {"test_accuracy": root.accuracy("test"), **cost_columns(root.summary.get("costs") or {})}
        rows.append({"setting": root.setting, "seed": root.seed, **place, **known})
    for run in study.pruned:
        for who in run.chosen_by:
            place = {"density": run.density, "moment": run.moment, "epoch": run.epoch, "chosen_by": who}
            known = {"test_accuracy": run.accuracy("test"), **cost_columns(run.costs.get(who, {}))}
            rows.append({"setting": run.setting, "seed": run.seed, **place, **known})
    return rows


def _instability(study: Study) -> list[Row]:
    rows: list[Row] = []
    for run in study.instability:
        measured = [number(run.summary, name) for name in COLUMNS["instability"][4:6]]
        rows.append(
            {
                **{"setting": run.setting, "seed": run.seed, "moment": run.moment, "epoch": run.epoch},
                **dict(zip(COLUMNS["instability"][4:6], measured, strict=True)),
                "stable": run.summary.get("stable"),
                "l2_from_initialisation": number(run.summary, "l2_from_initialisation"),
                "diverged": run.summary.get("diverged"),
            }
        )
    return rows


def _where(found: Findings) -> Row:
    return {"setting": found.setting, "density": found.density}


def _moments(name: str, spread: Spread | None) -> Row:
    mean, sd = (None, None) if spread is None else (spread.mean, spread.sd)
    return {f"{name}_mean": mean, f"{name}_sd": sd}


def _curve(found: Findings) -> list[Row]:
    return [
        {
            **_where(found),
            **{"epoch": point.epoch, "moment": point.moment, "seeds": point.test.n},
            **_moments("test", point.test),
            **_moments("validation", point.validation),
            "best": point == found.best,
        }
        for point in found.curve
    ]


def _correlations(found: Findings) -> list[Row]:
    return [
        {
            **_where(found),
            **{"signal": each.signal, "part": each.part, "moments": each.moments, "seeds": each.spread.n},
            **{"mean": each.spread.mean, "sd": each.spread.sd},
            **{"low": each.interval and each.interval[0], "high": each.interval and each.interval[1]},
        }
        for each in found.correlations
    ]


def _peaks(found: Findings) -> list[Row]:
    return [
        {
            **_where(found),
            **{"signal": peak.signal, "seed": peak.seed, "epoch": peak.epoch, "value": peak.value},
            **{"place": peak.place, "drop": peak.drop},
        }
        for peak in found.peaks
    ]


def _triggers(found: Findings) -> list[Row]:
    return [
        {
            **_where(found),
            "trigger": result.trigger,
            "fired": len(result.choices),
            "never": " ".join(str(seed) for seed in result.never),
            "lost": " ".join(str(seed) for seed in result.lost),
            **_moments("regret", result.regret),
            "regret_low": result.interval and result.interval[0],
            "regret_high": result.interval and result.interval[1],
            **_moments("cost", result.cost),
        }
        for result in found.triggers
    ]


def _choices(found: Findings) -> list[Row]:
    return [
        {
            **_where(found),
            **{"trigger": result.trigger, "seed": choice.seed, "moment": choice.moment, "epoch": choice.epoch},
            **{"at_bound": choice.at_bound, "test_accuracy": choice.test, "best_epoch": choice.best_epoch},
            **{"regret": choice.regret, "cost": choice.cost},
        }
        for result in found.triggers
        for choice in result.choices
    ]
