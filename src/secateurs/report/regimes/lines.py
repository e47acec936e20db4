"""Error, LMC and CKA over the temperature, a line for each setting (P4 figures 5 and 13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.curves import Spread
from secateurs.report.methods.looks import COLOURS, MARKERS, STYLES, Look
from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.regimes import axes as shared
from secateurs.report.regimes import words
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.lines_told import kinds, loads, quoted, temperatures, where
from secateurs.report.tickets.looks import BOUND
from secateurs.report.tickets.words import spread_out
from secateurs.report.words import SPACE

LOADS = 4
"""So many loads are drawn at most; the diagrams and tables have all."""

LETTERS = 42
"""Longer names of settings are numbered in the legend, and cut; the caption has them whole."""

APART = 0.09
"""Settings that measured the very same stand so far beside each other, in parts of the way between temperatures."""

SHADE: dict[str, Any] = {"color": "#000000", "alpha": 0.10, "linewidth": 0}


@dataclass(frozen=True)
class Measured:
    """A quantity of cells: its name, its axis, and how it is told."""

    name: str
    axis: str
    of: Callable[[Cell], Spread | None]
    told: Callable[[float | None], str]
    scale: float = 1.0


MEASURED = (
    Measured("Test error", "test error (%)", lambda cell: cell.error(), words.tenths, 100.0),
    Measured("LMC", "LMC", lambda cell: cell.lmc, words.hundredths),
    Measured("CKA", "CKA", lambda cell: cell.cka, words.hundredths),
)


def panels(found: Sequence[RegimeFindings]) -> Iterator[Panel]:
    """For each load a panel of test error, LMC and CKA, whichever is known."""
    looks = {each.setting: _look(place) for place, each in enumerate(found)}
    names = short_names([each.setting for each in found])
    for kind in _shown(found):
        for load in spread_out(loads(kind), LOADS):
            name = words.load_name(kind[0].load, load)
            for each in MEASURED:
                lines = {one.setting: line for one in kind if (line := _line(one, kind, load, each))}
                if lines:
                    alt = _alt(kind, name, each, lines)
                    yield Panel(f"{each.name}, {name}", alt, partial(_draw, kind, load, each, lines, looks, names))


def _shown(found: Sequence[RegimeFindings]) -> list[tuple[RegimeFindings, ...]]:
    """Several settings; or one with a single load, whose diagram would be a bare column."""
    return [kind for kind in kinds(found) if len(temperatures(kind)) > 1 and (len(kind) > 1 or len(loads(kind)) == 1)]


def short_names(settings: Sequence[str]) -> dict[str, str]:
    """Settings as the legend calls them: where one is too long for it, all have numbers, and long ones are cut.

    >>> short_names(["SGD", "SAM"])
    {'SGD': 'SGD', 'SAM': 'SAM'}
    >>> list(short_names(["SGD", "SAM, of a rho that is adapted to the weights, seed by seed"]).values())
    ['1: SGD', '2: SAM, of a rho that is adapted to the…']
    """
    if all(len(each) <= LETTERS for each in settings):
        return {each: each for each in settings}
    return {each: f"{number}: {_cut(each)}" for number, each in enumerate(settings, start=1)}


def _cut(name: str) -> str:
    if len(name) <= LETTERS:
        return name
    whole_words = name[: LETTERS - 3].rsplit(" ", 1)[0]
    return whole_words.rstrip(" ,;:") + "\N{HORIZONTAL ELLIPSIS}"


def _look(place: int) -> Look:
    return Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], STYLES[place % len(STYLES)])


def _line(found: RegimeFindings, kind: Sequence[RegimeFindings], load: float, each: Measured) -> dict[int, Spread]:
    """By place on the axis of temperatures what was measured there."""
    if load not in found.load.values:
        return {}
    places = {value: place for place, value in enumerate(temperatures(kind))}
    known = {places[value]: each.of(found.cell(value, load)) for value in found.temperature.values}
    return {place: spread for place, spread in sorted(known.items()) if spread is not None}


def _draw(
    kind: Sequence[RegimeFindings],
    load: float,
    each: Measured,
    lines: Mapping[str, Mapping[int, Spread]],
    looks: Mapping[str, Look],
    names: Mapping[str, str],
    axes: Axes,
) -> list[Line2D]:
    handles = []
    for setting, line in lines.items():
        alike = [other for other, own in lines.items() if own == line]
        beside = APART * (alike.index(setting) - (len(alike) - 1) / 2)
        look, x, name = looks[setting], [place + beside for place in line], label(names[setting])
        low = [each.scale * (spread.mean - (spread.sd or 0.0)) for spread in line.values()]
        high = [each.scale * (spread.mean + (spread.sd or 0.0)) for spread in line.values()]
        axes.fill_between(x, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(x, [each.scale * spread.mean for spread in line.values()], **look.line(name))
        handles.append(look.entry(name))
    handles += _regime_one(axes, kind, load, names)
    if each.name == "LMC":
        threshold = kind[0].terms.threshold
        axes.axhline(threshold, **BOUND)
        handles.append(Line2D([], [], label=f"LMC = {words.hundredths(threshold)}".replace(" ", SPACE), **BOUND))
    axes.set_ylabel(each.axis)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}".replace("-", words.MINUS))
    rules(axes)
    shared.temperature_axis(axes, f"{kind[0].temperature.label} (hottest left)", temperatures(kind))
    return handles


def _regime_one(axes: Axes, kind: Sequence[RegimeFindings], load: float, names: Mapping[str, str]) -> list[Line2D]:
    """Shade where the first setting is in Regime I; returns the legend's entry."""
    first = kind[0]
    places = [place for place, value in enumerate(temperatures(kind)) if where(first, (value, load)) == "I"]
    for place in places:
        axes.axvspan(place - 0.5, place + 0.5, zorder=0, **SHADE)
    if not places:
        return []
    look: dict[str, Any] = {"marker": "s", "markersize": 10, "markeredgewidth": 0, "linestyle": "none"}
    whole = names[first.setting] == first.setting
    name = first.setting if whole else names[first.setting].split(":")[0]
    return [Line2D([], [], color="#000000", alpha=0.16, label=label(f"{name} in Regime I"), **look)]


