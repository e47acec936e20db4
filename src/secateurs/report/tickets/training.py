"""Accuracy along training: levels of IMP (P2 figure 3-1), and one of them with its weights drawn anew (3-2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from secateurs.report.methods import sheet
from secateurs.report.methods.looks import MARKERS, Look
from secateurs.report.methods.sheet import Panel
from secateurs.report.tickets import axes as shared
from secateurs.report.tickets import words
from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.courses import course, looked_at
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import DENSE_LOOK, looks_of
from secateurs.report.tickets.rows import DENSE, Band

LEVELS = 6
"""So many levels at most stand in a panel."""

Curve = tuple[Cell, Look, str]


def over_training(findings: TicketFindings) -> Iterator[Panel]:
    """A panel with dense and some levels of IMP; one with dense, one level of IMP and the same re-initialised."""
    part, imp = looked_at(findings), findings.imp
    first = findings.first_of(imp) if imp is not None else None
    if part is None or imp is None or first is None:
        return
    name = f"{part}_accuracy"
    cells = [cell for cell in findings.line(imp, first) if cell.level and course(cell, name) is not None]
    whole = [cell for cell in findings.line(DENSE, first) if course(cell, name) is not None]
    dense: list[Curve] = [(cell, DENSE_LOOK, DENSE) for cell in whole]
    if cells:
        redrawn = findings.one_of("redrawn")
        pair = _pair(findings, cells, redrawn, name) if redrawn is not None else None
        some = [*words.spread_out(cells, LEVELS), *(pair[:1] if pair is not None else ())]
        chosen = [cell for cell in cells if cell in some]
        curves = [(cell, look, _name(cell)) for cell, look in zip(chosen, _levels(chosen), strict=True)]
        yield _panel(findings, [*dense, *curves], part, f"{imp}, {words.k(cells[0].step or 0)}")
        if pair is not None:
            # One legend for both panels: the level looks as it does among the others.
            own = [curve for curve in curves if curve[0] is pair[0]]
            again = (pair[1], looks_of(findings.study)[pair[1].ticket], _name(pair[1]))
            yield _panel(findings, [*dense, *own, again], part, f"{words.left(pair[0].density)}")


def _name(cell: Cell) -> str:
    return f"{cell.ticket}, {words.left(cell.density)}"


def _pair(findings: TicketFindings, cells: Sequence[Cell], redrawn: str, name: str) -> tuple[Cell, Cell] | None:
    """IMP and its re-initialisation at the most extreme level at which IMP matches; else at the first there is."""
    both = [(cell, findings.cell(redrawn, cell.level, cell.rewind)) for cell in cells]
    known = [(own, other) for own, other in both if other is not None and course(other, name) is not None]
    matching = [each for each in known if each[0].matching]
    return (matching[-1] if matching else known[0]) if known else None


def _levels(cells: Sequence[Cell]) -> Iterator[Look]:
    last = max(len(cells) - 1, 1)
    for place in range(len(cells)):
        yield Look(to_hex(colormaps["plasma"](0.88 * (1 - place / last))), MARKERS[place % len(MARKERS)])


def _panel(findings: TicketFindings, curves: Sequence[Curve], part: str, title: str) -> Panel:
    ends = ", ".join(f"{label} {100 * cell_end:.1f} %" for label, cell_end in _ends(curves, part))
    alt = f"Line chart, {findings.setting}, {title}: {part} accuracy by training step. At the end: {ends}."
    return Panel(title, alt, partial(_draw, list(curves), part, findings.study.band))


def _ends(curves: Sequence[Curve], part: str) -> Iterator[tuple[str, float]]:
    for cell, _, label in curves:
        found = course(cell, f"{part}_accuracy")
        if found is not None:
            yield label, sum(found.values[-1]) / len(found.values[-1])


def _draw(curves: Sequence[Curve], part: str, kind: Band, axes: Axes) -> list[Line2D]:
    handles, tops = [], []
    for cell, look, label in curves:
        found = course(cell, f"{part}_accuracy")
        if found is not None:
            handles.append(shared.line(axes, found.steps, found.values, look, label, kind))
            tops.append(sorted(100 * sum(own) / len(own) for own in found.values))
    axes.set_xlabel("training step")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel(f"{part} accuracy (%)")
    sheet.rules(axes)
    # The first steps are far below all that one wants to see; P2 cuts them off as well.
    low, high = min(own[len(own) // 3] for own in tops), max(own[-1] for own in tops)
    axes.set_ylim(low - 0.15 * (high - low) - 0.2, high + 0.1 * (high - low) + 0.2)
    return handles


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    part, alone = looked_at(findings), len(list(over_training(findings))) == 1
    more = "" if part == "test" else f" Nobody looked at test data on the way: this is {part} accuracy."
    return (
        f"Accuracy against the step of training, each network looked at along the way. {words.bands(findings.study)} "
        f"{'The panel leaves' if alone else 'Both panels leave'} out the bottom of the axis: of each line up to a "
        f"third of the looks, those with the lowest accuracy, may lie below it.{more}"
    )
