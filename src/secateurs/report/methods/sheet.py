"""Panels on a sheet: each alone for the page, all together for the PNG; and the axes that several share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from secateurs.report import panel
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.curves import Spread
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.looks import Look
from secateurs.report.methods.words import percent_removed

ALONE, AMONG = (4.3, 3.5), (3.7, 3.0)
"""Inches of a panel that stands alone (narrow, so that its letters stay legible on a phone), and among others."""


ALONE_MARGIN = 1.5
"""The ends of a sparsity axis with one density: so many times as high and as low."""


@dataclass(frozen=True)
class Panel:
    """One panel: what it is called, what it shows in words, and how it is drawn (returns the legend's entries)."""

    title: str
    alt: str
    draw: Callable[[Axes], list[Line2D]]


LABEL = 21
"""Letters in a line of a legend: two such columns stand below a panel that stands alone."""


def sheet(panels: Sequence[Panel], *, columns: int | None = None) -> Figure:
    """All panels in one figure with one legend."""
    alone = len(panels) == 1
    columns = columns or (min(len(panels), 3) if len(panels) != 4 else 2)
    rows = -(-len(panels) // columns)
    width, height = ALONE if alone else AMONG
    with our_style():
        figure = new_figure(width * columns, height * rows)
        legend: dict[str, Line2D] = {}
        cells = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, each in zip(cells, panels, strict=False):
            for handle in each.draw(axes):
                legend.setdefault(str(handle.get_label()), handle)
            axes.spines["right"].set_visible(False)
            if each.title:
                axes.set_title(panel.wrapped(each.title, 36 if alone else 34), fontsize=10, parse_math=False)
        for axes in cells[len(panels) :]:
            axes.set_visible(False)
        across = _columns(list(legend), width * columns)
        lines = sum(label.count("\n") + 1 for label in legend) / max(across, 1)
        figure.set_figheight(height * rows + 0.19 * math.ceil(lines) + 0.1)
        figure.legend(
            handles=list(legend.values()),
            loc="outside lower center",
            ncols=across,
            frameon=False,
            handlelength=2.0,
            columnspacing=1.2,
        )
    return figure


def _columns(labels: Sequence[str], inches: float) -> int:
    """How many labels stand side by side in so much room."""
    longest = max((len(line) for label in labels for line in label.split("\n")), default=1)
    return max(1, min(len(labels), int(inches / (0.52 + 0.077 * longest))))


def label(name: str) -> str:
    """A method's name in a legend."""
    return panel.plain(panel.wrapped(name, LABEL))


def curve(axes: Axes, x: Sequence[float], spreads: Sequence[Spread], look: Look, name: str) -> Line2D:
    """A line through means in percent, with a band of one standard deviation; returns the legend's entry."""
    low = [100 * (each.mean - (each.sd or 0.0)) for each in spreads]
    high = [100 * (each.mean + (each.sd or 0.0)) for each in spreads]
    axes.fill_between(x, low, high, color=look.colour, alpha=0.13, linewidth=0)
    axes.plot(x, [100 * each.mean for each in spreads], **look.line(label(name)))
    return look.entry(label(name))


def point(axes: Axes, x: float, spread: Spread, look: Look, name: str) -> Line2D:
    """A mean in percent with a bar of one standard deviation to each side; returns the legend's entry."""
    mean, deviation = 100 * spread.mean, 100 * (spread.sd or 0.0)
    axes.vlines(x, mean - deviation, mean + deviation, color=look.colour, linewidth=1.2)
    line = {**look.line(label(name)), "linestyle": "none"}
    axes.plot([x], [mean], **line)
    return Line2D([], [], **line)


def side_by_side(density: float, count: int) -> list[float]:
    """Places around the only density of an axis, from left to right, so that markers do not hide each other."""
    step = min(0.2, 1.6 / max(count - 1, 1))  # in parts of the way to the axis' ends
    return [density * ALONE_MARGIN ** -(step * (place - (count - 1) / 2)) for place in range(count)]


def within(draw: Callable[[Axes], list[Line2D]], limits: tuple[float, float], axes: Axes) -> list[Line2D]:
    """Draw a panel between limits that it shares with others."""
    handles = draw(axes)
    axes.set_ylim(limits)
    return handles


def limits_of(spreads: Sequence[Spread]) -> tuple[float, float]:
    """What holds all of these with their deviations, in percent."""
    low = min(100 * (each.mean - (each.sd or 0.0)) for each in spreads)
    high = max(100 * (each.mean + (each.sd or 0.0)) for each in spreads)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def dense_line(axes: Axes, findings: MethodFindings) -> list[Line2D]:
    """The dense networks' accuracy, with its band, in grey."""
    if findings.dense is None:
        return []
    level, deviation = 100 * findings.dense.mean, 100 * (findings.dense.sd or 0.0)
    return [level_line(axes, level, level - deviation, level + deviation)]


def level_line(axes: Axes, level: float, low: float, high: float) -> Line2D:
    """The dense networks across a panel, in grey: their mean, and the ends of their band."""
    axes.axhspan(low, high, color=panel.GREY, alpha=0.12, linewidth=0)
    return axes.axhline(level, color="#666666", linestyle=(0, (5, 3)), linewidth=1.4, label="dense")


def accuracy_axis(axes: Axes) -> None:
    """Say what the left axis is."""
    axes.set_ylabel("test accuracy (%)")
    rules(axes)


def rules(axes: Axes) -> None:
    """Faint lines to read heights by."""
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)


def sparsity_axis(axes: Axes, densities: Sequence[float], *, counted: str = "weights") -> None:
    """Sparsity from left to right on a scale that is logarithmic in density, marked where something was tried."""
    axes.set_xscale("log")
    high, low = max(densities), min(densities)
    margin = (high / low) ** 0.05 if high > low else ALONE_MARGIN
    axes.set_xlim(high * margin, low / margin)
    axes.xaxis.set_major_locator(FixedLocator(list(densities)))
    shown = set(spaced([math.log(high / each) for each in densities], least=0.105 * math.log(high / low or 1)))
    texts = [percent_removed(each) if index in shown else "" for index, each in enumerate(densities)]
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel("channels removed (%)" if counted == "channels" else "sparsity (%)")


def spaced(places: Sequence[float], least: float) -> list[int]:
    """Which of these ascending places get a label, so that labels stand apart: the last always, then from the first.

    >>> spaced([0.0, 0.1, 1.0, 1.9, 2.0], least=0.5)
    [0, 2, 4]
    """
    if len(places) < 2:
        return list(range(len(places)))
    kept = [0]
    for index, place in enumerate(places[:-1]):
        if place - places[kept[-1]] >= least and places[-1] - place >= least:
            kept.append(index)
    return [*kept, len(places) - 1]
