"""Phase diagrams of pruning, drawn (P4 figures 2, 7 to 12): numbers over load and temperature, and the regimes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Sheet
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from secateurs.report import panel
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.regimes import words
from secateurs.report.regimes.borders import Segment, between, named, regimes_of
from secateurs.report.regimes.cells import Lack
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.panels import MARKS, Quantity, alt, marks_of, shown
from secateurs.report.regimes.rows import Axis

CELL = (0.46, 0.27)
"""Inches of a cell that its number can be read in, across and down."""

AROUND = (1.5, 1.2)
"""Inches that a panel needs beside its cells: labels, and its scale of colours."""

LEAST = (3.4, 2.6)
"""Inches of a panel at least."""

MOST = (30, 40)
"""A grid with more columns or rows is drawn without numbers, in smaller cells."""

Dashes = Literal["-"] | tuple[float, tuple[float, ...]]

INK, LACKING = "#111111", "#F2F2F2"

HATCHES: dict[Lack, tuple[str, str]] = {
    "waiting": ("....", "no result yet"),
    "diverged": ("////", "diverged"),
    "undefined": ("xxxx", "not defined"),
    "unpaired": ("\\\\\\\\", "no best: too few seeds in common"),
}
"""How a cell without a number is hatched, and why it has none."""


@dataclass(frozen=True)
class Diagram:
    """One panel; ``size``: how many columns and rows of cells it has; ``draw`` returns the legend's entries."""

    title: str
    alt: str
    size: tuple[int, int]
    draw: Callable[[Axes], list[Artist]]

    @property
    def wide(self) -> bool:
        """Whether its numbers need more room than panels of lines do."""
        return self.size[0] > 5


def panels(findings: RegimeFindings) -> Iterator[Diagram]:
    """Error, error above the column's best, LMC and CKA, whichever is known of a cell."""
    for each in shown(findings):
        drawing = partial(_draw, findings, each)
        yield Diagram(f"({each.letter}) {each.title}", alt(findings, each), size_of(findings), drawing)


def size_of(findings: RegimeFindings) -> tuple[int, int]:
    """Columns and rows."""
    return len(findings.load.values), len(findings.temperature.values)


