"""Weights remaining at each step of training, of methods that come within one point of dense (P2 figure 5-1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report import panel
from secateurs.report.methods import captions, looks, sheet
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.ranges import Remaining, cheapest
from secateurs.report.methods.sheet import Panel


def over_training(findings: MethodFindings) -> tuple[Panel, ...]:
    """The panel of a setting; none where no method comes that near."""
    levels = {run.method for run in findings.runs if run.levels}  # one step would not be what became of their weights
    curves = tuple(each for each in cheapest(findings) if each.method not in levels)
    if not curves:
        return ()
    alt = captions.remaining_alt(curves)
    return (Panel("", alt, partial(_draw, findings, curves)),)


def _draw(findings: MethodFindings, curves: Sequence[Remaining], axes: Axes) -> list[Line2D]:
    look, handles = looks.looks_of(findings.study), []
    alike: dict[tuple[object, ...], list[Remaining]] = {}
    for each in curves:  # what lies on top of each other is one line
        alike.setdefault((each.stages, each.end, each.retroactive), []).append(each)
    for each, *others in alike.values():
        names = ", ".join([each.method, *(other.method for other in others)])
        style = {"linestyle": (0, (4, 2)) if each.retroactive else "-"}
        line = look[each.method].line(panel.plain(panel.wrapped(names, 44))) | style
        x, y = _stairs(each)
        axes.plot(x, y, **(line | {"markevery": [len(x) - 2, len(x) - 1]}))
        handles.append(Line2D([], [], **line))
    axes.set_xlabel("epoch of training")
    axes.set_ylabel("weights remaining (%)")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 103)
    sheet.rules(axes)
    return handles


def _stairs(each: Remaining) -> tuple[list[float], list[float]]:
    """The corners of a curve of weights remaining in percent, from the start of training to its end."""
    x, y = [0.0], [100.0]
    for epoch, left in each.stages:
        x, y = [*x, epoch, epoch], [*y, y[-1], 100 * left]
    return [*x, each.end], [*y, y[-1]]
