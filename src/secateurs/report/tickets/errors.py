"""Errors at the end of training against the rewinding moment k (P2 figures 4-16, 4-17, 4-20, 4-28, 4-30)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.tickets import words
from secateurs.report.tickets.axes import level_line
from secateurs.report.tickets.cells import Cell, band
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.pairs import PARTS, Moments, Network, Sample, compared, errors_at_end
from secateurs.report.tickets.pairs_words import MANY, edges, few, titled, told
from secateurs.report.tickets.rewind_axis import BAND, Pen, RewindAxis, axis_of
from secateurs.report.tickets.stability import has_lost

Lines = dict[str, dict[int, Sample]]
"""By ticket, the errors of its networks at each k."""


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for each density (of many: some) at which two moments or more were tried, and each part of the data."""
    levels = {network.density: steps for network, steps in _tried(findings).items() if len(steps) > 1}
    axis = axis_of(findings, sorted({step for steps in _tried(findings).values() for step in steps}))
    networks = compared(findings, "continue")
    for density in words.spread_out(sorted(levels, reverse=True), MANY):
        for part in PARTS:
            lines = lines_of(findings, networks, density, part)
            if any(len(points) > 1 for points in lines.values()):
                title = titled(words.left(density), f"{part} data")
                drawn = partial(_draw, findings, lines, density, part, axis)
                yield Panel(title, _alt(findings, title, lines, part), drawn)


def _tried(findings: TicketFindings) -> dict[Network, set[int]]:
    """Of each pruned network the moments at which it has a result."""
    found: dict[Network, set[int]] = {}
    for cell in findings.cells:
        if cell.level > 0 and cell.step is not None and cell.accuracies():
            found.setdefault(Network(cell.ticket, cell.level, cell.density), set()).add(cell.step)
    return found


def lines_of(findings: TicketFindings, networks: Mapping[Network, Moments], density: float, part: str) -> Lines:
    """The errors (fractions) of each ticket that has a rewinding moment, given the copies that trained on."""
    found = Lines()
    for cell in findings.cells:
        if cell.level > 0 and cell.density == density and cell.step is not None:
            values = errors_of(networks, cell, part)
            if values is not None:
                found.setdefault(cell.ticket, {})[cell.step] = values
    return found


def errors_of(networks: Mapping[Network, Moments], cell: Cell, part: str) -> Sample | None:
    """The errors of all copies of each replicate; of a replicate without copies that of its one network."""
    by_seed = {seed: [1 - accuracy] for seed, accuracy in cell.accuracies(part).items()}
    moments = networks.get(Network(cell.ticket, cell.level, cell.density), {})
    for each in moments.get(-1 if cell.step is None else cell.step, ()):
        ends = errors_at_end(each, part)
        if ends:
            by_seed[each.seed] = list(ends.values())
    return Sample.of(error for seed in sorted(by_seed) for error in by_seed[seed])


def dense_errors(findings: TicketFindings, part: str) -> Sample | None:
    """The errors of the dense networks at the end, one for each replicate."""
    accuracies = (run.accuracy(part) for run in findings.dense_runs)
    return Sample.of(1 - accuracy for accuracy in accuracies if accuracy is not None)


def _draw(
    findings: TicketFindings, lines: Lines, density: float, part: str, axis: RewindAxis, axes: Axes
) -> list[Line2D]:
    pen, look = Pen(axis, findings.study.band), looks_of(findings.study)
    dense = dense_errors(findings, part)
    handles = level_line(axes, () if dense is None else dense.values, findings.study.band)
    handles += [pen.line(axes, points, look[name], name) for name, points in lines.items()]
    for cell in findings.cells:
        if cell.level > 0 and cell.density == density and cell.step is None:
            values = errors_of({}, cell, part)
            if values is not None:
                drawn = look[cell.ticket].line(label(f"{cell.ticket} (no k)"), marker=False)
                middle, low, high = (100 * each for each in band(values.values, findings.study.band))
                axes.axhspan(low, high, color=look[cell.ticket].colour, alpha=BAND, linewidth=0)
                handles.append(axes.axhline(middle, **(drawn | {"linestyle": (0, (1, 1))})))
    axis.across(axes)
    axes.set_ylabel("error (%)")
    rules(axes)
    return handles


def _alt(findings: TicketFindings, title: str, lines: Mapping[str, Mapping[int, Sample]], part: str) -> str:
    said = f"Line chart, {findings.setting}, {title}: error in % at the end of training against k."
    dense = dense_errors(findings, part)
    said += "" if dense is None else f" Dense: {100 * dense.mean:.1f}."
    return said + "".join(f" {name}: {told(points)}." for name, points in lines.items())


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    copies = any(copies.rows for copies in findings.copies)
    of = "all copies of all seeds" if copies else "all seeds"
    of += " that did not diverge" if findings.diverged or any(has_lost(each) for each in findings.copies) else ""
    several = [network for network, steps in _tried(findings).items() if len(steps) > 1]
    return (
        "Error at the end of training against the rewinding moment k, at which the subnetworks were created "
        f"(mean over {of}, band: {edges(findings)}). Dashed, grey: the dense networks.{few(several, MANY)}"
    )
