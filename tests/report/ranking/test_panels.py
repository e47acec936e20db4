"""The figures of the ranking: what is drawn, and where."""

from __future__ import annotations

import pytest

from secateurs.report.methods.sheet import sheet
from secateurs.report.ranking import sides
from secateurs.report.ranking.panels import against_cost, curves, looks_of


def points(axes) -> dict[str, tuple[float, float]]:
    """The markers that are drawn, by their label."""
    return {
        line.get_label(): (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if len(line.get_xdata()) == 1
    }


def test_regret_against_cost(make_bench) -> None:
    (side,) = sides(make_bench())
    dense, time = sheet(against_cost(side, looks_of(side.standings))).axes
    peak = side.standings[1]
    assert points(dense) == {
        "half": (50.0, 6.25),
        "peak": pytest.approx((100 * peak.share, 100 * peak.regret)),
        "end": (100.0, 50.0),
    }
    assert points(time) == {
        "peak": pytest.approx((100 * 11 * 0.05 / 8, 100 * peak.regret))
    }  # the others measure nothing
    bars = [bar for each in dense.collections for bar in each.get_segments()]
    assert [tuple(y for _, y in bar) for bar in bars][1] == pytest.approx(tuple(100 * end for end in peak.interval))
    assert dense.get_yscale() == "symlog"  # 50 points would squeeze the others flat


def test_small_regrets_have_a_plain_axis(make_bench) -> None:
    near = {setting: dict.fromkeys(range(3), (4.0, 0.75)) for setting in "ab"}
    (side,) = sides(make_bench(near, end=False))
    (axes, *_) = sheet(against_cost(side, looks_of(side.standings))).axes
    assert axes.get_yscale() == "symlog"  # half loses 6.25 points
    only = [each for each in side.standings if each.trigger == "peak"]
    (axes, *_) = sheet(against_cost(type(side)(side.name, side.found, tuple(only)), looks_of(only))).axes
    assert axes.get_yscale() == "linear"


def test_curves_with_the_moments_of_triggers_that_measure(make_bench) -> None:
    (side,) = sides(make_bench())
    panels = curves(side, looks_of(side.standings))
    assert [panel.title for panel in panels] == ["a", "b", "c <i>"]
    (axes,) = sheet(panels[1:2]).axes
    assert points(axes)["peak"] == pytest.approx((5.0, 81.25))  # over the two seeds on which it fired
    assert "half" not in points(axes)


def test_looks_are_those_of_every_figure(make_bench) -> None:
    chosen, judged = (looks_of(side.standings) for side in sides(make_bench(judged=["b"])))
    assert chosen == judged
    assert len({(look.colour, look.marker) for look in chosen.values()}) == 3
