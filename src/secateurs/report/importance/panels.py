"""The figures of P3's analyses: correlations beside mask distances, scatters, gradient norms by layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateurs.report import panel
from secateurs.report.curves import Spread
from secateurs.report.importance import words
from secateurs.report.importance.findings import ChangeCurve, FlowPoint, ImportanceFindings, LayerCurve
from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.words import number_of

BLUE, ORANGE = panel.BLUE, "#C8410B"
WIDE = 10
"""Norms that differ by more than this factor are drawn on a logarithmic axis."""

NAMED = 8
"""So many layers in a panel are named one by one; of more the first and the last."""

STYLES: tuple[Any, ...] = ("-", (0, (1, 1)), (0, (6, 2, 1, 2)), (0, (5, 2)))
"""By the layer's place in its block, where blocks have a few such: P3 draws second layers dotted."""


def changes(found: ImportanceFindings) -> tuple[Panel, ...]:
    """The correlation with loss preservation, and the distance of consecutive masks on the second axis."""
    return tuple(
        Panel(words.units(curve.unit), _change_alt(found, curve), partial(_change, curve=curve, epochs=found.epochs))
        for curve in found.changes
        if any(point.correlation is not None for point in curve.points)
    )


def _change(axes: Axes, *, curve: ChangeCurve, epochs: int) -> list[Line2D]:
    name = f"{words.CHANGED[curve.unit]} and {words.LOSS[curve.unit]}"
    known = [(point.epoch, point.correlation) for point in curve.points if point.correlation is not None]
    handles = [_line(axes, known, BLUE, "-", "o", name)]
    axes.set_ylabel("Pearson's coefficient", color=BLUE)
    axes.tick_params(axis="y", colors=BLUE)
    low = min(spread.mean - (spread.sd or 0.0) for _, spread in known)
    axes.set_ylim(min(-0.05, 1.1 * low), 1.05)
    rules(axes)
    second = axes.twinx()
    apart = [(point.epoch, point.distance) for point in curve.points if point.distance is not None]
    handles.append(_line(second, apart, ORANGE, (0, (5, 2)), "s", "distance of masks"))
    second.set_ylabel("mask distance", color=ORANGE)
    second.tick_params(axis="y", colors=ORANGE)
    second.set_ylim(bottom=0)
    panel.epoch_axis(axes, epochs, ticks=6)
    return handles


def _line(axes: Axes, known: Sequence[tuple[int, Spread]], colour: str, style: Any, marker: str, name: str) -> Line2D:
    x = [epoch for epoch, _ in known]
    low = [spread.mean - (spread.sd or 0.0) for _, spread in known]
    high = [spread.mean + (spread.sd or 0.0) for _, spread in known]
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    drawn = {"color": colour, "linestyle": style, "marker": marker, "markersize": 4.0, "linewidth": 1.6}
    (line,) = axes.plot(x, [spread.mean for _, spread in known], label=label(name), **drawn)
    return line


def _change_alt(found: ImportanceFindings, curve: ChangeCurve) -> str:
    said = f"Line chart, {found.setting}, {words.units(curve.unit)}: correlation of {words.CHANGED[curve.unit]} with "
    said += f"{words.LOSS[curve.unit]}, and distance of consecutive masks, by epoch."
    for point in curve.points:
        said += f" Epoch {point.epoch}: {words.coefficient(point.correlation)}, {words.distance(point.distance)}."
    return said


def scatters(found: ImportanceFindings) -> tuple[Panel, ...]:
    """theta' Hg against theta' g, a panel for each unit and moment."""
    made = []
    for point in found.flows:
        if point.pairs:
            title = f"{words.units(point.unit)}, epoch {point.epoch}: {words.coefficient(point.correlation)}"
            made.append(Panel(title, _scatter_alt(found, point), partial(_scatter, point=point)))
    return tuple(made)


