"""Accuracy against sparsity (P2 figures 5-3 to 5-5, 5-7 to 5-10, 5-13) and against the moment (5-12, 5-14)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateurs.report.curves import Spread, signal_curve
from secateurs.report.methods import captions, looks, sheet, words
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.curves import at_each_density, at_each_moment, rate_drops
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import Panel

WEIGHT_CHANGE, SIGNAL = "weight_change", "#A87400"
"""EarlyCroP's signal, and its colour."""

CLOSE = 0.05
"""How far below dense a close-up reaches."""


def against_sparsity(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per moment with the plain methods; a close-up after it where failures squeeze the rest.

    Structured and unstructured methods have panels of their own, of one height (P1 figure 3).
    """
    look = looks.looks_of(findings.study)
    several = len(findings.kinds) > 1
    for kind in findings.kinds:
        for group in at_each_density(kind):
            names = [name for name in group.methods if name in findings.study.plain]
            title = captions.moment_title(kind, group)
            panel = _panel(kind, group, names, look, title)
            limits = sheet.limits_of(_spreads(findings, findings.study.plain)) if several else None
            yield panel if limits is None else replace(panel, draw=partial(sheet.within, panel.draw, limits))
            if _squeezed(kind, group, names):
                yield _panel(kind, group, names, look, f"{title}, near dense".removeprefix(", "), close=True)


def against_sparsity_by_family(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per moment and method that has changes: the method and its changes (P2 figures 5-5, 5-8, 5-13)."""
    seen = set()
    panels: list[Panel] = []
    drawn: list[Spread] = [] if findings.dense is None else [findings.dense]
    for group in at_each_density(findings):
        for plain in group.methods:
            family = looks.family_looks(findings.study, plain)
            names = [name for name in group.methods if name in family and _means(group, [name])]
            cell = group.cells_of(plain)[0]
            if (
                len(names) > 1 and plain in names and (plain, cell.moment) not in seen
            ):  # pinned methods stand in every group
                seen.add((plain, cell.moment))
                panels.append(_panel(findings, group, names, family, f"{plain}, pruned {words.when(cell)}"))
                drawn += [cell.test for cell in group.cells if cell.test is not None and cell.method in names]
    for panel in panels:  # one height for all, or the same loss would look like another one
        yield replace(panel, draw=partial(sheet.within, panel.draw, sheet.limits_of(drawn)))


def against_moment(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per density with the plain methods (P2 figure 5-12)."""
    for density, cells in at_each_moment(findings):
        plain = {name: cells[name] for name in findings.study.plain if name in cells}
        if plain:
            title = words.gone(density, findings.counted)
            yield _moments(findings, plain, looks.looks_of(findings.study), title, density)


def against_moment_by_family(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per density and method that has changes (P2 figure 5-14)."""
    for density, cells in at_each_moment(findings):
        for plain in findings.study.plain:
            family = looks.family_looks(findings.study, plain)
            own = {name: cells[name] for name in findings.study.methods if name in family and name in cells}
            if len(own) > 1 and plain in own:
                yield _moments(findings, own, family, f"{plain}, {words.gone(density, findings.counted)}", density)


def _panel(
    findings: MethodFindings,
    group: Group,
    names: Sequence[str],
    look: Mapping[str, Look],
    title: str,
    close: bool = False,
) -> Panel:
    alt = captions.sparsity_alt(findings, group, names)
    return Panel(title, alt, partial(_draw, findings, group, list(names), look, close))


def _draw(
    findings: MethodFindings, group: Group, names: Sequence[str], look: Mapping[str, Look], close: bool, axes: Axes
) -> list[Line2D]:
    handles = sheet.dense_line(axes, findings)
    places = sheet.side_by_side(group.densities[0], len(names)) if len(group.densities) == 1 else None
    for index, name in enumerate(names):
        points = [(cell.density, cell.test) for cell in group.cells_of(name) if cell.test is not None]
        if points:
            x, spreads = zip(*points, strict=True)
            entry = _entry(findings, group, name, names)
            if places is None:
                handles.append(sheet.curve(axes, x, spreads, look[name], entry))
            else:
                handles.append(sheet.point(axes, places[index], spreads[0], look[name], entry))
    sheet.accuracy_axis(axes)
    sheet.sparsity_axis(axes, group.densities, counted=group.counted)
    if close and findings.dense is not None:
        top = max(_means(group, names), default=findings.dense.mean)
        axes.set_ylim(100 * (findings.dense.mean - CLOSE), 100 * max(findings.dense.mean, top) + 0.6)
    return handles


def _entry(findings: MethodFindings, group: Group, name: str, names: Sequence[str]) -> str:
    """The legend's entry: in a family what was changed, else the method."""
    return _in_family(findings, name, names) or group.named(name)


def _in_family(findings: MethodFindings, name: str, names: Sequence[str]) -> str | None:
    if name in findings.study.base and findings.study.base[name] in names:
        return findings.study.change_of(name)
    return "unchanged" if any(findings.study.base.get(other) == name for other in names) else None


def _spreads(findings: MethodFindings, names: Sequence[str]) -> list[Spread]:
    dense = [] if findings.dense is None else [findings.dense]
    return dense + [cell.test for cell in findings.all_cells if cell.test is not None and cell.method in names]


def _means(group: Group, names: Sequence[str]) -> list[float]:
    return [cell.test.mean for cell in group.cells if cell.test is not None and cell.method in names]


def _squeezed(findings: MethodFindings, group: Group, names: Sequence[str]) -> bool:
    """Whether much of what is drawn lies near dense, and some of it far below."""
    means = _means(group, names)
    if findings.dense is None or len(means) < 4:
        return False
    floor = findings.dense.mean - CLOSE
    return min(means) < findings.dense.mean - 3 * CLOSE and statistics.median(means) > floor


def _moments(
    findings: MethodFindings, cells: Mapping[str, Sequence[Cell]], look: Mapping[str, Look], title: str, density: float
) -> Panel:
    alt = captions.moment_alt(findings, cells, title)
    return Panel(title, alt, partial(_draw_moments, findings, cells, look, density))


def _draw_moments(
    findings: MethodFindings, cells: Mapping[str, Sequence[Cell]], look: Mapping[str, Look], density: float, axes: Axes
) -> list[Line2D]:
    handles = sheet.dense_line(axes, findings)
    drops = rate_drops(findings)
    for place, epoch in enumerate(drops):
        axes.axvline(epoch, color="#999999", linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=0.5)
        if place == 0:
            style = {"color": "#999999", "linestyle": (0, (1, 1.5)), "linewidth": 1.2}
            handles.append(Line2D([], [], **style, label="learning rate drops"))  # type: ignore[arg-type]
    names = list(cells)
    for name in names:
        points = [(cell.epoch, cell.test) for cell in cells[name] if cell.test is not None]
        if points:
            x, spreads = zip(*points, strict=True)
            handles.append(sheet.curve(axes, x, spreads, look[name], _in_family(findings, name, names) or name))
    sheet.accuracy_axis(axes)
    axes.set_xlabel("epoch of pruning")
    axes.set_xlim(-0.02 * findings.epochs, 1.02 * findings.epochs)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return handles + _chosen(findings, density, look, axes) + _weight_change(findings, axes)


def _chosen(findings: MethodFindings, density: float, look: Mapping[str, Look], axes: Axes) -> list[Line2D]:
    """Where triggers told methods to prune, as stars, with a bar from the earliest to the latest (P1 figures 2, 8)."""
    handles = []
    for cell in findings.all_cells:
        if cell.triggered and cell.density == density and cell.test is not None and cell.method in look:
            height, colour = 100 * cell.test.mean, look[cell.method].colour
            axes.hlines(height, *cell.epochs, color=colour, linewidth=1.2)
            star: dict[str, Any] = {"color": colour, "marker": "*", "markersize": 11, "linestyle": "none"}
            handles += axes.plot([cell.epoch], [height], label=sheet.label(f"{cell.method} (by trigger)"), **star)
    return handles


def _weight_change(findings: MethodFindings, axes: Axes) -> list[Line2D]:
    """EarlyCroP's signal on an axis of its own, where the dense runs logged it."""
    found = signal_curve(findings.dense_runs, WEIGHT_CHANGE)
    if found is None:
        return []
    other = axes.twinx()
    other.spines["right"].set_color(SIGNAL)
    other.tick_params(axis="y", colors=SIGNAL, labelsize=9)
    other.set_ylabel("relative weight change", color=SIGNAL)
    means = [each.mean for each in found.values]
    return other.plot(found.epochs, means, color=SIGNAL, linestyle=(0, (1, 0.9)), linewidth=1.8, label="weight change")
