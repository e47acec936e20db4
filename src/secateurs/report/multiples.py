"""Several settings at a glance: small multiples (P0 figures 4 to 6, 8), learning rates (7), two studies."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from secateurs.core import DataError
from secateurs.report import layout, panel
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.figure import PANEL
from secateurs.report.findings import Findings
from secateurs.report.sentences import FALLING
from secateurs.report.words import signal_name

SMALL = (3.3, 2.75)
"""Inches of one panel among several."""

LINES = (
    *(("#0072B2", "-"), ("#C8410B", (0, (5, 2))), ("#007F5F", (0, (1, 1))), ("#A0457F", (0, (6, 2, 1, 2)))),
    *(("#B07D00", (0, (3, 1, 1, 1, 1, 1))), ("#333333", (0, (2, 2)))),
)
"""Colours and styles of learning rates: no two alike, also in grey print."""


def draw_panels(
    found: Sequence[Findings], signal: str | None = None, *, overlay: bool = True, columns: int | None = None
) -> Figure:
    """Small multiples: a panel per setting, as the paper lays out its figures 4, 6 and 8.

    The accuracy axis is common to all panels where none is squeezed flat by it; so is the signal's.

    Args:
        found: one or more settings and densities.
        signal: drawn on the second axis where it was measured; None: accuracies alone.
        overlay: whether what was pruned from the same dense runs shares a panel, the signal drawn
            once (P0 figure 5).
        columns: panels side by side; 2 or 3 by default.

    Raises:
        DataError: no setting, or a signal that was measured in none.
    """
    return _panels(_grouped(found, signal, overlay), None, signal, columns)


def draw_apart(found: Sequence[Findings], signal: str | None = None, *, overlay: bool = True) -> tuple[Figure, ...]:
    """The panels of :func:`draw_panels` as figures of their own, with the same axes: a page can stack them."""
    of = _grouped(found, signal, overlay)
    return tuple(_panels(of, group, signal, 1) for group in of)


def draw_learning_rate(found: Sequence[Findings]) -> Figure:
    """Learning rate of the dense runs against the epoch, a line per setting (P0 figure 7); equal ones are one line.

    Raises:
        DataError: no learning rate was logged.
    """
    lines: dict[tuple[tuple[float, ...], tuple[float, ...]], list[Findings]] = {}
    for findings, *_ in layout.groups(found):
        if findings.learning_rate is not None:
            rates = tuple(value.mean for value in findings.learning_rate.values)
            lines.setdefault((findings.learning_rate.epochs, rates), []).append(findings)
    if not lines:
        raise DataError("learning rates: no dense run logged its lr: there is nothing to draw")
    with our_style():
        figure = new_figure(PANEL[0], 3.2)
        axes = figure.subplots()
        for index, ((epochs, rates), group) in enumerate(lines.items()):
            colour, style = LINES[index % len(LINES)]
            label = panel.wrapped(", ".join(dict.fromkeys(findings.setting for findings in group)), 44)
            axes.plot(epochs, rates, color=colour, linestyle=style, linewidth=1.9, label=panel.plain(label))
        panel.epoch_axis(axes, max(findings.epochs for findings in found))
        axes.set_ylabel("learning rate")
        axes.set_ylim(bottom=0)
        axes.spines["right"].set_visible(False)
        axes.grid(axis="y", color="#E4E4E4", linewidth=0.7)
        panel.legend_above(axes, list(axes.get_lines()), columns=1)
    return figure


def draw_two(first: Findings, second: Findings, names: tuple[str, str]) -> Figure:
    """The same setting of two studies in one panel, each with its dense line in its colour."""
    with our_style():
        figure = new_figure(*PANEL)
        axes = figure.subplots()
        handles: list[Line2D] = []
        for findings, look, name in zip((first, second), panel.APART, names, strict=True):
            handles += [*panel.curve(axes, findings, look, panel.plain(panel.wrapped(name, 22)))][:1]
            handles += panel.dense_line(axes, findings, label=None, colour=look.colour)
        panel.accuracy_axis(axes, colour=panel.GREY)
        panel.epoch_axis(axes, max(first.epochs, second.epochs), "epoch of pruning")
        axes.spines["right"].set_visible(False)
        panel.legend_above(axes, handles)
    return figure


def _grouped(found: Sequence[Findings], signal: str | None, overlay: bool) -> tuple[layout.Group, ...]:
    if not found:
        raise DataError("panels: no setting was given, so there is nothing to draw")
    if signal is not None and all(findings.signal(signal) is None for findings in found):
        raise DataError(f"panels: signal {signal!r} was not measured in any dense run: leave it out")
    return layout.groups(found, overlay=overlay)


def _panels(of: Sequence[layout.Group], only: layout.Group | None, signal: str | None, columns: int | None) -> Figure:
    shown = of if only is None else (only,)
    common = layout.common_axes(of, signal)
    columns = columns or (min(len(shown), 3) if len(shown) != 4 else 2)
    rows = -(-len(shown) // columns)
    with our_style():
        legend: dict[str, Line2D] = {}
        more = max(len(group) for group in shown)
        width, height = SMALL if len(of) > 1 else PANEL
        figure = new_figure(width * columns, height * rows + 0.5 + 0.12 * more)
        cells = figure.subplots(rows, columns, squeeze=False).ravel()
        for index, axes in enumerate(cells):
            if index >= len(shown):
                axes.set_visible(False)
                continue
            edges = (only is not None or index % columns == 0, only is not None or index % columns == columns - 1)
            edges = (edges[0], edges[1] or index == len(shown) - 1)
            title = layout.group_name(shown[index], of)
            for handle in _small(axes, shown[index], title, signal, common, edges):
                legend.setdefault(str(handle.get_label()), handle)
        if more > 1 and panel.RING in legend:  # last, and in no curve's colour: each curve has its own
            legend[panel.RING] = panel.ring_mark(legend.pop(panel.RING))
        figure.legend(
            handles=list(legend.values()),
            loc="outside lower center",
            ncols=min(len(legend), 2 if columns == 1 else 5),
            frameon=False,
            handlelength=1.8,
            columnspacing=1.2,
        )
    return figure


def _small(
    axes: Axes, group: layout.Group, title: str, signal: str | None, common: layout.Axes, edges: tuple[bool, bool]
) -> list[Line2D]:
    """One panel among several; ``edges``: whether it stands at the left and the right, where axes are named."""
    names = ("pruned",) if len(group) == 1 else layout.names(group)
    handles: list[Line2D] = []
    for index, (findings, name) in enumerate(zip(group, names, strict=True)):
        look = panel.LOOKS[index % len(panel.LOOKS)]
        handles += panel.curve(axes, findings, look, panel.plain(panel.wrapped(name, 24)))
    handles += panel.dense_line(axes, group[0], label="dense")
    panel.accuracy_axis(axes, label=edges[0])
    if common.accuracy is not None:
        axes.set_ylim(common.accuracy)
    panel.epoch_axis(axes, group[0].epochs, ticks=6)
    said = [] if group[0].dense is None else [f"dense {100 * group[0].dense.mean:.1f} %"]
    if signal is not None and group[0].signal(signal) is not None:
        colour = panel.signal_colour(signal, 0)
        second = axes.twinx()
        handles += panel.signal_line(second, group[0], signal, colour)
        top = panel.peak_of_mean(group[0], signal)
        if top is not None or signal not in FALLING:
            said.append("no peak inside" if top is None else f"peak at epoch {top[0]:.4g}")
        if top is not None:
            handles.append(panel.peak_mark(colour, "peak"))
        for findings in group:
            handles += panel.fired(second, findings, signal, colour, named=False)
        if edges[1]:
            second.set_ylabel(signal_name(signal), color=colour, parse_math=False)
        if common.signal is None:
            second.margins(y=0.08)
        else:
            second.set_ylim(common.signal)
    lines = [panel.wrapped(title, 34)] if title else []
    axes.set_title("\n".join([*lines, ", ".join(said)]), fontsize=10, parse_math=False)
    return handles
