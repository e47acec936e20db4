"""Instability throughout training: copies compared again and again on their way (P2 figures 4-5, 4-21)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from secateurs.core import STABLE_BELOW, Moment
from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.rows import number
from secateurs.report.tickets import words
from secateurs.report.tickets.cells import band
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import shades, sparse
from secateurs.report.tickets.pairs import Moments, Network, by_network, parts_of, tried
from secateurs.report.tickets.pairs_words import few, over, shown, titled
from secateurs.report.tickets.rewind_axis import BAND, stable_line
from secateurs.report.tickets.rows import Copies
from secateurs.report.tickets.stability import ENOUGH

Course = dict[int, list[float]]
"""By the step of training, the instability of all pairs there, as fractions."""


def networks_of(findings: TicketFindings) -> dict[Network, Moments]:
    """The networks that were looked at along training."""
    return by_network(findings, (each for each in findings.throughout if each.rows))


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for each network and part of the data, with a line for each k."""
    networks = networks_of(findings)
    looks, parts = shades(tried(networks)), parts_of(networks)
    every = [course(findings, m, k, part) for m in networks.values() for k in m for part in parts]
    top = 104 * max((band(values, findings.study.band)[2] for own in every for values in own.values()), default=0.0)
    for network in shown(networks):
        moments = networks[network]
        for part in parts:
            lines = {k: own for k in moments if (own := course(findings, moments, k, part))}
            title = titled(network.title, f"{part} data")
            if lines:
                named = {words.k(k): own for k, own in lines.items()}
                yield Panel(
                    title,
                    _alt(findings, title, named),
                    partial(
                        _draw,
                        findings,
                        named,
                        {words.k(k): looks[k] for k in lines},
                        max(top, 100 * ENOUGH * STABLE_BELOW),
                    ),
                )


def course(findings: TicketFindings, moments: Moments, k: int, part: str) -> Course:
    """The instability of the copies made at k, at each step at which they were compared."""
    found: Course = {}
    for each in moments[k]:
        for row in each.rows_of(part):
            value = number(row, "instability")
            if value is not None:
                step = Moment.parse(str(row["until"]), findings.steps_per_epoch).steps
                found.setdefault(step, []).append(value)
    return dict(sorted(found.items()))


def _draw(
    findings: TicketFindings, lines: Mapping[str, Course], looks: Mapping[str, Look], top: float, axes: Axes
) -> list[Line2D]:
    handles = []
    for place, (name, own) in enumerate(lines.items()):
        look = looks[name]
        means, low, high = zip(*(band(values, findings.study.band) for values in own.values()), strict=True)
        steps = list(own)
        axes.fill_between(
            steps, [max(100 * v, 0.0) for v in low], [100 * v for v in high], color=look.colour, alpha=BAND, lw=0
        )
        style = look.line(label(name)) | {"markersize": 4.0, "markevery": sparse(len(steps), place)}
        axes.plot(steps, [100 * value for value in means], **style)
        handles.append(look.entry(label(name)))
    handles.append(stable_line(axes))
    axes.set_xlabel("step of training")
    axes.set_xlim(0, 1.01 * findings.steps)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step / 1000:g}k" if step >= 1000 else f"{step:g}"))
    axes.set_ylabel("instability (points)")
    axes.set_ylim(-0.03 * top, top)
    rules(axes)
    return handles


def _alt(findings: TicketFindings, title: str, lines: Mapping[str, Course]) -> str:
    said = f"Line chart, {findings.setting}, {title}: instability of the copies at steps of their training."
    for name, own in lines.items():
        means = {step: 100 * sum(values) / len(values) for step, values in own.items()}
        highest, last = max(means, key=lambda step: means[step]), list(means)[-1]
        said += (
            f" {name}: at most {means[highest]:.1f} points, at step {highest:,}; {means[last]:.1f} at step {last:,}."
        )
    return said


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    return (
        "Instability throughout training: the copies made at k are compared at each moment of their training "
        f"({_over(findings)}).{few(networks_of(findings))}"
    )


def _over(findings: TicketFindings) -> str:
    networks = networks_of(findings)
    first = {
        network: {k: tuple(_first(each) for each in own) for k, own in moments.items()}
        for network, moments in networks.items()
    }
    return over(findings, first)


def _first(each: Copies) -> Copies:
    """Of the moments at which copies were compared the first one only: each pair once."""
    until = each.rows[0]["until"] if each.rows else None
    return replace(each, rows=tuple(row for row in each.rows if row["until"] == until))
