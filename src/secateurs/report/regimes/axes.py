"""What the panels that are no diagrams share: even places for loads and temperatures, points with their deviations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.curves import Spread
from secateurs.report.methods.sheet import label, rules, spaced
from secateurs.report.regimes import words
from secateurs.report.regimes.rows import Axis

LETTERS = 30
"""So many letters of labels stand below a panel without touching each other."""


def load_axis(axes: Axes, load: Axis) -> None:
    """An even place for each load, at 0, 1, ..."""
    _even(axes, [words.load_value(load, each) for each in load.values], words.axis_label(load))


def temperature_axis(axes: Axes, name: str, values: Sequence[float]) -> None:
    """An even place for each temperature in the order given; ``name``: what the axis is."""
    _even(axes, [f"{each:.4g}" for each in values], name)


def _even(axes: Axes, texts: Sequence[str], name: str) -> None:
    apart = (max(map(len, texts)) + 1) * len(texts) / LETTERS
    kept = set(spaced([float(place) for place in range(len(texts))], least=max(apart, 1.0)))
    axes.set_xlim(-0.6, len(texts) - 0.4)
    axes.set_xticks(range(len(texts)), [text if place in kept else "" for place, text in enumerate(texts)])
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(name, parse_math=False)


def error_axis(axes: Axes) -> None:
    """Say that the left axis is test error."""
    axes.set_ylabel("test error (%)")
    rules(axes)


def points(axes: Axes, x: Sequence[float], spreads: Sequence[Spread | None], name: str, **look: Any) -> Line2D:
    """Means in percent, each with a bar of one standard deviation to both sides; returns the legend's entry."""
    there = [(place, each) for place, each in zip(x, spreads, strict=True) if each is not None]
    for place, each in there:
        if each.sd:
            low, high = 100 * (each.mean - each.sd), 100 * (each.mean + each.sd)
            axes.vlines(place, low, high, color=look.get("color", "black"), linewidth=1.1, zorder=1.9)
    given = {"linestyle": "none", "markersize": 6.0, "zorder": 2.5, **look, "label": label(name)}
    axes.plot([place for place, _ in there], [100 * each.mean for _, each in there], **given)
    return Line2D([], [], **given)
