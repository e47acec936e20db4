"""All settings beside each other (P3 tables 1 to 3): a row for each setting, a column for each method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.marks import Mark, marks
from secateurs.report.methods.words import percent_removed, pruned_when
from secateurs.report.words import NOTHING, plain_percent, signed

Marked = tuple[str, Mark]
"""What a cell shows, and whether that is the best or the second best of its row."""


@dataclass(frozen=True)
class Row:
    """A setting, at one moment and density.

    ``when`` is empty in a setting of one moment. ``dense``: accuracy of its dense networks.
    """

    setting: str
    when: str
    sparsity: str
    dense: str
    accuracies: tuple[Marked, ...]
    changes: tuple[Marked, ...]


@dataclass(frozen=True)
class Across:
    """The table of one density, or of all where each setting has one of its own.

    ``sparsity`` is empty then: rows say it. ``methods`` are the columns.
    """

    sparsity: str
    methods: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def several_moments(self) -> bool:
        """Whether rows say when pruning was done."""
        return any(row.when for row in self.rows)


def across(found: Sequence[MethodFindings]) -> tuple[Across, ...]:
    """Accuracy of each plain method in each setting; nothing in a study of one, or where nothing was trained.

    Structured and unstructured methods are judged apart. Where a seed is missing, or diverged, a mean cannot win.
    """
    there = [findings for findings in found if findings.has_results]
    if len(there) < 2:
        return ()
    densities = sorted({density for findings in there for density in findings.densities}, reverse=True)
    if all(len(findings.densities) == 1 for findings in there):
        several = len(densities) > 1
        return (_table(there, "" if several else percent_removed(densities[0]), densities),)
    return tuple(_table(there, percent_removed(density), [density]) for density in densities)


def _table(found: Sequence[MethodFindings], sparsity: str, densities: Sequence[float]) -> Across:
    spots = [
        (findings, group, density)
        for findings in found
        for group in findings.groups
        for density in group.densities
        if density in densities
    ]
    plain = found[0].study.plain
    names = [name for name in plain if any(group.cell(name, density) for _, group, density in spots)]
    rows = (_row(findings, group, density, names) for findings, group, density in spots)
    return Across(sparsity, tuple(names), tuple(rows))


def _row(findings: MethodFindings, group: Group, density: float, names: Sequence[str]) -> Row:
    cells = [group.cell(name, density) for name in names]
    accuracies = (NOTHING if cell is None else plain_percent(cell.test) for cell in cells)
    changes = (NOTHING if cell is None or cell.difference is None else signed(cell.difference.mean) for cell in cells)
    best: list[Mark] = [""] * len(cells) if findings.at_chance else list(_marks(cells))
    return Row(
        setting=findings.setting,
        when=f"pruned {pruned_when(group)}" if len(findings.groups) > 1 else "",
        sparsity=percent_removed(density),
        dense=plain_percent(findings.dense),
        accuracies=tuple(zip(accuracies, best, strict=True)),
        changes=tuple(zip(changes, best, strict=True)),
    )


def _marks(cells: Sequence[Cell | None]) -> Iterator[Mark]:
    """Best and second best by accuracy, among methods of one kind."""
    by: dict[str, list[Mark]] = {}
    for how in {cell.how for cell in cells if cell is not None}:
        judged = (cell if cell is not None and cell.how == how and cell.whole else None for cell in cells)
        by[how] = marks([None if cell is None or cell.test is None else 100 * cell.test.mean for cell in judged])
    for place, cell in enumerate(cells):
        yield "" if cell is None else by[cell.how][place]
