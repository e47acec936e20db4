"""How fast networks learn: early stopping (P2 figure 3-8) and dilation of the schedule (3-9)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from secateurs.report.methods import sheet
from secateurs.report.methods.sheet import Panel
from secateurs.report.tickets import axes as shared
from secateurs.report.tickets import words
from secateurs.report.tickets.courses import Dilation, Speed, dilations, speeds
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.rows import DENSE
from secateurs.report.words import number_of

DELTA = "least dilation \N{GREEK SMALL LETTER DELTA}*"
"""The lower axis of figure 3-9's quantity."""


def early_stops(findings: TicketFindings) -> Iterator[Panel]:
    """A panel of the step of minimum validation loss, and one of the test accuracy there."""
    found = speeds(findings)
    if not any(each.cell.level for each in found):
        return
    told = [f"{each.cell.ticket} at {words.left(each.cell.density)} {number_of(_mean(each.steps))}" for each in found]
    said = f"Line chart, {findings.setting}: step of minimum validation loss by weights remaining. Means: "
    yield Panel("step of minimum validation loss", f"{said}{', '.join(told)}.", partial(_steps, findings, found))
    with_test = [each for each in found if each.tests]
    if any(each.cell.level for each in with_test):
        told = [f"{e.cell.ticket} at {words.left(e.cell.density)} {100 * _mean(e.tests):.1f} %" for e in with_test]
        said = f"Line chart, {findings.setting}: test accuracy at that step by weights remaining. Means: "
        yield Panel("test accuracy at that step", f"{said}{', '.join(told)}.", partial(_tests, findings, with_test))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _steps(findings: TicketFindings, found: Sequence[Speed], axes: Axes) -> list[Line2D]:
    dense = [step for each in found if each.cell.ticket == DENSE for step in each.steps]
    handles = shared.level_line(axes, dense, findings.study.band, scale=1.0)
    handles += _lines(findings, axes, [(each, each.steps) for each in found], scale=1.0)
    axes.set_ylabel("training step")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(bottom=0)
    sheet.rules(axes)
    return handles


def _tests(findings: TicketFindings, found: Sequence[Speed], axes: Axes) -> list[Line2D]:
    dense = [test for each in found if each.cell.ticket == DENSE for test in each.tests]
    handles = shared.level_line(axes, dense, findings.study.band)
    handles += _lines(findings, axes, [(each, each.tests) for each in found], scale=100.0)
    sheet.accuracy_axis(axes)
    return handles


def _lines(
    findings: TicketFindings, axes: Axes, found: Sequence[tuple[Speed, Sequence[float]]], *, scale: float
) -> Iterator[Line2D]:
    look = looks_of(findings.study)
    for name in findings.tickets:
        own = [(each.cell.density, values) for each, values in found if each.cell.ticket == name]
        if own:
            x, values = zip(*own, strict=True)
            yield shared.line(axes, x, values, look[name], name, findings.study.band, scale=scale)
    shared.remaining_axis(axes, sorted({each.cell.density for each, _ in found if each.cell.level}, reverse=True))


def least_dilations(findings: TicketFindings) -> Iterator[Panel]:
    """One panel: delta* against weights remaining."""
    found = dilations(findings)
    if not any(each.level and each.spread is not None for each in found):
        return
    told = [f"{each.ticket} at {words.left(each.density)} {words.least(each)}" for each in found]
    alt = f"Line chart, {findings.setting}: {DELTA} by weights remaining. Means: {', '.join(told)}."
    yield Panel("", alt, partial(_dilations, findings, found))


def _dilations(findings: TicketFindings, found: Sequence[Dilation], axes: Axes) -> list[Line2D]:
    look, kind = looks_of(findings.study), findings.study.band
    dense = [value for each in found if each.ticket == DENSE and not each.never for value in each.known]
    handles = shared.level_line(axes, dense, kind, scale=1.0)
    for name in findings.tickets:
        own = [each for each in found if each.ticket == name]
        if any(not each.never for each in own):
            # Where some seed never matches there is a gap, and after the last match the line ends.
            values = [(math.nan,) if each.never else each.known for each in own]
            handles.append(shared.line(axes, [each.density for each in own], values, look[name], name, kind, scale=1.0))
    axes.set_ylabel(DELTA)
    axes.set_ylim(bottom=0)
    shared.remaining_axis(axes, sorted({each.density for each in found if each.level}, reverse=True))
    sheet.rules(axes)
    return handles


def stops_caption(findings: TicketFindings) -> str:
    """What the panels of early stopping show."""
    return (
        "Left: the step at which the loss on validation data is lowest, among the steps at which it was looked at; "
        f"right: the test accuracy there. {words.bands(findings.study)} Under a schedule that lowers the learning "
        "rate, the first says when the rate falls rather than how fast a network learns."
    )


def dilation_caption(findings: TicketFindings) -> str:
    """What the panel of dilations shows."""
    factors = sorted({factor for each in dilations(findings) for factor in each.factors})
    tried = f"{number_of(factors[0])} to {number_of(factors[-1])}, {len(factors)} of them" if factors else "none"
    return (
        "The least factor by which training and its schedule can be stretched or squeezed for the network to match the "
        f"dense one of the same seed, trained as the recipe says (factors tried: {tried}). "
        f"It is chosen on test accuracy, seed by seed. {words.bands(findings.study, lost=False)} A line ends where a "
        "network matches at no factor; a run that diverged matches nothing."
    )
