"""The course of the signals that decided, with the moment at which the network was pruned."""

from __future__ import annotations

from matplotlib.figure import Figure

from secateurs.report import panel
from secateurs.report.automatic.result import AutomaticResult
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.words import number_of, signal_name

_PANEL = (5.6, 3.0)
"""Inches of one panel."""


def draw_automatic(result: AutomaticResult) -> Figure:
    """One panel for each signal that the trigger needs, one under the other; the training loss where it needs none.

    A curve is drawn to the epoch at which the network was pruned, and the legend says so: what comes later had no
    part in the decision, and most signals are not measured any more.
    """
    signals = result.needs or ("loss",)
    with our_style():
        figure = new_figure(_PANEL[0], _PANEL[1] * len(signals) + 0.5)
        panels = figure.subplots(len(signals), 1, squeeze=False)[:, 0]
        for index, (axes, signal) in enumerate(zip(panels, signals, strict=True)):
            colour = panel.signal_colour(signal, index)
            handles = axes.plot(*result.trace(signal), color=colour, marker="o", label=panel.plain(signal_name(signal)))
            handles[0].set(markersize=4, linewidth=1.8)
            if result.pruned_epoch is not None:
                label = f"pruned, epoch {number_of(result.pruned_epoch)}: the curve ends here"
                handles.append(axes.axvline(result.pruned_epoch, color=panel.GREY, linestyle=(0, (5, 3)), label=label))
            axes.set_ylabel(signal_name(signal), color=colour, parse_math=False)
            axes.tick_params(axis="y", colors=colour)
            axes.spines["right"].set_visible(False)
            panel.epoch_axis(axes, result.epochs)
            panel.legend_above(axes, handles)
        title = f"{result.title}, seed {result.seed}: trigger {result.trigger}"
        figure.suptitle(panel.wrapped(title, 60), fontsize=11, parse_math=False)
    return figure
