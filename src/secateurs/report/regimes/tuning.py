"""Whether to raise the temperature, drawn (P4 figures 3 and 15): LMC at the initial one, and test error at both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.core.regimes import raises_temperature
from secateurs.report.curves import Spread
from secateurs.report.methods.sheet import Panel, rules
from secateurs.report.regimes import axes as shared
from secateurs.report.regimes import words
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.tuned import Answer, algorithms, answers, moments, tuned
from secateurs.report.regimes.tuning_told import caption
from secateurs.report.tickets.looks import BOUND

__all__ = ["caption", "panels"]

COLD: dict[str, Any] = {"marker": "o", "color": "#0072B2"}
HOT: dict[str, Any] = {"marker": "^", "color": "#C8410B", "markerfacecolor": "white"}
BAR = "#8FB4D9"


def panels(found: RegimeFindings) -> Iterator[Panel]:
    """LMC at the initial temperature by load, and test error at the initial and the raised one."""
    of = tuned(found)
    if of is None:
        return
    every = answers(found, of, algorithms(of)[0])
    if any(each.lmc is not None for each in every):
        yield Panel("LMC at the initial temperature", _lmc_alt(found, every), partial(_draw_lmc, found, every))
    yield Panel("Test error at both temperatures", _error_alt(found, every), partial(_draw_errors, found, every))


def _draw_lmc(found: RegimeFindings, every: Sequence[Answer], axes: Axes) -> list[Line2D]:
    threshold = found.terms.threshold
    for each in every:
        if each.lmc is None:
            continue
        place, poorly = found.load.place(each.load), raises_temperature(each.lmc.mean, threshold)
        look: dict[str, Any] = (
            {"edgecolor": "black", "linewidth": 2.2} if poorly else {"edgecolor": "#6B7F92", "linewidth": 0.8}
        )
        axes.bar(place, each.lmc.mean, width=0.72, color=BAR, zorder=2, **look)
        if each.lmc.sd:
            ends = each.lmc.mean - each.lmc.sd, each.lmc.mean + each.lmc.sd
            axes.vlines(place, *ends, color="black", linewidth=1.1, zorder=3)
    axes.axhline(0, color="#333333", linewidth=0.8)
    axes.axhline(threshold, **{**BOUND, "color": "black"}, zorder=4)
    low = min(2 * threshold, *((each.lmc.mean - (each.lmc.sd or 0)) for each in every if each.lmc is not None))
    axes.set_ylim(1.06 * low, max(-0.06 * low, *(each.lmc.mean for each in every if each.lmc is not None)))
    shared.load_axis(axes, found.load)
    axes.set_ylabel(f"LMC {words.when(found.terms, moments(found)[0]).removesuffix(' of retraining')}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}".replace("-", words.MINUS))
    rules(axes)
    return [
        Line2D([], [], **{**BOUND, "color": "black"}, label=f"threshold, {words.hundredths(threshold)}"),
        Line2D(
            *([], []), marker="s", linestyle="none", markersize=9, markerfacecolor=BAR, markeredgecolor="black",
            markeredgewidth=2.0, label="below it: raise",
        ),
    ]  # fmt: skip


def _draw_errors(found: RegimeFindings, every: Sequence[Answer], axes: Axes) -> list[Line2D]:
    if found.terms.tuning is None:
        return []
    cold, hot = (words.temperature_name(found.temperature, each) for each in found.terms.tuning)
    places = [found.load.place(each.load) for each in every]
    handles = [
        shared.points(axes, [x - 0.12 for x in places], [each.initial for each in every], f"initial: {cold}", **COLD),
        shared.points(axes, [x + 0.12 for x in places], [each.raised for each in every], f"raised: {hot}", **HOT),
    ]
    shared.load_axis(axes, found.load)
    shared.error_axis(axes)
    return handles


def _lmc_alt(found: RegimeFindings, every: Sequence[Answer]) -> str:
    told = "; ".join(
        f"{words.load_name(found.load, each.load)} {words.hundredths(None if each.lmc is None else each.lmc.mean)}"
        for each in every
    )
    return f"LMC at the initial temperature by load, {found.setting}: {told}."


def _error_alt(found: RegimeFindings, every: Sequence[Answer]) -> str:
    told = "; ".join(
        f"{words.load_name(found.load, each.load)} {_of(each.initial)} and {_of(each.raised)}" for each in every
    )
    return f"Test error in percent at the initial and at the raised temperature, {found.setting}: {told}."


def _of(error: Spread | None) -> str:
    return words.tenths(None if error is None else error.mean)
