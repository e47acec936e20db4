"""Accuracy at the end against weights remaining (P2 figures 3-3 to 3-7), and at the best rewinding moment (4-13)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods import sheet
from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import Panel
from secateurs.report.tickets import axes as shared
from secateurs.report.tickets import words
from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.findings import RANDOM, TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.rows import DENSE
from secateurs.report.words import listed

MOMENTS = 4
"""So many rewinding moments at most have panels of their own; the tables have all."""

CLOSE = 0.03
"""How far below dense a close-up reaches."""

BEST = Look("#000000", "*")
"""The line of the best rewinding moment."""

Lines = Mapping[str, tuple[Sequence[Cell], Look]]


def against_remaining(findings: TicketFindings) -> Iterator[Panel]:
    """For each rewinding moment a panel of test accuracy and one of train accuracy."""
    for title, lines in _moments(findings):
        for part in ("test", "train"):
            if _means(lines, part):
                said = f"{part}, {title}" if title else part
                yield _panel(findings, lines, part, said)


def near_dense(findings: TicketFindings) -> Iterator[Panel]:
    """The same of test accuracy close to dense, where networks far below it squeeze the rest."""
    dense = findings.dense()
    for title, lines in _moments(findings) if dense is not None else ():
        if dense is not None and _squeezed(_means(lines, "test"), dense.mean):
            yield _panel(findings, lines, "test", f"test, {title}" if title else "test", close=True)


def at_best_moment(findings: TicketFindings) -> Iterator[Panel]:
    """IMP at its best rewinding moment beside k = 0 and the baselines, where there are several (P2 figure 4-13)."""
    imp = findings.imp
    moments = findings.moments_of(imp) if imp is not None else ()
    if imp is None or len(moments) < 2 or not _results(findings.best(imp)):
        return
    look, first = looks_of(findings.study), moments[0]
    lines = {f"{imp}, best k": (findings.best(imp), BEST)}
    for name in (imp, findings.one_of(*RANDOM), findings.one_of("redrawn")):
        if name is not None and _results(findings.line(name, first[0])):
            lines[f"{name}, {words.k(first[1])}"] = (_begun(findings, name, first[0]), look[name])
    yield _panel(findings, lines, "test", "", marked=True)
    dense = findings.dense()
    if dense is not None and _squeezed(_means(lines, "test"), dense.mean):
        yield _panel(findings, lines, "test", "", close=True, marked=True)


def _moments(findings: TicketFindings) -> Iterator[tuple[str, Lines]]:
    look = looks_of(findings.study)
    moments: Sequence[tuple[str | None, int | None]] = words.spread_out(findings.moments, MOMENTS) or [(None, None)]
    for rewind, step in moments:
        lines = {name: (_begun(findings, name, rewind), look[name]) for name in findings.tickets}
        there = {name: each for name, each in lines.items() if _results(each[0])}
        if there:
            yield words.k(step) if step is not None and len(findings.moments) > 1 else "", there


def _begun(findings: TicketFindings, name: str, rewind: str | None) -> tuple[Cell, ...]:
    """A ticket's line, from the dense network on where that is the same network before any weight is gone."""
    line = findings.line(name, rewind)
    if findings.study.roles.get(name) in ("iterative", "one-shot", "trained", "trained at once"):
        at = rewind if line and line[0].rewind is not None else findings.first
        return (*(cell for cell in findings.line(DENSE, at) if cell.level == 0), *line)
    return line


def _results(cells: Sequence[Cell]) -> bool:
    return any(cell.level > 0 and cell.spread() is not None for cell in cells)


def _means(lines: Lines, part: str) -> list[float]:
    spreads = (cell.spread(part) for cells, _ in lines.values() for cell in cells if cell.level > 0)
    return [spread.mean for spread in spreads if spread is not None]


def _squeezed(means: Sequence[float], dense: float) -> bool:
    """Whether much of what is drawn lies near dense, and some of it far below."""
    near = sum(mean > dense - CLOSE for mean in means)
    return len(means) > 3 and min(means) < dense - 3 * CLOSE and near >= 3


