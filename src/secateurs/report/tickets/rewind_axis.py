"""The axis of the rewinding moments k: those that were tried, equally spaced, as P2 chapter 4 has them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from secateurs.core import STABLE_BELOW
from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import label, spaced
from secateurs.report.tickets.cells import band
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import BOUND
from secateurs.report.tickets.pairs import Sample
from secateurs.report.tickets.rows import Band

BAND = 0.13
"""How opaque bands are."""

MARGIN = 0.35
"""Room at the ends of the axis, in distances between moments."""


@dataclass(frozen=True)
class RewindAxis:
    """The rewinding moments of a figure, in steps, and how many steps make an epoch."""

    steps: tuple[int, ...]
    per_epoch: int

    @property
    def unit(self) -> Literal["epochs", "steps"]:
        """Epochs where every moment is at the end of one."""
        whole = all(step % self.per_epoch == 0 for step in self.steps)
        return "epochs" if whole and any(self.steps) else "steps"

    def name(self, step: int) -> str:
        """A moment, at its tick.

        >>> axis = RewindAxis((0, 50, 2000, 10400), 391)
        >>> [axis.name(step) for step in axis.steps], RewindAxis((0, 782), 391).name(782)
        (['0', '50', '2k', '10.4k'], '2')
        """
        if self.unit == "epochs":
            return str(step // self.per_epoch)
        return f"{step / 1000:g}k" if step >= 1000 and step % 100 == 0 else str(step)

    def place(self, step: float) -> float:
        """Where a moment stands; between two that were tried, in proportion.

        >>> axis = RewindAxis((0, 10, 100), 391)
        >>> axis.place(0), axis.place(100), axis.place(55)
        (0.0, 2.0, 1.5)
        """
        above = min(max(bisect_right(self.steps, step), 1), len(self.steps) - 1)
        if above < 1:
            return 0.0
        low, high = self.steps[above - 1], self.steps[above]
        return above - 1 + (step - low) / (high - low)

    def across(self, axes: Axes) -> None:
        """Make this the horizontal axis."""
        axes.set_xlabel(f"k ({self.unit})")
        axes.set_xlim(-MARGIN, len(self.steps) - 1 + MARGIN)
        self._ticks(axes.xaxis, least=0.11)

    def upwards(self, axes: Axes, room: float = 0.0) -> None:
        """Make this the vertical axis, with so much more room at its top."""
        axes.set_ylabel(f"k ({self.unit})")
        axes.set_ylim(-MARGIN, len(self.steps) - 1 + MARGIN + room)
        self._ticks(axes.yaxis, least=0.06)

    def _ticks(self, axis: Axis, least: float) -> None:
        places = [float(place) for place in range(len(self.steps))]
        shown = set(spaced(places, least=least * max(len(places) - 1, 1)))
        axis.set_major_locator(FixedLocator(places))
        texts = [self.name(step) if place in shown else "" for place, step in enumerate(self.steps)]
        axis.set_major_formatter(FixedFormatter(texts))
        axis.set_minor_locator(NullLocator())
        axis.set_tick_params(labelsize=9)


@dataclass(frozen=True)
class Pen:
    """How lines against k are drawn: on which axis, with which band; ``scale`` is what values are multiplied by.

    ``floor``: bands end there, of what cannot be less.
    """

    axis: RewindAxis
    band: Band
    scale: float = 100.0
    floor: float = -math.inf

    def line(
        self, axes: Axes, points: Mapping[int, Sample], look: Look, name: str, beside: tuple[int, int] = (0, 1)
    ) -> Line2D:
        """A line with its band through the means at each k; of a single one a marker with a bar. The legend's entry.

        Args:
            beside: the line's place among how many: so markers at the only k do not hide each other.
        """
        drawn_at = [
            [max(self.scale * each, self.floor) for each in band(own.values, self.band)] for own in points.values()
        ]
        middle = [mean for mean, _, _ in drawn_at]
        drawn = look.line(label(name))
        if len(self.axis.steps) == 1:
            place, of = beside
            x = 0.5 * MARGIN * (2 * place - of + 1) / max(of - 1, 1)
            for _, low, high in drawn_at:
                axes.vlines(x, low, high, color=look.colour, linewidth=1.2)
            axes.plot([x] * len(middle), middle, **(drawn | {"linestyle": "none"}))
            return Line2D([], [], **(drawn | {"linestyle": "none"}))
        x_of = [self.axis.place(step) for step in points]
        lows, highs = [low for _, low, _ in drawn_at], [high for _, _, high in drawn_at]
        if len(points) > 1:
            axes.fill_between(x_of, lows, highs, color=look.colour, alpha=BAND, linewidth=0)
        else:
            axes.vlines(x_of, lows, highs, color=look.colour, linewidth=1.2)
        axes.plot(x_of, middle, **drawn)
        return look.entry(label(name))


def stable_line(axes: Axes) -> Line2D:
    """The bound below which networks are called stable, across the panel; the legend's entry."""
    return axes.axhline(100 * STABLE_BELOW, label="stable below this", **BOUND)


def axis_of(findings: TicketFindings, steps: Sequence[int]) -> RewindAxis:
    """The axis of these moments in a setting."""
    return RewindAxis(tuple(sorted(steps)), findings.steps_per_epoch)