def sheet(panels: Sequence[Diagram], *, columns: int | None = None) -> Sheet:
    """All panels in one figure with one legend; its size follows from the cells."""
    columns = columns or (2 if len(panels) in (2, 4) else min(3, len(panels)))
    rows = -(-len(panels) // columns)
    width, height = _inches(max(each.size[0] for each in panels), max(each.size[1] for each in panels))
    with our_style():
        figure = new_figure(width * columns, height * rows)
        legend: dict[str, Artist] = {}
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, each in zip(places, panels, strict=False):
            for handle in each.draw(axes):
                legend.setdefault(str(handle.get_label()), handle)
            axes.set_title(panel.wrapped(each.title, 40), fontsize=10.5, parse_math=False)
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        if legend:
            longest = max(len(label) for label in legend)
            across = max(1, min(len(legend), int(width * columns / (0.6 + 0.068 * longest))))
            lines = -(-len(legend) // across)
            figure.set_figheight(height * rows + 0.22 * lines + 0.1)
            figure.legend(
                handles=list(legend.values()), loc="outside lower center", ncols=across, frameon=False, fontsize=9
            )
    return figure


def _inches(columns: int, rows: int) -> tuple[float, float]:
    across, down = (min(count, most) for count, most in zip((columns, rows), MOST, strict=True))
    wide, high = AROUND[0] + CELL[0] * across, AROUND[1] + CELL[1] * down
    return max(LEAST[0], wide), max(LEAST[1], high)


def grid(axes: Axes, load: Axis, temperature: Axis) -> None:
    """Axes with a place for each load and each temperature, the hottest on top, and what they are."""
    load_axis(axes, load)
    axes.set_ylim(len(temperature.values), 0)
    every = -(-len(temperature.values) // MOST[1])
    shown = range(0, len(temperature.values), every)
    texts = [words.temperature_value(temperature.values[each]) for each in shown]
    axes.set_yticks([each + 0.5 for each in shown], texts)
    axes.set_ylabel(f"{temperature.label}\n{words.HOTTER} \N{RIGHTWARDS ARROW}", fontsize=10, parse_math=False)
    axes.tick_params(length=0, labelsize=9)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#999999", linewidth=0.7)


def load_axis(axes: Axes, load: Axis) -> None:
    """The lower axis with an even place for each load."""
    axes.set_xlim(0, len(load.values))
    every = -(-len(load.values) // MOST[0])
    shown = range(0, len(load.values), every)
    axes.set_xticks([each + 0.5 for each in shown], [words.load_value(load, load.values[each]) for each in shown])
    axes.set_xlabel(words.axis_label(load), fontsize=10, parse_math=False)


def _draw(findings: RegimeFindings, quantity: Quantity, axes: Axes) -> list[Artist]:
    known = [mean for cell in findings.cells if (mean := quantity.mean(findings, cell)) is not None]
    low, high = quantity.limits(known)
    norm, cmap = Normalize(low, high), colormaps[quantity.colours]
    handles: list[Artist] = []
    bearing = named(regimes_of(findings))
    readable = all(count <= most for count, most in zip(size_of(findings), MOST, strict=True))
    for c, load in enumerate(findings.load.values):
        for r, temperature in enumerate(findings.temperature.values):
            cell = findings.cell(temperature, load)
            value, lack = quantity.mean(findings, cell), quantity.lack(findings, cell)
            if value is None or lack is not None:
                handles.append(_lacking(axes, c, r, lack or "waiting"))
                continue
            colour = cmap(norm(value))
            square(axes, c, r, facecolor=colour, edgecolor="white")
            name = bearing.get((c, r), "")
            if readable or name:
                marks = [mark for mark in marks_of(cell, quantity) if readable]
                handles += [Line2D([], [], color=INK, linestyle="none", marker=f"${m}$", label=MARKS[m]) for m in marks]
                _label(axes, c, r, quantity.text(value) + "".join(marks) if readable else "", name, colour)
    grid(axes, findings.load, findings.temperature)
    _scale(axes, quantity, ScalarMappable(norm, cmap), known)
    return [*handles, *lines_between(axes, findings)]


def _lacking(axes: Axes, c: int, r: int, lack: Lack) -> Artist:
    hatch, said = HATCHES[lack]
    return hatched(axes, c, r, hatch, said)


def hatched(axes: Axes, c: int, r: int, hatch: str, said: str) -> Artist:
    """Draw a cell that nothing is known of; returns the legend's entry."""
    look: dict[str, Any] = {"facecolor": LACKING, "edgecolor": "#8A8A8A", "hatch": hatch}
    square(axes, c, r, **look)
    return Patch(**look, linewidth=0.4, label=said)


def square(axes: Axes, c: int, r: int, **look: Any) -> None:
    """Draw a cell. It lies within the axes: neither their limits nor the layout need to heed it."""
    drawn = Rectangle((c, r), 1, 1, linewidth=0.4, **look)
    drawn.set_in_layout(False)
    axes.add_artist(drawn)


def _label(axes: Axes, c: int, r: int, number: str, name: str, colour: tuple[float, ...]) -> None:
    """The number of a cell, and the regime's name above it, where it bears that."""
    look: dict[str, Any] = {"ha": "center", "va": "center", "color": ink_on(colour), "textcoords": "offset points"}
    look["annotation_clip"] = False  # as for a cell: it is within
    if name:
        up = (0, 4.5 if number else 0)
        axes.annotate(name, (c + 0.5, r + 0.5), up, fontsize=8, fontweight="bold", **look).set_in_layout(False)
    if number:
        down, size = ((0, -4.8), 6.6) if name else ((0, -0.5), 7.6)
        axes.annotate(number, (c + 0.5, r + 0.5), down, fontsize=size, **look).set_in_layout(False)


def ink_on(colour: tuple[float, ...]) -> str:
    """Black on light colours, white on dark ones, whichever has the greater contrast (WCAG 2's luminance)."""
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def _scale(axes: Axes, quantity: Quantity, colours: ScalarMappable, known: Sequence[float]) -> None:
    """The scale of colours, of what is shown only: LMC above 0 is rare."""
    bar = axes.figure.colorbar(colours, ax=axes, pad=0.02, aspect=30, fraction=0.06)
    low, high = quantity.limits(known)
    if low < 0 < high:
        top = high if max(known) > 0.005 else 0.0
        bar.ax.set_ylim(low if min(known) < 0 or not top else 0.0, top)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{quantity.scale * value:.3g}".replace("-", words.MINUS))
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    bar.set_label(quantity.bar, fontsize=9)


def lines_between(axes: Axes, findings: RegimeFindings) -> list[Artist]:
    """Draw the lines between the regimes; returns the legend's entries."""
    poor, similar = between(regimes_of(findings))
    found: list[Artist] = []
    lines: tuple[tuple[list[Segment], Dashes, float, str], ...] = (
        (similar, (0, (3, 1.6)), 1.6, "II-A | II-B"),
        (poor, "-", 2.2, "Regime I | II"),
    )
    for sides, style, width, said in lines:
        if sides:
            _sides(axes, sides, "white", width + 1.8, "-")
            _sides(axes, sides, INK, width, style)
            found.insert(0, Line2D([], [], color=INK, linewidth=width, linestyle=style, label=said))
    return found


def _sides(axes: Axes, sides: Sequence[Segment], colour: str, width: float, style: Dashes) -> None:
    drawn = LineCollection(list(sides), colors=colour, linewidths=width, linestyles=[style], zorder=3)
    drawn.set_clip_on(False)
    axes.add_collection(drawn, autolim=False)
