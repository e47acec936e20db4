"""Sparsity by layer (P2 figure 5-11) and by channel (5-6)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from secateurs.report.curves import Spread
from secateurs.report.methods import captions, looks, masks, sheet
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.sheet import Panel

NAMED = 26
"""Networks with more layers have numbers in place of names on the axis."""

Series = Mapping[str, Sequence[Spread]]

ALIKE = 4
"""So many methods that share a line are named."""


def by_layer(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per moment and density: sparsity of each layer, from input to output."""
    layers = masks.layers_of(findings)
    for kind, group, density in _places(findings):
        found = {cell.method: masks.layer_sparsities(cell, layers) for cell in _cells(group, density)}
        series = {name: each.sparsities for name, each in found.items() if each is not None}
        if series:
            title = captions.mask_title(kind, group, density)
            alt = captions.layers_alt(layers, series, title)
            yield Panel(title, alt, partial(_draw_layers, findings, group, layers, _told_once(series)))


def by_unit(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per moment and density: share of the channels of each group that is removed (P3 figures 16 to 20)."""
    names = masks.groups_of_units(findings)
    for kind, group, density in _places(findings):
        found = {cell.method: masks.removed_units(cell) for cell in _cells(group, density)}
        series = {name: [each[unit] for unit in names] for name, each in found.items() if set(names) <= set(each)}
        if names and series:
            title = captions.mask_title(kind, group, density)
            alt = captions.units_alt(names, series, title)
            draw = partial(_draw_layers, findings, group, names, _told_once(series))
            yield Panel(title, alt, partial(_of_units, draw))


def _of_units(draw: Callable[[Axes], list[Line2D]], axes: Axes) -> list[Line2D]:
    handles = draw(axes)
    axes.set_ylabel("channels removed (%)")
    axes.set_ylim(bottom=-2)
    if axes.get_xlabel():
        axes.set_xlabel("group of channels, from input to output")
    return handles


def by_channel(findings: MethodFindings) -> Iterator[Panel]:
    """A panel per moment and density: share of channels with at least so much sparsity."""
    for kind, group, density in _places(findings):
        cells = _cells(group, density)
        series = {cell.method: shares for cell in cells if (shares := masks.channel_shares(cell))}
        if series:
            title = captions.mask_title(kind, group, density)
            alt = captions.channels_alt({name: shares[-1] for name, shares in series.items()}, title)
            yield Panel(title, alt, partial(_draw_channels, findings, group, _told_once(series)))


def _places(findings: MethodFindings) -> Iterator[tuple[MethodFindings, Group, float]]:
    """Of each kind the first and the last moment, each at the densities at which masks are drawn."""
    for kind in findings.kinds:
        ends = kind.groups if len(kind.groups) < 2 else (kind.groups[0], kind.groups[-1])
        for group in ends:
            for density in masks.shown_densities(kind, group):
                yield kind, group, density


def _cells(group: Group, density: float) -> list[Cell]:
    return [cell for name in group.methods if (cell := group.cell(name, density)) is not None]


def _told_once(series: Series) -> dict[tuple[str, ...], Sequence[Spread]]:
    """Methods with the very same masks share a line: a method and its re-initialisation, say."""
    made: dict[Hashable, tuple[list[str], Sequence[Spread]]] = {}
    for name, values in series.items():
        made.setdefault(tuple(round(each.mean, 9) for each in values), ([], values))[0].append(name)
    return {tuple(names): values for names, values in made.values()}


def _entry(group: Group, names: Sequence[str]) -> str:
    more = len(names) - ALIKE
    shown = [group.named(name) for name in (names if more < 1 else names[:ALIKE])]
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _draw_layers(
    findings: MethodFindings,
    group: Group,
    layers: Sequence[str],
    series: Mapping[tuple[str, ...], Sequence[Spread]],
    axes: Axes,
) -> list[Line2D]:
    look, handles = looks.looks_of(findings.study), []
    places = range(1, len(layers) + 1)
    for names, values in series.items():
        handles.append(sheet.curve(axes, places, values, look[names[0]], _entry(group, names)))
    axes.set_ylabel("sparsity of the layer (%)")
    axes.set_xlim(0.5, len(layers) + 0.5)
    axes.set_ylim(top=102)
    sheet.rules(axes)
    if len(layers) > NAMED:
        axes.set_xlabel("layer, from input to output")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    else:
        axes.xaxis.set_major_locator(FixedLocator(list(places)))
        texts = [captions.layer_name(layer) for layer in layers]
        axes.set_xticklabels(texts, rotation=90, fontsize=8.5, parse_math=False)
    return handles


def _draw_channels(
    findings: MethodFindings, group: Group, series: Mapping[tuple[str, ...], Sequence[Spread]], axes: Axes
) -> list[Line2D]:
    look, handles = looks.looks_of(findings.study), []
    for index, (names, values) in enumerate(series.items()):
        own, name = look[names[0]], sheet.label(_entry(group, names))
        means = [100 * each.mean for each in values]
        (line,) = axes.plot(range(len(means)), means, **own.line(name))
        line.set_markevery((4 * index % 20, 20))  # 101 markers would be a caterpillar
        handles.append(own.entry(name))
    axes.set_xlabel("sparsity of the channel, at least (%)")
    axes.set_ylabel("share of channels (%)")
    axes.set_xlim(0, 101)
    axes.set_ylim(-2, 102)
    sheet.rules(axes)
    return handles
