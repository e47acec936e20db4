"""The paper's figure of one setting (P0 figures 1 to 3): accuracy against the epoch of pruning, a signal over it.

Points, line and band: mean and one standard deviation of the test accuracy of pruned networks.
Second axis: a signal of the dense networks, with its band. Dashed line: the dense accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from secateurs.core import DataError
from secateurs.report import panel
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.findings import Findings
from secateurs.report.sentences import FALLING, heading
from secateurs.report.words import signal_name

PANEL = (4.3, 3.7)
"""Inches of one panel: narrow, so that its letters stay legible on a phone."""


def draw(findings: Findings, signals: Sequence[str] | None = None, *, title: bool = True) -> Figure:
    """Draw one panel per signal, one under the other; a single panel without signal when none was measured.

    Args:
        findings: of one setting and density.
        signals: which ones; all that were measured by default.
        title: whether the setting is written above.

    Raises:
        DataError: a signal that was not measured.
    """
    names: Sequence[str | None] = [curve.signal for curve in findings.signals] if signals is None else list(signals)
    for name in names:
        if name is not None and findings.signal(name) is None:
            raise DataError(f"{findings.setting}: signal {name!r} was not measured in any dense run: leave it out")
    names = names or [None]
    with our_style():
        figure = new_figure(PANEL[0], PANEL[1] * len(names))
        panels = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for index, (axes, name) in enumerate(zip(panels, names, strict=True)):
            handles = [*panel.curve(axes, findings, panel.LOOKS[0]), *panel.dense_line(axes, findings)]
            panel.accuracy_axis(axes)
            if name is not None:
                handles += _signal(axes.twinx(), findings, name, panel.signal_colour(name, index))
            panel.epoch_axis(axes, findings.epochs, "epoch of pruning" if name is None else "epoch")
            panel.legend_above(axes, handles)
        if title:
            figure.suptitle(panel.wrapped(heading(findings), 40), fontsize=11, parse_math=False)
    return figure


def _signal(axes: Axes, findings: Findings, signal: str, colour: str) -> list[Line2D]:
    handles = [*panel.signal_line(axes, findings, signal, colour)]
    top = panel.peak_of_mean(findings, signal)
    if top is None:
        if signal not in FALLING:
            handles.append(Line2D([], [], linestyle="none", label="no peak inside"))
    else:
        handles.append(panel.peak_mark(colour, f"peak, epoch {top[0]:.4g}"))
    handles += panel.fired(axes, findings, signal, colour)
    axes.set_ylabel(signal_name(signal), color=colour, parse_math=False)
    axes.margins(y=0.08)
    return handles