def _alt(kind: Sequence[RegimeFindings], name: str, each: Measured, lines: Mapping[str, Mapping[int, Spread]]) -> str:
    values = [f"{value:.4g}" for value in temperatures(kind)]
    told = []
    for setting, line in lines.items():
        ends = [f"{each.told(line[place].mean)} at {values[place]}" for place in dict.fromkeys((min(line), max(line)))]
        told.append(f"{setting} {', '.join(ends)}")
    unit = " in percent" if each.scale > 1 else ""
    return f"Line chart of {each.name}{unit} over {kind[0].temperature.label}, {name}. {'; '.join(told)}."


def caption(found: Sequence[RegimeFindings]) -> str:
    """What stands below the panels."""
    shown = _shown(found)
    few = any(len(loads(kind)) > LOADS for kind in shown)
    first = " or ".join(dict.fromkeys(quoted(kind[0].setting) for kind in shown if len(kind) > 1))
    shaded = f" Grey: where {first} is in Regime I." if first else " Grey: Regime I."
    compared = any(each.compared for kind in shown for each in kind)
    names = short_names([each.setting for each in found])
    drawn = [each.setting for kind in shown for each in kind]
    cut = [f"{names[each].split(':')[0]}: {each}" for each in drawn if names[each] != each]
    return (
        "Means over seeds, bands: one standard deviation."
        + (shaded if compared else "")
        + (f" {'; '.join(cut)}." if cut else "")
        + (f" {LOADS} of the loads; the tables have all." if few else "")
    )
