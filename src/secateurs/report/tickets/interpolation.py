"""Errors on the straight way between copies (P2 figures 4-2, 4-6, 4-14, 4-22 to 4-24)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods.looks import Look
from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.tickets import words
from secateurs.report.tickets.cells import band
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import BOUND, PART_LOOKS, shades, sparse
from secateurs.report.tickets.pairs import PARTS, Moments, compared, parts_of, tried
from secateurs.report.tickets.pairs_words import few, over, shown, titled
from secateurs.report.tickets.rewind_axis import BAND
from secateurs.report.tickets.rows import Copies

Way = dict[float, list[float]]
"""By alpha, the errors (fractions) of all pairs there."""

NEAR_CHANCE = 0.6
"""Where errors reach this share of that of guessing, a line says where that is."""


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for each network and part of the data with a line for each k; of a single k both parts in one."""
    networks = compared(findings)
    parts, steps = parts_of(networks), tried(networks)
    for network in shown(networks):
        moments = networks[network]
        top = _top(findings, moments)
        if len(steps) == 1:
            lines = {f"{part} data": ways(moments[k], part) for k in moments for part in parts}
            looks = {f"{part} data": PART_LOOKS[part] for part in parts}
            yield from _panel(findings, network.title, lines, looks, top)
            continue
        for part in parts:
            lines = {words.k(k): ways(copies, part) for k, copies in moments.items()}
            looks = {words.k(k): look for k, look in shades(steps).items()}
            yield from _panel(findings, titled(network.title, f"{part} data"), lines, looks, top)


def ways(copies: tuple[Copies, ...], part: str) -> Way:
    """The errors at each alpha, over all pairs of all replicates."""
    found: Way = {}
    for each in copies:
        for row in each.rows_of(part):
            for alpha, error in zip(row["alphas"], row["errors"], strict=True):
                found.setdefault(alpha, []).append(error)
    return dict(sorted(found.items()))


def _top(findings: TicketFindings, moments: Moments) -> float:
    """The height that the panels of a network share, in percent."""
    every = [ways(own, part) for own in moments.values() for part in PARTS]
    return 104 * max((band(errors, findings.study.band)[2] for way in every for errors in way.values()), default=0.0)


def _panel(
    findings: TicketFindings, title: str, lines: Mapping[str, Way], looks: Mapping[str, Look], top: float
) -> Iterator[Panel]:
    drawn = {name: way for name, way in lines.items() if way}
    if drawn:
        yield Panel(title, _alt(findings, title, drawn), partial(_draw, findings, drawn, looks, top))


def _draw(
    findings: TicketFindings, lines: Mapping[str, Way], looks: Mapping[str, Look], top: float, axes: Axes
) -> list[Line2D]:
    handles = []
    for place, (name, way) in enumerate(lines.items()):
        means, low, high = zip(*(band(errors, findings.study.band) for errors in way.values()), strict=True)
        style = looks[name].line(label(name)) | {"markersize": 4.0, "markevery": sparse(len(way), place)}
        alphas = list(way)
        axes.fill_between(
            alphas, [100 * e for e in low], [100 * e for e in high], color=style["color"], alpha=BAND, lw=0
        )
        axes.plot(alphas, [100 * error for error in means], **style)
        handles.append(looks[name].entry(label(name)))
    chance = findings.study.chance.get(findings.setting)
    if chance is not None and top > 100 * NEAR_CHANCE * (1 - chance):
        handles.append(axes.axhline(100 * (1 - chance), label="guessing", **BOUND))
        top = max(top, 103 * (1 - chance))
    axes.set_xlabel("alpha (weights of the first copy)")
    axes.set_ylabel("error (%)")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, top or 1.0)
    rules(axes)
    return handles


def _alt(findings: TicketFindings, title: str, lines: Mapping[str, Way]) -> str:
    said = f"Line chart, {findings.setting}, {title}: error on the straight way between two copies."
    for name, way in lines.items():
        means = [100 * sum(errors) / len(errors) for errors in way.values()]
        said += f" {name}: {means[0]:.1f} and {means[-1]:.1f} % at the ends, at most {max(means):.1f} % between."
    return said


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    networks = compared(findings)
    lines = "for each k" if len(tried(networks)) > 1 else f"for {words.k(tried(networks)[0])}"
    return (
        f"Error of the networks on the straight way between two copies that were trained from the same state at k with "
        f"different noise of SGD, {lines}; at alpha = 0 is the second copy of a pair, at 1 the first "
        f"({over(findings, networks)}). "
        "Pairs of one seed share copies: neither here nor below are they independent, and bands over pairs are no "
        f"margins of error.{few(networks)}"
    )
