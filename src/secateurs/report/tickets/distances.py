"""Other ways to compare copies: four distances against the rewinding moment k (P2 figures 4-7 to 4-12, 4-25, 4-26)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods.sheet import Panel, rules
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.pairs import (
    Moments,
    Network,
    Sample,
    compared,
    course,
    panels_of,
    parts_of,
    rows_of,
    tried,
)
from secateurs.report.tickets.pairs_words import few, over, shown, titled, told
from secateurs.report.tickets.rewind_axis import Pen, RewindAxis, axis_of


@dataclass(frozen=True)
class Distance:
    """One of them: its name in rows, its title, the label of its axis, and whether it depends on the data."""

    name: str
    title: str
    axis: str
    on_data: bool


DISTANCES = (
    Distance("l2", "L2 distance", "L2 distance of weights", on_data=False),
    Distance("cosine", "cosine distance", "cosine distance of weights", on_data=False),
    Distance("differing", "classified differently", "examples", on_data=True),
    Distance("loss_l2", "L2 distance of losses", "L2 distance of losses", on_data=True),
)


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for each density, distance and part of the data that it depends on, with a line for each ticket."""
    networks = compared(findings)
    parts, axis = parts_of(networks), axis_of(findings, tried(networks))
    for title, own in panels_of(shown(networks)):
        for distance in DISTANCES:
            for part in parts if distance.on_data else parts[:1]:
                lines = {n.ticket: points for n in own if (points := course(networks[n], part, distance.name))}
                if lines:
                    named = titled(title, distance.title, f"{part} data" if distance.on_data else "")
                    drawn = partial(_draw, findings, lines, distance, axis, _examples(networks, part))
                    yield Panel(named, _alt(findings, named, lines), drawn)


def _examples(networks: Mapping[Network, Moments], part: str) -> int | None:
    """How many examples there are in a part of the data."""
    return next((row.get("examples") for row in rows_of(networks) if row.get("part") == part), None)


def _draw(
    findings: TicketFindings,
    lines: Mapping[str, Mapping[int, Sample]],
    distance: Distance,
    axis: RewindAxis,
    examples: int | None,
    axes: Axes,
) -> list[Line2D]:
    pen, look = Pen(axis, findings.study.band, scale=1.0, floor=0.0), looks_of(findings.study)
    handles = [
        pen.line(axes, points, look[name], name, beside=(place, len(lines)))
        for place, (name, points) in enumerate(lines.items())
    ]
    axis.across(axes)
    axes.set_ylabel(f"{distance.axis} of {examples:,}" if distance.name == "differing" and examples else distance.axis)
    axes.set_ylim(bottom=0)
    rules(axes)
    return handles


def _alt(findings: TicketFindings, title: str, lines: Mapping[str, Mapping[int, Sample]]) -> str:
    said = f"Line chart, {findings.setting}, {title}: against k."
    return said + "".join(f" {name}: {told(points, 1.0, 3)}." for name, points in lines.items())


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    networks = compared(findings)
    return (
        "Distances of two copies at the end of training against the step k at which they were made: of their weights "
        "(those that remain), of their classifications, and of the vectors of their losses by example "
        f"({over(findings, networks)}).{few(networks)}"
    )
