"""What the figures of tickets share: weights remaining on a logarithmic axis, bands, the dense network in grey."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from secateurs.report.methods import sheet
from secateurs.report.methods.looks import Look
from secateurs.report.tickets import words
from secateurs.report.tickets.cells import band
from secateurs.report.tickets.rows import Band

MARKED = 12
"""So many markers at most stand on a line of looks."""


def line(
    axes: Axes,
    x: Sequence[float],
    values: Sequence[Sequence[float]],
    look: Look,
    name: str,
    kind: Band,
    *,
    scale: float = 100.0,
) -> Line2D:
    """A line through the means of what was measured at each place, with its band; returns the legend's entry."""
    edges = [band([scale * each for each in own], kind) for own in values]
    axes.fill_between(
        x, [low for _, low, _ in edges], [high for _, _, high in edges], color=look.colour, alpha=0.15, lw=0
    )
    (drawn,) = axes.plot(x, [mean for mean, _, _ in edges], **look.line(sheet.label(name)))
    if len(x) > MARKED:
        drawn.set_markevery(max(1, len(x) // MARKED))
    return look.entry(sheet.label(name))


def level_line(axes: Axes, values: Sequence[float], kind: Band, *, scale: float = 100.0) -> list[Line2D]:
    """The dense networks across the panel, in grey with their band; nothing where there is no value."""
    if not values:
        return []
    mean, low, high = band([scale * each for each in values], kind)
    return [sheet.level_line(axes, mean, low, high)]


def remaining_axis(axes: Axes, densities: Sequence[float]) -> None:
    """Weights remaining in percent, falling to the right on a logarithmic axis, marked where something was tried."""
    axes.set_xscale("log")
    high, low = max(densities), min(densities)
    margin = (high / low) ** 0.04 if high > low else sheet.ALONE_MARGIN
    axes.set_xlim(high * margin, low / margin)
    axes.xaxis.set_major_locator(FixedLocator(list(densities)))
    shown = set(sheet.spaced([math.log(high / each) for each in densities], least=0.13 * math.log(high / low or 1)))
    texts = [words.remaining(each) if index in shown else "" for index, each in enumerate(densities)]
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel("weights remaining (%)")
