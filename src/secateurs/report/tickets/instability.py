"""Linear interpolation instability against the rewinding moment k (P2 figures 4-3, 4-4, 4-15, 4-19, 4-27, 4-29)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.core import STABLE_BELOW
from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import Panel, rules
from secateurs.report.tickets.cells import band
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.pairs import Moments, Network, Sample, compared, course, panels_of, parts_of, tried
from secateurs.report.tickets.pairs_words import MANY, few, over, shown, titled, told
from secateurs.report.tickets.rewind_axis import Pen, RewindAxis, axis_of, stable_line
from secateurs.report.tickets.stability import ENOUGH
from secateurs.report.tickets.stability_grids import GUESSING

Lines = dict[str, dict[int, Sample]]
"""By the name of a line, its values at each k."""

WAYS = {"continue": Look("#0072B2", "o"), "replay": Look("#D55E00", "s")}
"""The looks of P2's two ways to train on after k (blue and orange in figure 4-4)."""

WAY_NAMES = {"continue": "the steps left, T - k", "replay": "all T steps again"}


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for each density (of many: some) and part of the data; lines are tickets, and the dense network."""
    networks = compared(findings)
    drawn = [
        (titled(title, f"{part} data"), _lines(networks, own, part))
        for title, own in panels_of(shown(networks, MANY))
        for part in parts_of(networks)
    ]
    yield from _panels(findings, drawn, looks_of(findings.study), axis_of(findings, tried(networks)))


def both_ways(findings: TicketFindings) -> Iterator[Panel]:
    """Copies that trained on beside copies that did all steps again, of each network that has both."""
    left, again = compared(findings, "continue"), compared(findings, "replay")
    both = shown([network for network in left if network in again], MANY)
    steps = sorted({*tried({n: left[n] for n in both}), *tried({n: again[n] for n in both})})
    drawn = [
        (
            titled(network.title, f"{part} data"),
            {
                WAY_NAMES["continue"]: course(left[network], part, "instability"),
                WAY_NAMES["replay"]: course(again[network], part, "instability"),
            },
        )
        for network in both
        for part in parts_of({network: left[network]})
    ]
    looks = {WAY_NAMES[way]: look for way, look in WAYS.items()}
    yield from _panels(findings, drawn, looks, axis_of(findings, steps))


def _lines(networks: Mapping[Network, Moments], own: tuple[Network, ...], part: str) -> Lines:
    return {network.ticket: course(networks[network], part, "instability") for network in own}


def _panels(
    findings: TicketFindings, drawn: list[tuple[str, Lines]], looks: Mapping[str, Look], axis: RewindAxis
) -> Iterator[Panel]:
    there = [(title, {name: points for name, points in lines.items() if points}) for title, lines in drawn]
    highs = [band(s.values, findings.study.band)[2] for _, lines in there for p in lines.values() for s in p.values()]
    top = 100 * max([*highs, ENOUGH * STABLE_BELOW])
    for title, lines in there:
        if lines:
            yield Panel(title, _alt(findings, title, lines), partial(_draw, findings, lines, looks, axis, top))


def _draw(
    findings: TicketFindings, lines: Lines, looks: Mapping[str, Look], axis: RewindAxis, top: float, axes: Axes
) -> list[Line2D]:
    pen = Pen(axis, findings.study.band, floor=0.0)
    handles = [
        pen.line(axes, points, looks[name], name, beside=(place, len(lines)))
        for place, (name, points) in enumerate(lines.items())
    ]
    handles.append(stable_line(axes))
    axis.across(axes)
    axes.set_ylabel("instability (points)")
    axes.set_ylim(-0.03 * top, 1.04 * top)
    rules(axes)
    return handles


def _alt(findings: TicketFindings, title: str, lines: Lines) -> str:
    said = f"Line chart, {findings.setting}, {title}: instability in percentage points against k."
    return said + "".join(f" {name}: {told(points)}." for name, points in lines.items())


def caption(findings: TicketFindings) -> str:
    """What the panels of instability show."""
    networks = compared(findings)
    return (
        f"Linear interpolation instability against the step k at which copies were made: the highest error on the "
        f"straight way between two of them, less the mean of its ends ({over(findings, networks)}). Below 2 points a "
        f"network is called stable to the noise of SGD. The k that were tried are equally spaced. Bands end at 0: no "
        "instability is less."
        f"{few(networks, MANY)}{GUESSING if findings.at_chance else ''}"
    )


def both_ways_caption(findings: TicketFindings) -> str:
    """What the panels of the two ways to train on show."""
    left, again = compared(findings, "continue"), compared(findings, "replay")
    both = {network: again[network] for network in left if network in again}
    return (
        "Instability of copies that train the T - k steps left after k, and of copies that train T steps with the "
        f"learning-rate schedule at step 0 again ({over(findings, both)}).{few(both, MANY)}"
    )
