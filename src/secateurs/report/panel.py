"""What stands in a panel: curves of pruned networks, the dense line, a signal on the second axis.

The colours are told apart by the colour-blind (Okabe and Ito), and the lines by their style and
their markers in grey print.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN
from matplotlib.ticker import MaxNLocator

from secateurs.report.curves import Spread, find_peak
from secateurs.report.findings import Findings
from secateurs.report.words import number_of, signal_name

BLUE, GREY = "#0072B2", "#333333"
SIGNAL_COLOURS = {"fisher_trace": "#C8410B", "kl_uniform": "#B07D00"}
OTHER_COLOURS = ("#007F5F", "#A0457F")
RING = "best (validation)"


@dataclass(frozen=True)
class Look:
    """How a curve of pruned networks is drawn."""

    colour: str = BLUE
    marker: str = "o"


LOOKS = (Look(), Look("#3FA7DC", "s"), Look("#00324F", "^"), Look("#6F63C6", "D"), Look("#009E9E", "v"))
"""Several curves in one panel: blues, since blue is the accuracy axis, each with its own marker."""

APART = (Look(), Look("#C8410B", "s"))
"""Two studies in one panel: as far apart as can be."""


def signal_colour(signal: str, index: int) -> str:
    """The colour of a signal; ``index`` is its place among those drawn, for one that has no colour of its own."""
    return SIGNAL_COLOURS.get(signal, OTHER_COLOURS[index % len(OTHER_COLOURS)])


def curve(axes: Axes, findings: Findings, look: Look, label: str = "pruned") -> Iterator[Line2D]:
    """Draw the curve of the pruned networks and a ring around the best moment; the first handle is the curve's."""
    epochs = [point.epoch for point in findings.curve]
    low, middle, high = _band([point.test for point in findings.curve], scale=100)
    axes.fill_between(epochs, low, high, color=look.colour, alpha=0.18, linewidth=0)
    (line,) = axes.plot(epochs, middle, color=look.colour, marker=look.marker, linewidth=1.8, label=label)
    line.set_markersize(4.5)
    yield line
    if findings.best is not None:
        place = ([findings.best.epoch], [100 * findings.best.test.mean])
        (ring,) = axes.plot(*place, color=look.colour, marker="o", linestyle="none", label=RING)
        ring.set(markersize=11, markerfacecolor="none", markeredgewidth=1.6)
        yield ring


def dense_line(axes: Axes, findings: Findings, *, label: str | None = None, colour: str = GREY) -> Iterator[Line2D]:
    """Draw the accuracy of the dense networks, when it is known."""
    if findings.dense is not None:
        level = 100 * findings.dense.mean
        label = f"dense, {level:.1f} %" if label is None else label
        yield axes.axhline(level, color=colour, linestyle=(0, (5, 3)), linewidth=1.4, label=label)


def signal_line(axes: Axes, findings: Findings, signal: str, colour: str) -> Iterator[Line2D]:
    """Draw a signal from epoch 1 on, as the paper does: the untrained network's value can dwarf the rest."""
    measured = findings.signal(signal)
    if measured is None:
        return
    trained = [(epoch, value) for epoch, value in zip(measured.epochs, measured.values, strict=True) if epoch > 0]
    epochs = [epoch for epoch, _ in trained]
    low, middle, high = _band([value for _, value in trained])
    axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
    yield axes.plot(epochs, middle, color=colour, linestyle=(0, (1, 0.9)), linewidth=2.4, label=signal_name(signal))[0]
    top = peak_of_mean(findings, signal)
    if top is not None:
        axes.plot(*([value] for value in top), color=colour, marker=CARETDOWN, markersize=10)  # its tip is the point
    axes.tick_params(axis="y", colors=colour)


def fired(axes: Axes, findings: Findings, signal: str, colour: str, *, named: bool = True) -> Iterator[Line2D]:
    """A star on a signal's curve where each trigger that reads it fired, in the mean over seeds (P1 figure 2).

    Hollow where its bound alone made it fire; a level line where it waits for the signal to fall.
    """
    measured = findings.signal(signal)
    for result in findings.triggers if measured is not None else ():
        where = Spread.of(choice.epoch for choice in result.choices)
        if measured is None or where is None or signal not in result.needs:
            continue
        height = float(np.interp(where.mean, measured.epochs, [value.mean for value in measured.values]))
        hollow = len(result.by_bound) == len(result.choices)
        label = plain(f"{result.trigger}, epoch {number_of(round(where.mean, 1))}") if named else "trigger fired"
        (star,) = axes.plot([where.mean], [height], color=colour, marker="*", linestyle="none", label=label, zorder=5)
        star.set(markersize=13, markerfacecolor="white" if hollow else colour)
        yield star
        if result.threshold is not None and result.threshold[0] == signal:
            axes.axhline(result.threshold[1], color=colour, linewidth=0.8, alpha=0.6)


def ring_mark(ring: Line2D) -> Line2D:
    """The legend's entry for the rings of several curves."""
    mark = Line2D([], [], color=GREY, marker="o", linestyle="none", label=RING)
    mark.set(markersize=ring.get_markersize(), markerfacecolor="none", markeredgewidth=1.6)
    return mark


def peak_mark(colour: str, label: str) -> Line2D:
    """The legend's entry for the peak of a signal."""
    return Line2D([], [], color=colour, marker="v", markersize=8, linestyle="none", label=label)


def peak_of_mean(findings: Findings, signal: str) -> tuple[float, float] | None:
    """Epoch and height of the peak of the mean over seeds, which is what is drawn; None: no peak inside the run."""
    measured = findings.signal(signal)
    if measured is None:
        return None
    found = find_peak(measured.epochs, [value.mean for value in measured.values])
    if found is None or found[1] != "inside":
        return None
    return measured.epochs[found[0]], measured.values[found[0]].mean


def accuracy_axis(axes: Axes, *, label: bool = True, colour: str = BLUE) -> None:
    """Say what the left axis is, in the colour of its curves."""
    if label:
        axes.set_ylabel("test accuracy (%)", color=colour)
    axes.tick_params(axis="y", colors=colour)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)


def epoch_axis(axes: Axes, epochs: int, label: str = "epoch", ticks: int = 8) -> None:
    """The lower axis: the whole run, at whole epochs."""
    axes.set_xlabel(label)
    axes.set_xlim(-0.02 * epochs, 1.02 * epochs)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))


def wrapped(label: str, width: int) -> str:
    """A label in lines of at most ``width`` letters."""
    return textwrap.fill(label, width)


def legend_above(axes: Axes, handles: Sequence[Line2D], columns: int = 2) -> None:
    """The legend of a single panel: above it, where no line can run through it."""
    axes.legend(
        handles=list(handles),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=columns,
        frameon=False,
        handlelength=1.8,
        columnspacing=1.2,
    )


def plain(label: str) -> str:
    r"""A label from the user: nothing in it is taken for mathematics, and none is left out of a legend.

    >>> plain("costs $5"), plain("_net")
    ('costs \\$5', ' _net')
    """
    return f"{' ' if label.startswith('_') else ''}{label}".replace("$", r"\$")


def _band(spreads: Sequence[Spread], scale: float = 1.0) -> tuple[list[float], list[float], list[float]]:
    """Mean less, mean, and mean plus one standard deviation (none for a single seed)."""
    rows = [(scale * item.mean, scale * (item.sd or 0.0)) for item in spreads]
    return [mean - sd for mean, sd in rows], [mean for mean, _ in rows], [mean + sd for mean, sd in rows]
