"""The figures of the ranking: regret against what a trigger costs, and the curve of each setting with its moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from secateurs.report import panel
from secateurs.report.curves import Spread
from secateurs.report.findings import Findings
from secateurs.report.methods.looks import COLOURS, MARKERS, Look
from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.ranking import words
from secateurs.report.ranking.sides import Side
from secateurs.report.ranking.standing import Standing
from secateurs.report.words import number_of, percent

WIDE = 6.0
"""Points of regret beyond which the axis is logarithmic: a few hopeless triggers must not squeeze the others flat."""

_FIXED = "#767676"


def looks_of(triggers: Sequence[Standing]) -> Mapping[str, Look]:
    """The look of each trigger, the same in every figure: colours for those that measure, grey for the others."""
    ordered = sorted(triggers, key=lambda each: each.trigger)
    measuring = [each.trigger for each in ordered if each.reads != ()]
    fixed = [each.trigger for each in ordered if each.reads == ()]
    coloured = {
        name: Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]) for index, name in enumerate(measuring)
    }
    return {**coloured, **{name: Look(_FIXED, MARKERS[::-1][i % len(MARKERS)]) for i, name in enumerate(fixed)}}


def against_cost(side: Side, looks: Mapping[str, Look]) -> tuple[Panel, ...]:
    """Mean regret of each trigger against dense training; of those that measure, against the time that this takes."""
    known = [each for each in side.standings if each.regret is not None]
    costs: tuple[tuple[str, str, Callable[[Standing], float | None]], ...] = (
        ("dense training", "dense training before pruning (% of the run)", lambda each: each.share),
        ("time", "time of the signals (% of that of training)", lambda each: each.overhead),
    )
    made = []
    for what, axis, cost in costs:
        there = [each for each in known if cost(each) is not None and (what != "time" or each.reads != ())]
        if there:
            draw = partial(_against, standings=there, looks=looks, axis=axis, cost=cost, wide=_wide(known))
            made.append(Panel(side.name, _alt(side, there, what, cost), draw))
    return tuple(made)


def _against(
    axes: Axes,
    *,
    standings: Sequence[Standing],
    looks: Mapping[str, Look],
    axis: str,
    cost: Callable[[Standing], float | None],
    wide: bool,
) -> list[Line2D]:
    handles = []
    axes.axhline(0, color=panel.GREY, linewidth=0.9)
    for each in standings:
        place, regret = 100 * (cost(each) or 0.0), 100 * (each.regret or 0.0)
        look = looks[each.trigger]
        if each.interval is not None:
            axes.vlines(
                place, 100 * each.interval[0], 100 * each.interval[1], color=look.colour, linewidth=1.1, alpha=0.7
            )
        axes.plot([place], [regret], **_mark(look, each.trigger))
        handles.append(Line2D([], [], **_mark(look, each.trigger)))
    if wide:
        axes.set_yscale("symlog", linthresh=1.0, linscale=0.8)
        axes.yaxis.set_major_locator(FixedLocator([-30, -10, -3, -1, 0, 1, 3, 10, 30, 100]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_of(value).replace("-", "\N{MINUS SIGN}")))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.06)
    axes.set_xlabel(axis)
    axes.set_ylabel("regret (points)")
    rules(axes)
    return handles


def _mark(look: Look, name: str) -> dict[str, Any]:
    return {**look.line(label(name)), "linestyle": "none", "markersize": 6.5}


def _wide(standings: Sequence[Standing]) -> bool:
    return any(100 * end > WIDE for each in standings for end in (each.regret or 0.0, *(each.interval or ())))


def _alt(side: Side, standings: Sequence[Standing], what: str, cost: Callable[[Standing], float | None]) -> str:
    said = f"Scatter chart, {side.name}: regret in points against {what}."
    return said + "".join(f" {each.trigger}: {words.regret(each)} at {words.part(cost(each))}." for each in standings)


def curves(side: Side, looks: Mapping[str, Look]) -> tuple[Panel, ...]:
    """For each setting accuracy against the moment of pruning, and where, in the mean, triggers that measure pruned."""
    drawn = []
    for findings in side.found:
        if findings.curve:
            marks = {
                each.trigger: mark
                for each in side.standings
                if each.reads != () and (mark := _mean_of(each, findings)) is not None
            }
            draw = partial(_curve, findings=findings, marks=marks, looks=looks)
            drawn.append(Panel(findings.setting, _curve_alt(findings, marks), draw))
    return tuple(drawn)


def _mean_of(standing: Standing, findings: Findings) -> tuple[float, float] | None:
    """Mean epoch of a trigger's runs, and their mean test accuracy."""
    for place in standing.places:
        if place.setting == findings.setting:
            done = [choice for choice in place.result.choices if choice.test is not None]
            where, test = Spread.of(choice.epoch for choice in done), Spread.of(choice.test for choice in done)
            return None if where is None or test is None else (where.mean, test.mean)
    return None


def _curve(
    axes: Axes, *, findings: Findings, marks: Mapping[str, tuple[float, float]], looks: Mapping[str, Look]
) -> list[Line2D]:
    handles = [*panel.curve(axes, findings, panel.Look("#555555", ""), "pruned at the moments tried")]
    handles += panel.dense_line(axes, findings, label="dense")
    for name, (epoch, test) in marks.items():
        axes.plot([epoch], [100 * test], **_mark(looks[name], name), alpha=0.9)
        handles.append(Line2D([], [], **_mark(looks[name], name)))
    panel.accuracy_axis(axes, colour=panel.GREY)
    panel.epoch_axis(axes, findings.epochs, "epoch of pruning", ticks=6)
    return handles


def _curve_alt(findings: Findings, marks: Mapping[str, tuple[float, float]]) -> str:
    first, last = findings.curve[0], findings.curve[-1]
    said = (
        f"Line chart, {findings.setting}: test accuracy against the epoch of pruning, {percent(first.test)} at epoch "
    )
    said += f"{number_of(first.epoch)}, {percent(last.test)} at epoch {number_of(last.epoch)}."
    return said + "".join(
        f" {name}: {100 * test:.1f} % at epoch {number_of(epoch)}." for name, (epoch, test) in marks.items()
    )
