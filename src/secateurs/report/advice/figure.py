"""Where candidates lie in the plane of LMC and CKA, with the regimes' regions and the draws of the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from secateurs.core.regimes import Regime
from secateurs.report import panel
from secateurs.report.advice.findings import AdviceFindings, Verdict
from secateurs.report.advice.words import line, value
from secateurs.report.canvas import new_figure, our_style
from secateurs.report.regimes.rows import RegimeTerms
from secateurs.report.regimes.words import REGIMES

_SIZE = (6.4, 4.9)
_REGIONS: dict[Regime, str] = {"I": "#FBE3D6", "II-A": "#FFF6D9", "II-B": "#DCEFE4"}
_COLOURS = ("#0072B2", "#C8410B", "#007F5F", "#A0457F", "#B07D00", "#00324F")
_MARKERS = "osD^vP"
_DRAWN = 400
"""So many draws of a cloud are drawn: enough to see its form."""
_ROOM = 0.3
"""Narrower regions, as a share of the width, have only the regime's number."""

_LEAST_HEIGHT, _LEAST_WIDTH = 0.10, 0.12


def draw_advice(found: AdviceFindings) -> Figure:
    """One point for each candidate with a cloud of its draws; a ring around the one to prune, where there are several.

    LMC rises upward, so that Regime I lies below; CKA rises to the right. A point without CKA lies on the left edge.
    """
    terms = found.study.terms
    shown = [each for each in found.verdicts if each.lmc is not None]
    with our_style():
        figure = new_figure(*_SIZE)
        axes = figure.subplots()
        left, low, high = _limits(shown, terms)
        axes.set(xlim=(left, 1.0), ylim=(low, high))
        _regions(axes, terms, left, low, high)
        handles = [_point(axes, each, place, left) for place, each in enumerate(shown)]
        if found.selection is not None and found.chosen.lmc is not None:
            handles.append(_ring(axes, found.chosen, left))
        axes.set_xlabel("CKA of the copies' outputs (1: the same)")
        axes.set_ylabel("LMC (below 0: a barrier)")
        axes.spines["right"].set_visible(False)
        axes.set_axisbelow(True)
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, handletextpad=0.4)
        figure.suptitle(panel.wrapped(found.study.title, 62), fontsize=11, parse_math=False)
    return figure


def alt_text(found: AdviceFindings) -> str:
    """What the figure shows, in words."""
    terms = found.study.terms
    points = "; ".join(f"{each.name}: LMC {value(each.lmc)}, CKA {value(each.cka)}" for each in found.verdicts)
    return (
        f"The plane of LMC and CKA, with Regime I below LMC {line(terms.threshold)}, and above it Regime II-A left and "
        f"Regime II-B right of CKA {line(terms.similar_from)}. {points}."
    )


def _limits(shown: Sequence[Verdict], terms: RegimeTerms) -> tuple[float, float, float]:
    """Left, lower and upper end of the plane: all points and draws with some room, and the lines."""
    lmc = [value for each in shown for value in (each.lmc, *(draw[0] for draw in each.draws)) if value is not None]
    cka = [value for each in shown for value in (each.cka, *(draw[1] for draw in each.draws)) if value is not None]
    low, high = min([*lmc, terms.threshold - _LEAST_HEIGHT / 2]), max([*lmc, 0.0])
    margin = 0.09 * max(high - low, _LEAST_HEIGHT)
    left = min([*cka, terms.similar_from, 1 - _LEAST_WIDTH])
    return max(0.0, left - 0.18 * (1 - left)), max(-1.0, low - margin), min(1.0, high + margin)


def _regions(axes: Axes, terms: RegimeTerms, left: float, low: float, high: float) -> None:
    poor, similar = terms.threshold, terms.similar_from
    for name, (x, y, width, height) in {
        "I": (left, low, 1 - left, poor - low),
        "II-A": (left, poor, similar - left, high - poor),
        "II-B": (similar, poor, 1 - similar, high - poor),
    }.items():
        axes.bar(x, height, width=width, bottom=y, align="edge", color=_REGIONS[name], linewidth=0, zorder=0)  # type: ignore[index]
    dashed: dict[str, Any] = {"color": panel.GREY, "linewidth": 1.1, "linestyle": (0, (5, 3)), "zorder": 1}
    axes.plot([left, 1], [poor, poor], **dashed)
    axes.plot([similar, similar], [poor, high], **dashed)
    axes.text(left, poor, f" LMC {line(poor)}", va="bottom", ha="left", fontsize=8.5, color=panel.GREY)
    axes.text(similar, poor, f" CKA {line(similar)}", va="bottom", ha="left", fontsize=8.5, color=panel.GREY)
    inside = (high - low) * 0.02
    for name, x, y, across, up in (
        ("I", 1.0, low + inside, "right", "bottom"),
        ("II-A", left, high - inside, "left", "top"),
        ("II-B", 1.0, high - inside, "right", "top"),
    ):
        room = {"I": 1.0, "II-A": (similar - left) / (1 - left), "II-B": (1 - similar) / (1 - left)}[name]
        told = f" {name}: {REGIMES[name]} ".replace(", ", " \n ") if room > _ROOM else f" {name} "  # type: ignore[index]
        axes.text(x, y, told, va=up, ha=across, fontsize=9.5, color=panel.GREY)


def _point(axes: Axes, verdict: Verdict, place: int, left: float) -> Line2D:
    colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
    cloud = [(left if cka is None else cka, lmc) for lmc, cka in verdict.draws[:_DRAWN]]
    if cloud:
        axes.plot(*zip(*cloud, strict=True), ".", color=colour, markersize=2.5, alpha=0.25, zorder=2, clip_on=False)
    axes.plot(
        *_place(verdict, left), marker, color=colour, markersize=9, markeredgecolor="white", zorder=4, clip_on=False
    )
    guesses = "" if verdict.guesses is None else " (guesses)"
    told = f"{verdict.name}: LMC {value(verdict.lmc)}, CKA {value(verdict.cka)}{guesses}"
    label = panel.plain(panel.wrapped(told, 44))
    return Line2D([], [], color=colour, marker=marker, markersize=8, linestyle="none", label=label)


def _ring(axes: Axes, verdict: Verdict, left: float) -> Line2D:
    look: dict[str, Any] = {
        "color": "#111111",
        "marker": "o",
        "markersize": 16,
        "markerfacecolor": "none",
        "linestyle": "none",
    }
    axes.plot(*_place(verdict, left), **look, zorder=5, clip_on=False)
    return Line2D(
        [], [], **{**look, "markersize": 11}, label=f"the one {'it would be' if verdict.too_early else 'to prune'}"
    )


def _place(verdict: Verdict, left: float) -> tuple[list[float], list[float]]:
    """Where the point lies; without CKA on the left edge."""
    return [left if verdict.cka is None else verdict.cka], [verdict.lmc or 0.0]
