"""Tables of a study of tickets with a fixed order of columns, and their CSV files.

Whatever depends on the clock stands in columns that begin with ``seconds``. Accuracies are fractions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from secateurs.report.overview import Row
from secateurs.report.rows import number
from secateurs.report.tables import to_csv
from secateurs.report.tickets import copies_tables
from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.columns import Table, of, spread_row
from secateurs.report.tickets.compared import compared, reach
from secateurs.report.tickets.courses import PARTS, course, dilations, speeds, stop_of
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.rows import DENSE, TicketRun

_CELL = ("setting", "ticket", "level", "density", "rewind", "step")

TOGETHER = 5000
"""So many rows are in memory at once when files are written."""


def place_row(findings: TicketFindings, cell: Cell) -> Row:
    """Which cell it is, as columns."""
    place: Row = {"ticket": cell.ticket, "level": cell.level, "density": cell.density}
    return {"setting": findings.setting, **place, "rewind": cell.rewind, "step": cell.step}


def _cells(findings: TicketFindings) -> Iterator[Cell]:
    """Every cell; the dense network, which is the same at every moment, once and without one."""
    dense = [cell for cell in findings.cells if cell.ticket == DENSE]
    yield from (replace(cell, rewind=None, step=None) for cell in dense[:1])
    yield from (cell for cell in findings.cells if cell.ticket != DENSE)


def _runs(findings: TicketFindings) -> Iterator[Row]:
    names = ("test_accuracy", "validation_accuracy", "train_accuracy")
    for cell in _cells(findings):
        for run in cell.runs:
            stop = stop_of(run)
            yield {
                **place_row(findings, cell),
                "seed": run.seed,
                **{name: number(run.summary, name) for name in names},
                "density_of_mask": _kept(run),
                "empty_layers": " ".join(run.empty_layers),
                "step_of_least_validation_loss": None if stop is None else stop.step,
                "test_accuracy_there": None if stop is None else stop.test,
                "diverged": run.diverged,
                "untrained": run.untrained,
                "seconds": number(run.summary, "seconds"),
            }


def _kept(run: TicketRun) -> float | None:
    facts = run.summary if "layer_densities" in run.summary else run.mask
    return number(facts, "density")


def _accuracy(findings: TicketFindings) -> Iterator[Row]:
    for cell in _cells(findings):
        low, high = cell.interval or (None, None)
        yield {
            **place_row(findings, cell),
            "seeds": len(cell.accuracies()),
            **spread_row("test", cell.accuracies().values()),
            **spread_row("validation", cell.accuracies("validation").values()),
            **spread_row("train", cell.accuracies("train").values()),
            **spread_row("difference", cell.differences),
            **{"difference_low": low, "difference_high": high, "matching": cell.matching},
            **{"diverged": len(cell.diverged), "missing": len(cell.missing)},
        }


def _compared(findings: TicketFindings) -> Iterator[Row]:
    for each in compared(findings):
        low, high = each.interval or (None, None)
        yield {
            **{"setting": findings.setting, "ticket": each.ticket, "other": each.other, "level": each.level},
            **{"density": each.density, "rewind": each.rewind, "step": each.step, "seeds": each.difference.n},
            **{"difference_mean": each.difference.mean, "difference_sd": each.difference.sd},
            **{"difference_low": low, "difference_high": high, "told": each.said},
        }


def _reach(findings: TicketFindings) -> Iterator[Row]:
    for name in findings.tickets:
        for rewind in dict.fromkeys(cell.rewind for cell in findings.cells if cell.ticket == name):
            found = reach(findings.line(name, rewind))
            where: Row = {"setting": findings.setting, "ticket": name, "rewind": rewind, "step": found.step}
            again = " ".join(str(each) for each in found.again)
            yield {**where, "matches_down_to": found.down_to, "again_at": again, "next_unknown": found.open}


def _ranges(findings: TicketFindings) -> Iterator[Row]:
    for density, name in findings.ranges:
        yield {"setting": findings.setting, "density": density, "range": name}


def _training(findings: TicketFindings) -> Iterator[Row]:
    for cell in _cells(findings):
        for part in PARTS:
            for what in ("accuracy", "loss"):
                found = course(cell, f"{part}_{what}")
                for step, values in zip(found.steps, found.values, strict=True) if found is not None else ():
                    where: Row = {**place_row(findings, cell), "part": part, "what": what, "training_step": step}
                    yield {**where, "seeds": len(values), **spread_row("value", values)}


def _speed(findings: TicketFindings) -> Iterator[Row]:
    for each in speeds(findings):
        where: Row = {**place_row(findings, each.cell), "seeds": len(each.stops)}
        yield {**where, **spread_row("step", each.steps), **spread_row("test", each.tests)}


def _dilated(findings: TicketFindings) -> Iterator[Row]:
    for run in findings.dilated:
        place: Row = {"setting": run.setting, "ticket": run.ticket, "level": run.level, "density": run.density}
        accuracy = number(run.summary, "test_accuracy")
        yield {**place, "seed": run.seed, "factor": run.factor, "test_accuracy": accuracy, "diverged": run.diverged}


def _dilation(findings: TicketFindings) -> Iterator[Row]:
    for each in dilations(findings):
        place: Row = {"setting": findings.setting, "ticket": each.ticket, "level": each.level}
        counts: Row = {"density": each.density, "seeds": len(each.by_seed), "never": len(each.never)}
        yield {**place, **counts, **spread_row("least", each.known)}


def _starts(findings: TicketFindings) -> Iterator[Row]:
    names = ("test_accuracy", "train_accuracy", "l2_from_initialisation")
    for each in findings.starts:
        place: Row = {"setting": each.setting, "seed": each.seed, "rewind": each.rewind, "step": each.step}
        yield {**place, **{name: number(each.summary, name) for name in names}}


TABLES: Mapping[str, Table] = {
    "runs": Table(
        (
            *(*_CELL, "seed", "test_accuracy", "validation_accuracy", "train_accuracy", "density_of_mask"),
            *(
                "empty_layers",
                "step_of_least_validation_loss",
                "test_accuracy_there",
                "diverged",
                "untrained",
                "seconds",
            ),
        ),
        _runs,
    ),
    "accuracy": Table(
        (
            *(*_CELL, "seeds", *of("test", "validation", "train", "difference")),
            *("difference_low", "difference_high", "matching", "diverged", "missing"),
        ),
        _accuracy,
    ),
    "compared": Table(
        (
            *("setting", "ticket", "other", "level", "density", "rewind", "step", "seeds"),
            *("difference_mean", "difference_sd", "difference_low", "difference_high", "told"),
        ),
        _compared,
    ),
    "reach": Table(("setting", "ticket", "rewind", "step", "matches_down_to", "again_at", "next_unknown"), _reach),
    "ranges": Table(("setting", "density", "range"), _ranges),
    "training": Table((*_CELL, "part", "what", "training_step", "seeds", *of("value")), _training),
    "speed": Table((*_CELL, "seeds", *of("step", "test")), _speed),
    "dilated": Table(
        ("setting", "ticket", "level", "density", "seed", "factor", "test_accuracy", "diverged"), _dilated
    ),
    "dilation": Table(("setting", "ticket", "level", "density", "seeds", "never", *of("least")), _dilation),
    "starts": Table(
        ("setting", "seed", "rewind", "step", "test_accuracy", "train_accuracy", "l2_from_initialisation"), _starts
    ),
    **copies_tables.TABLES,
}
"""The tables by name: those of chapter 3, then those of chapter 4."""


def tables(found: Sequence[TicketFindings]) -> dict[str, list[Row]]:
    """All tables by name, with the rows of all settings."""
    return {name: [row for each in found for row in table.rows(each)] for name, table in TABLES.items()}


def write_tables(found: Sequence[TicketFindings], folder: Path) -> list[Path]:
    """Write every table as ``<folder>/<name>.csv``, not all rows at once: those of ways are many. Return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in TABLES.items():
        path = folder / f"{name}.csv"
        rows = (row for each in found for row in table.rows(each))
        with path.open("w", encoding="utf-8") as file:
            file.write(to_csv((), table.columns))
            while some := list(islice(rows, TOGETHER)):
                file.write(to_csv(some, table.columns).partition("\n")[2])
        written.append(path)
    return written
