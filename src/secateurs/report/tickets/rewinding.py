"""The state of the network at rewinding: its error, and how far it has gone (P2 section 4.3, figures 4-31 to 4-33)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import Panel, rules
from secateurs.report.rows import number
from secateurs.report.tickets.errors import dense_errors
from secateurs.report.tickets.findings import IMP, TicketFindings
from secateurs.report.tickets.looks import BOUND, PART_LOOKS
from secateurs.report.tickets.pairs import PARTS, Moments, Network, Sample, compared, course
from secateurs.report.tickets.pairs_words import edges, few, shown, told
from secateurs.report.tickets.rewind_axis import Pen, RewindAxis, axis_of
from secateurs.report.tickets.rows import DENSE
from secateurs.report.words import plural

Lines = dict[str, dict[int, Sample]]
"""By the name of a line, its values at each k."""

FROM, TO, BETWEEN = "initialisation to k", "k to the end", "between copies"

LOOKS = {FROM: Look("#0072B2", "o"), TO: Look("#D55E00", "X"), BETWEEN: Look("#009E73", "^")}
"""As P2's diagram has them: blue circle, orange cross, green triangle."""


def error_panels(findings: TicketFindings) -> Iterator[Panel]:
    """The error of the dense network at k, before anything is done with it; nothing where one k was tried."""
    lines = errors_at(findings)
    if any(len(points) > 1 for points in lines.values()):
        axis = axis_of(findings, sorted({k for points in lines.values() for k in points}))
        said = f"Line chart, {findings.setting}: error in % of the dense network at k."
        alt = said + "".join(f" {name}: {told(points)}." for name, points in lines.items())
        yield Panel("", alt, partial(_draw_errors, findings, lines, axis))


def errors_at(findings: TicketFindings) -> Lines:
    """The error at each k of all replicates, on training and test data."""
    found: Lines = {}
    for part in PARTS:
        by: dict[int, list[float]] = {}
        for start in sorted(findings.starts, key=lambda start: start.step):
            accuracy = start.accuracy(part)
            if accuracy is not None:
                by.setdefault(start.step, []).append(1 - accuracy)
        if by:
            found[f"{part} data"] = {k: Sample(tuple(errors)) for k, errors in by.items()}
    return found


def _draw_errors(findings: TicketFindings, lines: Lines, axis: RewindAxis, axes: Axes) -> list[Line2D]:
    handles = []
    for part in PARTS:
        name = f"{part} data"
        if name in lines:
            handles.append(Pen(axis, findings.study.band).line(axes, lines[name], PART_LOOKS[part], name))
            end = dense_errors(findings, part)
            if end is not None:
                style = {**BOUND, "color": PART_LOOKS[part].colour, "label": f"{part}, at the end"}
                handles.append(axes.axhline(100 * end.mean, **style))
    axis.across(axes)
    axes.set_ylabel("error at k (%)")
    axes.set_ylim(bottom=0)
    rules(axes)
    return handles


def error_caption(findings: TicketFindings) -> str:
    """What the panel of errors at k shows."""
    seeds = {start.seed for start in findings.starts if start.accuracy("test") is not None}
    return (
        "Error of the dense network at the rewinding moment k itself, before copies are made or anything is trained on "
        f"(mean over {plural(len(seeds), 'seed')}, band: {edges(findings)}). Dotted: at the end of training."
    )


def distance_panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for the dense network and for each of IMP's, with the three distances."""
    networks = _networks(findings)
    drawn = {network: distances_of(networks[network]) for network in shown(networks)}
    axis = axis_of(findings, sorted({k for lines in drawn.values() for points in lines.values() for k in points}))
    for network, lines in drawn.items():
        if lines:
            said = f"Line chart, {findings.setting}, {network.title}: L2 distances of weights against k."
            alt = said + "".join(f" {name}: {told(points, 1.0, 2)}." for name, points in lines.items())
            yield Panel(network.title, alt, partial(_draw_distances, findings, lines, axis))


def _networks(findings: TicketFindings) -> dict[Network, Moments]:
    """Those of P2: others have not come from initialisation to k, or have a mask that tells nothing of it."""
    own = {DENSE, *findings.study.of_role(*IMP)}
    return {network: moments for network, moments in compared(findings).items() if network.ticket in own}


def distances_of(moments: Moments) -> Lines:
    """From initialisation to k, from k to the end, and between copies; of weights that remain.

    Nothing where all copies diverged, at every k: then nothing is known of an end.
    """
    part = next(
        (part for part in PARTS if any(each.rows_of(part) for own in moments.values() for each in own)), "train"
    )
    found: Mapping[str, dict[int, Sample | None]] = {
        FROM: {k: Sample.of(number(c.summary, "l2_from_initialisation") for c in own) for k, own in moments.items()},
        TO: {k: Sample.of(v for c in own for v in c.summary.get("l2_to_the_end", ())) for k, own in moments.items()},
        BETWEEN: dict(course(moments, part, "l2")),
    }
    known = {name: {k: own for k, own in by.items() if own is not None} for name, by in found.items()}
    return {name: by for name, by in known.items() if by} if known[TO] or known[BETWEEN] else {}


def _draw_distances(findings: TicketFindings, lines: Lines, axis: RewindAxis, axes: Axes) -> list[Line2D]:
    pen = Pen(axis, findings.study.band, scale=1.0)
    places = enumerate(lines.items())
    handles = [pen.line(axes, points, LOOKS[name], name, beside=(i, len(lines))) for i, (name, points) in places]
    axis.across(axes)
    axes.set_ylabel("L2 distance of weights")
    axes.set_ylim(bottom=0)
    rules(axes)
    return handles


def distance_caption(findings: TicketFindings) -> str:
    """What the panels of distances show."""
    networks = _networks(findings)
    pruned = any(not network.dense for network in networks)
    masked = " Of subnetworks all states are masked first." if pruned else ""
    return (
        "L2 distances in weights: what the network has gone from initialisation by step k, what it goes from there to "
        f"the end, and how far apart copies of it end (means; band: {edges(findings)}).{masked}{few(networks)}"
    )
