"""The paper's figure (P0 figures 1 and 3): accuracy against the epoch of pruning, with the signal over it.

Blue points, line and band: mean and one standard deviation of the test accuracy of pruned networks.
Second axis: a signal of the dense networks, with its band. Dashed line: the dense accuracy. The
colours are told apart by the colour-blind (Okabe and Ito), and the lines by their style in grey print.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN
from matplotlib.ticker import MaxNLocator

from secateurs.core import DataError
from secateurs.report.curves import Spread, find_peak
from secateurs.report.findings import Findings
from secateurs.report.sentences import heading
from secateurs.report.words import signal_name

BLUE, GREY = "#0072B2", "#333333"
SIGNAL_COLOURS = {"fisher_trace": "#C8410B", "kl_uniform": "#B07D00"}
OTHER_COLOURS = ("#007F5F", "#A0457F")
PANEL = (4.3, 3.7)
"""Inches of one panel: narrow, so that its letters stay legible on a phone."""


@contextmanager
def _our_style() -> Iterator[None]:
    """The same figure whatever the user's matplotlibrc says, and the same bytes each time."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.size": 11,
                "legend.fontsize": 10,
                "axes.spines.top": False,
                "svg.hashsalt": "secateurs",
                "svg.fonttype": "path",
            }
        )
        yield


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
    with _our_style():
        figure = Figure(figsize=(PANEL[0], PANEL[1] * len(names)), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for index, (axes, name) in enumerate(zip(panels, names, strict=True)):
            _panel(axes, findings, name, OTHER_COLOURS[index % len(OTHER_COLOURS)])
        if title:
            figure.suptitle(textwrap.fill(heading(findings), 40), fontsize=11, parse_math=False)
    return figure


def _panel(axes: Axes, findings: Findings, signal: str | None, spare: str) -> None:
    handles = [*_accuracy(axes, findings)]
    if signal is not None:
        handles += _signal(axes.twinx(), findings, signal, SIGNAL_COLOURS.get(signal, spare))
    axes.set_xlabel("epoch of pruning" if signal is None else "epoch")
    axes.set_xlim(-0.02 * findings.epochs, 1.02 * findings.epochs)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
        frameon=False,
        handlelength=1.8,
        columnspacing=1.2,
    )


def _accuracy(axes: Axes, findings: Findings) -> Iterator[Line2D]:
    """Draw the curve of the pruned networks, the dense line and a ring around the best moment."""
    epochs = [point.epoch for point in findings.curve]
    low, middle, high = _band([point.test for point in findings.curve], scale=100)
    axes.fill_between(epochs, low, high, color=BLUE, alpha=0.18, linewidth=0)
    yield axes.plot(epochs, middle, color=BLUE, marker="o", markersize=4.5, linewidth=1.8, label="pruned")[0]
    if findings.best is not None:
        place = ([findings.best.epoch], [100 * findings.best.test.mean])
        (ring,) = axes.plot(*place, color=BLUE, marker="o", linestyle="none", label="best (validation)")
        ring.set(markersize=11, markerfacecolor="none", markeredgewidth=1.6)
        yield ring
    if findings.dense is not None:
        level = 100 * findings.dense.mean
        yield axes.axhline(level, color=GREY, linestyle=(0, (5, 3)), linewidth=1.4, label=f"dense, {level:.1f} %")
    axes.set_ylabel("test accuracy (%)", color=BLUE)
    axes.tick_params(axis="y", colors=BLUE)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)


def _signal(axes: Axes, findings: Findings, signal: str, colour: str) -> Iterator[Line2D]:
    """Draw a signal from epoch 1 on, as the paper does: the untrained network's value can dwarf the rest."""
    curve = findings.signal(signal)
    if curve is None:
        return
    trained = [(epoch, value) for epoch, value in zip(curve.epochs, curve.values, strict=True) if epoch > 0]
    epochs = [epoch for epoch, _ in trained]
    low, middle, high = _band([value for _, value in trained])
    axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
    yield axes.plot(epochs, middle, color=colour, linestyle=(0, (1, 0.9)), linewidth=2.4, label=signal_name(signal))[0]
    found = find_peak(curve.epochs, [value.mean for value in curve.values])
    if found is not None and found[1] == "inside":
        epoch, height = curve.epochs[found[0]], curve.values[found[0]].mean
        axes.plot([epoch], [height], color=colour, marker=CARETDOWN, markersize=10)  # its tip is the point
        yield Line2D([], [], color=colour, marker="v", markersize=8, linestyle="none", label=f"peak, epoch {epoch:.4g}")
    else:
        yield Line2D([], [], linestyle="none", label="no peak inside")
    axes.set_ylabel(signal_name(signal), color=colour, parse_math=False)
    axes.tick_params(axis="y", colors=colour)
    axes.margins(y=0.08)


def _band(spreads: Sequence[Spread], scale: float = 1.0) -> tuple[list[float], list[float], list[float]]:
    """Mean less, mean, and mean plus one standard deviation (none for a single seed)."""
    rows = [(scale * item.mean, scale * (item.sd or 0.0)) for item in spreads]
    return [mean - sd for mean, sd in rows], [mean for mean, _ in rows], [mean + sd for mean, sd in rows]


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same bytes for the same numbers."""
    text = io.StringIO()
    with _our_style():
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", metadata=nothing)
    return text.getvalue()


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as ``.svg`` or ``.png`` (200 dots per inch), the same bytes for the same numbers.

    Raises:
        DataError: any other ending.
    """
    if path.suffix == ".svg":
        path.write_text(svg(figure), encoding="utf-8")
    elif path.suffix == ".png":
        with _our_style():
            figure.savefig(path, format="png", dpi=200, metadata={"Software": None})
    else:
        raise DataError(f"figure {path.name!r}: write it as .svg or .png, not {path.suffix!r}")
    return path
