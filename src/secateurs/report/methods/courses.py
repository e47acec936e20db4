"""Accuracy over training, over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secateurs.report.methods.cells import Cell
from secateurs.report.rows import number

PARTS = {"train": "training", "validation": "validation"}
"""Of which parts of the data there are curves; test data are looked at once, at the end."""


@dataclass(frozen=True)
class Course:
    """Accuracy over training (a fraction): at each epoch the mean over seeds, the lowest and the highest."""

    epochs: tuple[float, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


def course_of(logs: Sequence[Sequence[Mapping[str, Any]]], part: str) -> Course | None:
    """The course over seeds of what logs hold as ``<part>_accuracy``; None where none does.

    Only epochs that every log with such values has: the mean over fewer would jump.
    """
    at: dict[float, list[float]] = defaultdict(list)
    there = 0
    for rows in logs:
        found = {row["epoch"]: value for row in rows if (value := number(row, f"{part}_accuracy")) is not None}
        there += bool(found)
        for epoch, value in found.items():
            at[float(epoch)].append(value)
    full = {epoch: values for epoch, values in sorted(at.items()) if len(values) == there}
    if not full:
        return None
    means = tuple(sum(values) / there for values in full.values())
    return Course(tuple(full), means, tuple(map(min, full.values())), tuple(map(max, full.values())))


def course(cell: Cell, part: str) -> Course | None:
    """The course of a cell's runs; those that diverged take no part."""
    return course_of([run.rows for run in cell.runs if run.broke is None], part)