def _panel(
    findings: TicketFindings, lines: Lines, part: str, title: str, *, close: bool = False, marked: bool = False
) -> Panel:
    shown = f"{title}, near dense".removeprefix(", ") if close else title
    draw = partial(_draw, findings, lines, part, close=close, marked=marked)
    return Panel(shown, _alt(findings, lines, part, shown), draw)


def _alt(findings: TicketFindings, lines: Lines, part: str, title: str) -> str:
    said = ", ".join(each for each in (findings.setting, title) if each)
    told = [f"Line chart, {said}: {part} accuracy against weights remaining, falling to the right."]
    for name, (cells, _) in lines.items():
        ends = [cell for cell in cells if cell.spread(part) is not None]
        if ends:
            points = [f"{_percent(cell, part)} at {words.left(cell.density)}" for cell in (ends[0], ends[-1])]
            told.append(f"{name}: {', '.join(dict.fromkeys(points))}.")
    return " ".join(told)


def _percent(cell: Cell, part: str) -> str:
    spread = cell.spread(part)
    return "" if spread is None else f"{100 * spread.mean:.1f} %"


def _draw(findings: TicketFindings, lines: Lines, part: str, axes: Axes, *, close: bool, marked: bool) -> list[Line2D]:
    kind = findings.study.band
    whole = [accuracy for run in findings.dense_runs if (accuracy := run.accuracy(part)) is not None]
    handles = shared.level_line(axes, whole, kind)
    densities: set[float] = set()
    for name, (cells, look) in lines.items():
        known = [cell for cell in cells if cell.accuracies(part)]
        if known:
            x = [cell.density for cell in known]
            values = [tuple(cell.accuracies(part).values()) for cell in known]
            handles.append(shared.line(axes, x, values, look, name, kind))
            densities.update(x)
    if marked and findings.most_extreme is not None:
        handles.append(_mark(axes, findings.most_extreme))
    shared.remaining_axis(axes, sorted(densities, reverse=True))
    axes.set_ylabel(f"{part} accuracy (%)")
    sheet.rules(axes)
    if close and whole:
        mean = statistics.fmean(whole)
        top = max([mean, *_means(lines, part)])
        axes.set_ylim(100 * (mean - CLOSE), 100 * (mean + 1.3 * (top - mean)) + 0.15 * 100 * CLOSE)
    return handles


def _mark(axes: Axes, cell: Cell) -> Line2D:
    style: dict[str, Any] = {"color": "#444444", "linestyle": (0, (1, 1.5)), "linewidth": 1.4}
    axes.axvline(cell.density, zorder=0.5, **style)
    return Line2D([], [], label=sheet.label(f"most extreme match, {words.remaining(cell.density)} %"), **style)


def caption(findings: TicketFindings) -> str:
    """What the panels of accuracy show."""
    alone = [name for name in findings.tickets if all(c.rewind is None for c in findings.cells if c.ticket == name)]
    several = len(findings.moments) > 1
    same = f" {listed(alone)}: no rewinding moment, the same in every panel." if alone and several else ""
    few = f" {MOMENTS} of {len(findings.moments)} rewinding moments." if len(findings.moments) > MOMENTS else ""
    return f"Accuracy at the end of training against the weights that remain. {words.bands(findings.study)}{few}{same}"


def close_caption(findings: TicketFindings) -> str:
    """What the close-ups show."""
    return f"The same, from {100 * CLOSE:.0f} points below dense. {words.bands(findings.study)}"


def best_caption(findings: TicketFindings) -> str:
    """What the panel of the best moment shows."""
    return (
        f"{findings.imp} at the moment with the highest mean test accuracy beyond dense of the same seeds, chosen at "
        f"each level among {len(findings.moments_of(findings.imp or ''))}, beside the earliest one and the baselines "
        f"there. {words.bands(findings.study)} "
        "The best of several on test data is a little too good; it serves to choose a level to look at, as in P2."
    )