def _scatter(axes: Axes, *, point: FlowPoint) -> list[Line2D]:
    x, y = zip(*point.pairs, strict=True)
    axes.axhline(0, color="#BBBBBB", linewidth=0.7)
    axes.axvline(0, color="#BBBBBB", linewidth=0.7)
    # As pixels: so many points as shapes would make the page as large as all else in it.
    axes.plot(
        x, y, linestyle="none", marker="o", markersize=2.6, markeredgewidth=0, color=BLUE, alpha=0.45, rasterized=True
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    axes.ticklabel_format(style="sci", scilimits=(-2, 4), axis="both")
    axes.set_xlabel("θ'g")
    axes.set_ylabel("θ'Hg")
    return []


def _scatter_alt(found: ImportanceFindings, point: FlowPoint) -> str:
    return (
        f"Scatter chart, {found.setting}, {words.units(point.unit)} at epoch {point.epoch}: theta' Hg against "
        f"theta' g, {len(point.pairs)} of {point.entries}; correlation {words.coefficient(point.correlation)}."
    )


def norms(found: ImportanceFindings) -> tuple[Panel, ...]:
    """Gradient norms by epoch, of all layers in one panel or of those of one width in each."""
    several = len(found.blocks) > 1
    made = []
    for block in found.blocks:
        title = f"layers of {block[0].width} units" if several else ""
        made.append(Panel(title, _norms_alt(found, block, title), partial(_norms, block=block, epochs=found.epochs)))
    return tuple(made)


def _norms(axes: Axes, *, block: Sequence[LayerCurve], epochs: int) -> list[Line2D]:
    styles = _styles(block)
    lines = []
    for place, layer in enumerate(block):
        norms = [spread.mean for spread in layer.norms]
        drawn = {"color": _shade(place, len(block)), "linestyle": styles.get(_kind(layer), "-"), "linewidth": 1.3}
        name = label(layer.layer.removesuffix(".weight"))
        lines += axes.plot(layer.epochs, norms, marker="." if len(norms) == 1 else "", label=name, **drawn)
    means = [spread.mean for layer in block for spread in layer.norms]
    if 0 < WIDE * min(means) < max(means):
        axes.set_yscale("log")
    axes.set_ylabel("gradient norm")
    panel.epoch_axis(axes, epochs, ticks=6)
    rules(axes)
    if len(lines) <= NAMED:
        return lines
    ends = [
        Line2D([], [], color=_shade(0, 2), label="first layer"),
        Line2D([], [], color=_shade(1, 2), label="last layer"),
    ]
    kinds = [Line2D([], [], color=panel.GREY, linestyle=style, label=label(kind)) for kind, style in styles.items()]
    return [*ends, *kinds]


def _kind(layer: LayerCurve) -> str:
    """What the layer is called in its block: ``conv1``."""
    return layer.layer.removesuffix(".weight").split(".", 2)[-1]


def _styles(block: Sequence[LayerCurve]) -> dict[str, Any]:
    """Lines by the layers' names in their blocks, where these are few and come again and again."""
    kinds = list(dict.fromkeys(map(_kind, block)))
    return dict(zip(kinds, STYLES, strict=False)) if 1 < len(kinds) <= len(STYLES) < len(block) else {}


def _shade(place: int, count: int) -> str:
    return to_hex(colormaps["viridis"](0.85 * (1 - place / max(count - 1, 1))))


def _norms_alt(found: ImportanceFindings, block: Sequence[LayerCurve], title: str) -> str:
    said = f"Line chart, {found.setting}{f', {title}' if title else ''}: gradient norm of {len(block)} layers by epoch."
    for layer in (block[0], block[-1]):
        first, last = layer.norms[0].mean, layer.norms[-1].mean
        said += (
            f" {layer.layer}: {number_of(first)} in epoch {layer.epochs[0]}, {number_of(last)} in {layer.epochs[-1]}."
        )
    return said
