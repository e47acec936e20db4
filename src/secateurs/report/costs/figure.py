"""Accuracy against what it cost (P1 figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from secateurs.core import DataError
from secateurs.report import panel
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.costs.choice import AGAINST, HOLLOW, against_of
from secateurs.report.costs.measures import MEASURES, unit_of
from secateurs.report.costs.rows import Costed, by_turns

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B4478B", "#3FA7DC", "#A87400", "#6A51A3", "#56605C")
_MARKERS = "os^DXvPp<>h"


def trade_off(rows: Sequence[Costed], against: str | None = None) -> Figure:
    """Test accuracy of each row against one of its costs, mean and standard deviation over seeds; dense as lines.

    P1's figure 1 has the peak memory there. Towards the upper left is better.

    Args:
        rows: those without an accuracy or that cost are left out.
        against: a name of :data:`MEASURES`; None: the first of memory, batch time, training time and disk of which
            something is known of two rows.

    Raises:
        DataError: when none of the rows has both.
    """
    name = against or against_of(rows)
    shown = [
        row for row in by_turns(rows) if row.accuracy is not None and name is not None and row.of(name) is not None
    ]
    if name is None or not shown:
        what = MEASURES[against].title.lower() if against else f"any of {', '.join(AGAINST)}"
        raise DataError(f"trade-off: {what} was not measured of any network with an accuracy: nothing can be drawn")
    unit, size = unit_of([_mean(row, name) for row in shown], MEASURES[name].units)
    with our_style():
        figure = new_figure(6.4, 3.6 + 0.11 * len(shown))
        axes = figure.subplots()
        colours = cycle(_COLOURS)
        markers = cycle(_MARKERS)
        for row in shown:
            if row.dense:
                _dense(axes, row, name, size)
            else:
                _point(axes, row, name, size, (next(colours), next(markers)))
        axes.set_xlabel(f"{MEASURES[name].title.lower()}, {unit}" if unit else MEASURES[name].title.lower())
        axes.set_ylabel("test accuracy, %")
        axes.set_xlim(0, 1.08 * max(_mean(row, name) for row in shown) / size or 1)
        axes.margins(y=0.1)
        axes.spines["right"].set_visible(False)
        axes.grid(color="#E4E4E4", linewidth=0.7)
        axes.set_axisbelow(True)
        figure.legend(
            loc="outside lower center",
            ncols=min(len(shown), 2 if max(len(row.name) for row in shown) > 18 else 3),
            frameon=False,
            handlelength=1.4,
            columnspacing=1.2,
        )
    return figure


def _mean(row: Costed, name: str) -> float:
    spread = row.of(name)
    return 0.0 if spread is None else spread.mean


def _point(axes: Axes, row: Costed, name: str, size: float, look: tuple[str, str]) -> None:
    found = row.accuracy
    if found is None:
        return
    colour, marker = look
    deviation = None if found.sd is None else 100 * found.sd
    drawn: dict[str, Any] = {
        "color": colour,
        "marker": marker,
        "markersize": 8,
        "linestyle": "none",
        "capsize": 2,
        "elinewidth": 1.1,
    }
    if row.kind == HOLLOW:
        drawn |= {"markerfacecolor": "white", "markeredgewidth": 1.6}
    label = panel.plain(row.name)
    axes.errorbar([_mean(row, name) / size], [100 * found.mean], yerr=deviation, label=label, **drawn)


def _dense(axes: Axes, row: Costed, name: str, size: float) -> None:
    if row.accuracy is None:
        return
    level, place = 100 * row.accuracy.mean, _mean(row, name) / size
    axes.axhline(level, color=panel.GREY, linestyle=(0, (5, 3)), linewidth=1.1)
    axes.plot([place], [level], color=panel.GREY, marker="*", markersize=13, linestyle="none", label=row.name)
