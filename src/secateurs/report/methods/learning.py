"""Training and validation accuracy at each epoch, method by method (P3 figures 1, 4 to 12 and 22 to 30)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateurs.report.methods import captions, looks, masks, sheet
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.courses import PARTS, Course, course, course_of
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.sheet import Panel


def over_epochs(findings: MethodFindings) -> Iterator[Panel]:
    """For each kind of method, at the first and the last moment, two panels: training and validation accuracy.

    Of several densities one in the middle of those at which masks are drawn.
    """
    for kind in findings.kinds:
        for group in kind.groups if len(kind.groups) < 2 else (kind.groups[0], kind.groups[-1]):
            shown = masks.shown_densities(kind, group)
            density = shown[len(shown) // 2]
            cells = [cell for name in group.methods if (cell := group.cell(name, density)) is not None]
            yield from _pair(kind, group, density, [cell for cell in cells if cell.method in findings.study.plain])


def _pair(findings: MethodFindings, group: Group, density: float, cells: Sequence[Cell]) -> Iterator[Panel]:
    several = len(findings.densities) > 1
    where = captions.mask_title(findings, group, density) if several else captions.moment_title(findings, group)
    for part, called in PARTS.items():
        found = {cell.method: each for cell in cells if (each := course(cell, part)) is not None}
        if found:
            title = f"{where}, {called}" if where else called
            ends = {name: (each.epochs[-1], each.means[-1]) for name, each in found.items()}
            yield Panel(title, captions.learning_alt(ends, title), partial(_draw, findings, part, found))


def _draw(findings: MethodFindings, part: str, found: Mapping[str, Course], axes: Axes) -> list[Line2D]:
    look, handles = looks.looks_of(findings.study), []
    dense = course_of([run.log for run in findings.dense_runs if run.diverged is None], part)
    if dense is not None:
        style: dict[str, Any] = {"color": "#666666", "linestyle": (0, (5, 3)), "linewidth": 1.4, "label": "dense"}
        handles += axes.plot(dense.epochs, [100 * mean for mean in dense.means], **style)
    for index, (name, each) in enumerate(found.items()):
        low, high = ([100 * value for value in ends] for ends in (each.lows, each.highs))
        axes.fill_between(each.epochs, low, high, color=look[name].colour, alpha=0.13, linewidth=0)
        means = [100 * mean for mean in each.means]
        (line,) = axes.plot(each.epochs, means, **look[name].line(sheet.label(name)))
        apart = max(1, len(means) // 8)  # a marker at each epoch would be a caterpillar
        line.set_markevery((index * apart // len(found), apart))
        handles.append(look[name].entry(sheet.label(name)))
    axes.set_xlabel("epoch of training")
    axes.set_ylabel(f"{PARTS[part]} accuracy (%)")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    sheet.rules(axes)
    return handles
