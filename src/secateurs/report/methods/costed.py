"""What each method costs: P1's tables 1, 2, 5 and 6, its figure 1, and time over that of dense training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from secateurs.report.costs import Costed, CostTable, against_of, cost_table
from secateurs.report.costs.table import CostCell
from secateurs.report.curves import Spread
from secateurs.report.methods import masks, words
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import KINDS, MethodFindings
from secateurs.report.rows import number
from secateurs.report.words import NOTHING

DENSE = "dense"


@dataclass(frozen=True)
class CostsAt:
    """The costs of all methods of a group at one density; ``against``: what accuracy is drawn against, if anything."""

    group: Group
    density: float
    rows: tuple[Costed, ...]
    table: CostTable
    against: str | None


def costs_at(findings: MethodFindings) -> Iterator[CostsAt]:
    """A table at each density, of many at those that masks are drawn at and the lowest; none where none is known.

    Of several moments the first and the last. The dense networks first, then structured and unstructured
    methods, which are judged apart.
    """
    groups = findings.groups if len(findings.groups) < 2 else (findings.groups[0], findings.groups[-1])
    for group in groups:
        for density in _densities(findings, group):
            cells = [cell for how in KINDS for cell in group.cells if (cell.how, cell.density) == (how, density)]
            known = [cell for cell in cells if any(run.costs for run in cell.runs)]
            if known:
                rows = (*_dense(findings), *(_costed(findings, group, cell) for cell in known))
                table = _with_reported(
                    findings, cost_table(rows, marked=not findings.at_chance), [None, *known][-len(rows) :]
                )
                yield CostsAt(group, density, rows, table, against_of(rows))


def _densities(findings: MethodFindings, group: Group) -> list[float]:
    shown = (
        masks.shown_densities(kind, own) for kind in findings.kinds for own in kind.groups if own.moment == group.moment
    )
    several = group.densities
    if len(several) <= masks.SHOWN:
        return list(several)
    return sorted({several[-1], *(density for densities in shown for density in densities)}, reverse=True)


def _dense(findings: MethodFindings) -> Iterator[Costed]:
    runs = findings.dense_runs
    if runs:
        yield Costed(
            DENSE, [run.accuracy("test") for run in runs], [run.summary.get("costs", {}) for run in runs], dense=True
        )


def _costed(findings: MethodFindings, group: Group, cell: Cell) -> Costed:
    name, lost = group.named(cell.method), words.lost(cell)
    return Costed(
        name=f"{name} ({lost})" if lost else name,
        accuracies=[run.accuracy("test") for run in cell.runs],
        costs=[run.costs for run in cell.runs],
        kind=KINDS[cell.how] if len(findings.kinds) > 1 else "",
        judged=not lost,
    )


def _with_reported(findings: MethodFindings, table: CostTable, cells: Sequence[Cell | None]) -> CostTable:
    """The table with a column for what each source reports of these methods, beside the accuracy; None: dense."""
    study = findings.study
    told = [each for each in study.reported if each.setting == findings.setting]
    for source in reversed(list(dict.fromkeys(each.source for each in told))):
        known = {(each.method, each.density): each.accuracy for each in told if each.source == source}
        found = [known.get((None, None) if cell is None else (cell.method, cell.density)) for cell in cells]
        if any(accuracy is not None for accuracy, cell in zip(found, cells, strict=True) if cell is not None):
            shown = [NOTHING if accuracy is None else f"{100 * accuracy:.1f}" for accuracy in found]
            lines = (
                replace(line, cells=(line.cells[0], CostCell(text), *line.cells[1:]))
                for line, text in zip(table.lines, shown, strict=True)
            )
            heads = (table.heads[0], f"{source}, %", *table.heads[1:])
            table = replace(table, heads=heads, lines=tuple(lines))
    return table


def time_ratio(findings: MethodFindings, cell: Cell) -> Spread | None:
    """The time of the whole cell over that of dense training, paired by seed; None where one is not known."""
    dense = {run.seed: _seconds(run.summary.get("costs", {})) for run in findings.dense_runs}
    pairs = ((_seconds(run.costs), dense.get(run.seed)) for run in cell.runs if run.broke is None)
    return Spread.of(own / whole for own, whole in pairs if own is not None and whole)


def _seconds(costs: Any) -> float | None:
    return number(costs, "seconds")


def sentences(findings: MethodFindings) -> Iterator[str]:
    """The shortest and the longest time of each kind of methods over dense training's, at the highest sparsity."""
    found: dict[float, list[str]] = {}
    for kind in findings.kinds if findings.groups else ():
        group = kind.groups[0]
        density = group.densities[-1]
        cells = [cell for cell in group.cells if cell.density == density]
        timed = [(ratio.mean, cell.method) for cell in cells if (ratio := time_ratio(kind, cell))]
        if timed:
            (low, fast), (high, slow) = min(timed), max(timed)
            span = f"{low:.2f} ({fast})" + (f" to {high:.2f} ({slow})" if len(timed) > 1 else "")
            found.setdefault(density, []).append(f"{kind.kind} {span}".strip())
    for density, parts in found.items():
        where = f"at {words.gone(density, findings.counted)}"
        yield (
            f"Time from start to end {where}, dense training being 1: {'; '.join(parts)}. This is time on the clock of "
            "a machine that may have done other things meanwhile."
        )
