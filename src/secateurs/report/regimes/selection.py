"""Which dense network to prune, drawn (P4 figures 4 and 16): test error at each way's choice, over the load."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from secateurs.report.methods.sheet import Panel
from secateurs.report.regimes import axes as shared
from secateurs.report.regimes import words
from secateurs.report.regimes.choices import Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.regrets import Judged, Line
from secateurs.report.regimes.selection_told import caption, selected, way

COLOURS = "cividis"
"""From dark, poorly connected, to light, well connected: P4's yellow, and in the same order in grey."""

APART = 0.13
"""Both choices stand so far to either side of their load."""

GRID_LOOK: dict[str, Any] = {"color": "#333333", "linestyle": (0, (5, 2)), "linewidth": 1.5}
LOWEST_LOOK: dict[str, Any] = {"color": "#777777", "linestyle": (0, (1, 1.6)), "linewidth": 1.5}

__all__ = ["caption", "panels"]


def panels(found: RegimeFindings) -> Iterator[Panel]:
    """A panel for each of Algorithms 2 and 2.1, and Algorithm 2 as printed, each with the conventional choice."""
    of = selected(found)
    if of is None:
        return
    for name in ("Algorithm 2", "Algorithm 2.1", "Algorithm 2 as printed"):
        own = way(of, name)
        if any(line.error is not None for line in of.of(own)):
            title = f"{name}{', test data' if own.on_test else ''}"
            yield Panel(title, _alt(found, of, own), partial(_draw, found, of, own))


def _draw(found: RegimeFindings, of: Judged, own: Way, axes: Axes) -> list[Line2D]:
    known = [line.lmc for line in of.lines if line.lmc is not None and line.way is not of.grid]
    scale = ScalarMappable(Normalize(min([2 * found.terms.threshold, *known]), 0.0, clip=True), colormaps[COLOURS])
    handles = [_across(axes, found, of), _lowest(axes, found, of)]
    looks = ((way(of, "conventional"), "X", 11.5, "conventional"), (own, "s", 6.5, "the algorithm"))
    for (each, marker, size, name), beside in zip(looks, (-APART, APART), strict=True):
        for line in of.of(each):
            if line.error is not None and line.load is not None:
                _marked(axes, found.load.place(line.load) + beside, line, marker, size, scale)
        handles.append(Line2D([], [], marker=marker, markersize=size, linestyle="none", label=name, **_edge("#BBBBBB")))
    shared.load_axis(axes, found.load)
    shared.error_axis(axes)
    bar = axes.figure.colorbar(scale, ax=axes, pad=0.02, aspect=30, fraction=0.06)
    when = words.when(found.terms, "probe").removesuffix(" of retraining")
    bar.set_label(f"LMC {when}", fontsize=8)
    bar.ax.tick_params(labelsize=8, length=2)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}".replace("-", words.MINUS))
    bar.outline.set_visible(False)
    return handles


def _edge(colour: object) -> dict[str, Any]:
    return {"markerfacecolor": colour, "markeredgecolor": "black", "markeredgewidth": 0.9}


def _marked(axes: Axes, place: float, line: Line, marker: str, size: float, scale: ScalarMappable) -> None:
    """One choice: its error over seeds, in the colour of its LMC; white where that is not known."""
    colour = "white" if line.lmc is None else tuple(scale.to_rgba(np.asarray(line.lmc)))
    shared.points(axes, [place], [line.error], "", marker=marker, markersize=size, color="black", **_edge(colour))


def _across(axes: Axes, found: RegimeFindings, of: Judged) -> Line2D:
    there = [(found.load.place(each.load), each.error.mean) for each in of.of(of.grid) if each.error and each.load]
    axes.plot([x for x, _ in there], [100 * y for _, y in there], zorder=1, **GRID_LOOK)
    return Line2D([], [], label="grid search", **GRID_LOOK)


def _lowest(axes: Axes, found: RegimeFindings, of: Judged) -> Line2D:
    """The lowest test error of any candidate, the mean over seeds: chosen on test data."""
    there: dict[int, list[float]] = {}
    for column in of.columns:
        if (column.load, column.seed) not in of.shared:
            continue
        errors = [error for cell in column.cells if (error := cell.error("test")) is not None]
        if errors:
            there.setdefault(found.load.place(column.load), []).append(min(errors))
    axes.plot(list(there), [100 * fmean(errors) for errors in there.values()], zorder=1, **LOWEST_LOOK)
    return Line2D([], [], label="lowest (by test)", **LOWEST_LOOK)


def _alt(found: RegimeFindings, of: Judged, own: Way) -> str:
    told = []
    for load in found.load.values:
        errors = [
            words.tenths(None if line.error is None else line.error.mean)
            for each in (way(of, "conventional"), own, of.grid)
            for line in of.of(each)
            if line.load == load
        ]
        told.append(f"{words.load_name(found.load, load)}: {', '.join(errors)}")
    return (
        f"Test error in percent at the choices of the conventional way, {own.name} and grid search, {found.setting}. "
        f"{'; '.join(told)}."
    )
