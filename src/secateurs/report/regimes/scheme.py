"""The regimes over load and temperature, and which way P4 moves the temperature in each (its figure 1), drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch

from secateurs.core.regimes import Regime
from secateurs.report.regimes import words
from secateurs.report.regimes.borders import Regimes, named, regimes_of
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.claims import Change, moves
from secateurs.report.regimes.diagram import (
    HATCHES,
    INK,
    Dashes,
    Diagram,
    grid,
    hatched,
    lines_between,
    size_of,
    square,
)
from secateurs.report.regimes.findings import RegimeFindings

COLOURS: dict[Regime, str] = {"I": "#6F9BC4", "II-A": "#F4EBD3", "II-B": "#B5D39A"}
"""Apart in hue for those who see colours, in lightness for those who do not."""

LABELS: dict[Regime, str] = {regime: f"{regime}: {words.REGIMES[regime]}" for regime in COLOURS}
"""In the legend."""

ARROWS: dict[str, tuple[str, Dashes, float, str]] = {
    "helps": (INK, "-", 1.8, "error falls, told apart"),
    "": ("#5A5A5A", (0, (2.5, 1.5)), 1.2, "not told apart"),
    "harms": ("#B3261E", (0, (1, 1)), 1.8, "error rises, told apart"),
}
"""By what came of a change of temperature, how its arrow is drawn: colour, dashes, width, and what it says."""

ASIDE = 0.12
"""How far from the middle of a column arrows stand where there are two: hotter to the left, colder to the right."""


def panels(findings: RegimeFindings) -> Iterator[Diagram]:
    """One panel, where the regime of some cell is known."""
    if regimes_of(findings):
        yield Diagram("", alt(findings), size_of(findings), partial(_draw, findings))


def alt(findings: RegimeFindings) -> str:
    """The panel in words, load by load."""
    said = f"Regimes, {findings.setting}, from the highest temperature to the lowest."
    for load in findings.load.values:
        told: list[str] = []
        for cell in findings.column(load):
            name = cell.regime or "not known"
            if not told or not told[-1].startswith(f"{name} "):
                told.append(f"{name} ")
            value = words.temperature_value(cell.temperature)
            told[-1] += value if told[-1].endswith(" ") else f", {value}"
        said += f" {words.load_name(findings.load, load)}: {'; '.join(told)}."
    return said


def caption(findings: RegimeFindings) -> str:
    """What the panel shows, and what its arrows are."""
    arrows = moves(findings)
    said = "Each cell's regime, by the means over its seeds."
    if not arrows:
        return said
    return (
        f"{said} Arrows: P4's advice, followed. Up from Regime I ({words.raise_it(findings.temperature)}), from the "
        "coldest temperature to the nearest one out of Regime I, else to the hottest; down within Regime II "
        f"({words.lower_it(findings.temperature)}), from the hottest one to the last one before Regime I, else to the "
        "coldest. Test error at the arrow's end minus at its start, paired by seed; told apart by Student's t over "
        "three seeds or more."
    )


def _draw(findings: RegimeFindings, axes: Axes) -> list[Artist]:
    handles: list[Artist] = []
    for c, load in enumerate(findings.load.values):
        for r, cell in enumerate(findings.column(load)):
            handles += _cell(axes, c, r, cell)
    grid(axes, findings.load, findings.temperature)
    lines_between(axes, findings)
    changes = moves(findings)
    by_load = Counter(change.start.load for change in changes)
    handles += [_arrow(axes, findings, change, both=by_load[change.start.load] > 1) for change in changes]
    _names(axes, regimes_of(findings))
    return sorted(handles, key=lambda handle: _order(str(handle.get_label())))


def _order(label: str) -> int:
    """Regimes come first in the legend, in their order."""
    names = list(LABELS.values())
    return names.index(label) if label in names else len(names)


def _names(axes: Axes, regimes: Regimes) -> None:
    """The regimes' names, between two columns where there is room: arrows stand in the middle of one."""
    box = {"boxstyle": "round,pad=0.16", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "fontweight": "bold", "bbox": box}
    for (c, r), name in named(regimes).items():
        across = 1.0 if regimes.get((c + 1, r)) == name else 0.0 if regimes.get((c - 1, r)) == name else 0.5
        axes.text(c + across, r + 0.5, name, zorder=6, **look)


def _cell(axes: Axes, c: int, r: int, cell: Cell) -> Iterator[Artist]:
    if cell.regime is not None:
        square(axes, c, r, facecolor=COLOURS[cell.regime], edgecolor="white")
        yield Patch(facecolor=COLOURS[cell.regime], label=LABELS[cell.regime])
        return
    hatch, said = HATCHES["undefined" if cell.undefined else cell.lack(None) or "waiting"]
    if cell.guesses:
        hatch, said = "++", "no better than guessing"
    yield hatched(axes, c, r, hatch, said)


def _arrow(axes: Axes, findings: RegimeFindings, change: Change, *, both: bool) -> Artist:
    colour, dashes, width, said = ARROWS[change.said]
    aside = 0.0 if not both else -ASIDE if change.way == "hotter" else ASIDE
    across = findings.load.place(change.start.load) + 0.5 + aside
    start, end = (findings.temperature.place(cell.temperature) + 0.5 for cell in (change.start, change.end))
    arrow = FancyArrowPatch(
        (across, start), (across, end), arrowstyle="-|>", mutation_scale=9, zorder=5, shrinkA=0, shrinkB=0
    )
    arrow.set(color=colour, linewidth=width, linestyle=dashes, zorder=5)
    axes.add_patch(arrow)
    return Line2D([], [], color=colour, linewidth=width, linestyle=dashes, marker=">", markersize=5, label=said)
