"""What others report beside what was measured here, in the layout of P2's tables in 5.3.4, 5.3.5 and 5.4.4."""

from __future__ import annotations

from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.rows import MethodStudy, ReportedResult


@dataclass(frozen=True)
class Line:
    """One line: a setting's dense network, and (unless the source reports that alone) a method at one density.

    Accuracies are fractions; ``reported_difference`` and ``difference`` are pruned minus dense. ``cell``
    is the method's earliest moment; None where the study has no such cell.
    """

    setting: str
    dense_reported: float | None
    dense: Spread | None
    density: float | None
    reported: float | None
    reported_difference: float | None
    cell: Cell | None

    @property
    def here(self) -> str:
        """What there is of the pruned network: ``"measured"``, ``"diverged"`` (on every seed) or ``"missing"``."""
        if self.cell is None or self.cell.test is None:
            return "diverged" if self.cell is not None and self.cell.diverged else "missing"
        return "measured"


@dataclass(frozen=True)
class Replication:
    """One table: what ``source`` reports of ``method`` (None: of dense networks alone)."""

    source: str
    method: str | None
    lines: tuple[Line, ...]


def replications(study: MethodStudy, found: tuple[MethodFindings, ...]) -> tuple[Replication, ...]:
    """A table for each source and method, with lines of all settings; one for the dense networks it reports alone."""
    keys = dict.fromkeys((each.source, each.method) for each in study.reported if each.method is not None)
    made = [Replication(*key, tuple(_lines(study, found, *key))) for key in keys]
    told = {(table.source, line.setting) for table in made for line in table.lines}
    alone = [each for each in study.reported if each.method is None and (each.source, each.setting) not in told]
    for source in dict.fromkeys(each.source for each in alone):
        lines = [
            _line(findings, each.accuracy) for each in alone for findings in found if _same(each, source, findings)
        ]
        made.append(Replication(source, None, tuple(lines)))
    return tuple(made)


def _same(each: ReportedResult, source: str, findings: MethodFindings) -> bool:
    return (each.source, each.setting) == (source, findings.setting)


def _lines(study: MethodStudy, found: tuple[MethodFindings, ...], source: str, method: str | None) -> list[Line]:
    lines = []
    for findings in found:
        own = [each for each in study.reported if _same(each, source, findings)]
        dense = next((each.accuracy for each in own if each.method is None), None)
        pruned = {each.density: each.accuracy for each in own if each.method == method and each.density is not None}
        for density in sorted(pruned, reverse=True):
            cells = [cell for cell in findings.all_cells if (cell.method, cell.density) == (method, density)]
            cell = min(cells, key=lambda each: each.epoch, default=None)
            lines.append(_line(findings, dense, density, pruned[density], cell))
    return lines


def _line(
    findings: MethodFindings,
    dense: float | None,
    density: float | None = None,
    reported: float | None = None,
    cell: Cell | None = None,
) -> Line:
    difference = None if dense is None or reported is None else reported - dense
    return Line(findings.setting, dense, findings.dense, density, reported, difference, cell)
