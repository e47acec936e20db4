"""SAM's neighbourhood size, drawn (P4 figure 6): CKA over rho and load, and test error at the rho that is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.core.regimes import highest
from secateurs.report.methods.sheet import Panel
from secateurs.report.regimes import axes as shared
from secateurs.report.regimes import diagram, words
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.choices import Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.panels import CKA, shown
from secateurs.report.regimes.regrets import Judged
from secateurs.report.regimes.rho_told import by_cka, rhos

LOOKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "color": "#333333", "markerfacecolor": "white"},
    {"marker": "s", "color": "#3FA7DC"},
    {"marker": "^", "color": "#A87400"},
)
"""Fixed rho: none, a small one, the largest."""

CHOSEN: dict[str, Any] = {"marker": "*", "color": "#B3121D", "markersize": 11.0}
"""P4's red, and its star."""

STAR: dict[str, Any] = {"marker": "*", "markersize": 9.5, "markeredgewidth": 0.8, "linestyle": "none"}


def cka_panels(found: RegimeFindings) -> Iterator[diagram.Diagram]:
    """The diagram of CKA with a star in the cell with the highest one of each load."""
    if rhos(found) is None:
        return
    for quantity, each in zip(shown(found), diagram.panels(found), strict=True):
        if quantity is CKA:
            at = ((words.load_name(found.load, cell.load), cell.temperature) for cell in stars(found))
            told = ", ".join(f"{load} {words.temperature_name(found.temperature, rho)}" for load, rho in at)
            alt = f"{each.alt} Highest CKA: {told}."
            yield replace(each, title="CKA", alt=alt, draw=partial(_starred, found, each))


def stars(found: RegimeFindings) -> Iterator[Cell]:
    """By load the cell with the highest mean CKA, of those that have it on most seeds; of equal ones the hottest."""
    for load in found.load.values:
        column = found.column(load)
        full = max((cell.cka.n for cell in column if cell.cka is not None), default=0)
        place = highest([None if cell.cka is None or cell.cka.n < full else cell.cka.mean for cell in column])
        if place is not None:
            yield column[place]


def _starred(found: RegimeFindings, plain: diagram.Diagram, axes: Axes) -> list[Artist]:
    handles = plain.draw(axes)
    look = {**STAR, "markerfacecolor": "black", "markeredgecolor": "white"}
    for cell in stars(found):
        column, row = found.load.place(cell.load), found.temperature.place(cell.temperature)
        axes.plot([column + 0.87], [row + 0.22], zorder=4, **look)
    return [*handles, Line2D([], [], label="highest CKA", **look)]


def error_panels(found: RegimeFindings) -> Iterator[Panel]:
    """Test error at fixed rho and at the chosen one, by load."""
    of = rhos(found)
    if of is not None:
        yield Panel("", _alt(found, of), partial(_draw, found, of))


def drawn_ways(of: Judged) -> tuple[Way, ...]:
    """The fixed ones, and the choice by CKA at the end of retraining where there are two."""
    return (*(way for way in of.ways if way not in (of.grid, *by_cka(of))), by_cka(of)[0])


def _draw(found: RegimeFindings, of: Judged, axes: Axes) -> list[Line2D]:
    ways = drawn_ways(of)
    handles = []
    for place, way in enumerate(ways):
        look = CHOSEN if way in by_cka(of) else LOOKS[place % len(LOOKS)]
        apart = 0.16 * (place - (len(ways) - 1) / 2)
        lines = of.of(way)
        x = [found.load.place(line.load) + apart for line in lines if line.load is not None]
        handles.append(shared.points(axes, x, [line.error for line in lines], _short(way, of), **look))
    dashes: dict[str, Any] = {"color": "#333333", "linestyle": (0, (3, 1.2)), "linewidth": 1.4}
    for line in of.of(of.grid):
        if line.error is not None and line.load is not None:
            place = found.load.place(line.load)
            axes.hlines(100 * line.error.mean, place - 0.38, place + 0.38, zorder=1.5, **dashes)
    shared.load_axis(axes, found.load)
    shared.error_axis(axes)
    return [*handles, Line2D([], [], label="grid search", **dashes)]


def _short(way: Way, of: Judged) -> str:
    return "highest CKA" if way in by_cka(of) else way.name


def _alt(found: RegimeFindings, of: Judged) -> str:
    told = []
    for load in found.load.values:
        errors = [
            f"{_short(way, of)} {words.tenths(None if line.error is None else line.error.mean)}"
            for way in (*drawn_ways(of), of.grid)
            for line in of.of(way)
            if line.load == load
        ]
        told.append(f"{words.load_name(found.load, load)}: {', '.join(errors)}")
    return f"Test error in percent by SAM's rho, {found.setting}. {'; '.join(told)}."
