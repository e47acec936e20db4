"""The median k at which subnetworks become stable and matching, against the weights that remain (P2 figure 4-18)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.tickets import words
from secateurs.report.tickets.axes import remaining_axis
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.pairs import PARTS
from secateurs.report.tickets.rewind_axis import RewindAxis, axis_of
from secateurs.report.tickets.stability import Onset, onsets
from secateurs.report.words import listed

RANGES = {"I": "#B23A48", "II": "#E08E2B", "III": "#8A8A8A"}
"""The colours of the sparsity ranges: red, orange, grey."""

DASHES = (0, (5, 2))


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for either part of the data that stability is judged on; nothing of one level, or one k."""
    found = pruned(findings)
    levels = sorted({onset.network.density for onset in found}, reverse=True)
    steps = sorted({k for onset in found for at in (*onset.matching.values(), *_stable(onset)) for k in at})
    if len(levels) < 2 or len(steps) < 2:
        return
    axis = axis_of(findings, steps)
    for part in PARTS:
        if any(part in onset.stable for onset in found):
            title = f"stability on {part} data"
            drawn = partial(_draw, findings, found, levels, axis, part)
            yield Panel(title, _alt(findings, found, part), drawn)


def pruned(findings: TicketFindings) -> tuple[Onset, ...]:
    """The subnetworks whose copies were compared."""
    return tuple(onset for onset in onsets(findings) if not onset.network.dense and onset.stable)


def _stable(onset: Onset) -> list[dict[int, bool]]:
    return [dict(at) for flags in onset.stable.values() for at in flags.values()]


def _draw(
    findings: TicketFindings, found: Sequence[Onset], levels: Sequence[float], axis: RewindAxis, part: str, axes: Axes
) -> list[Line2D]:
    handles = []
    for name, look in looks_of(findings.study).items():
        own = [onset for onset in found if onset.network.ticket == name]
        stable = [(onset.network.density, onset.stable_median(part)) for onset in own]
        matching = [(onset.network.density, onset.matching_median) for onset in own]
        for what, points, style in (("stable", stable, "-"), ("matching", matching, DASHES)):
            there = [(density, axis.place(step)) for density, step in points if step is not None]
            if there:
                drawn = look.line(label(f"{name}: {what}")) | {"linestyle": style, "zorder": 3}
                if what == "matching":
                    drawn |= {"markerfacecolor": "white", "markeredgewidth": 1.4, "markersize": 7.0, "zorder": 2.5}
                handles += axes.plot([density for density, _ in there], [place for _, place in there], **drawn)
    axis.upwards(axes, room=0.7 if findings.ranges else 0.0)
    remaining_axis(axes, levels)
    rules(axes)
    _shade(axes, findings, levels)
    return handles


def _shade(axes: Axes, findings: TicketFindings, levels: Sequence[float]) -> None:
    """The sparsity ranges, each up to half way to the next level, with their names at the top."""
    left, right = axes.get_xlim()
    known = [(density, name) for density, name in findings.ranges if density in levels]
    for name, colour in RANGES.items():
        for place, (density, own) in enumerate(known):
            if own == name:
                start = left if place == 0 else math.sqrt(density * known[place - 1][0])
                end = right if place == len(known) - 1 else math.sqrt(density * known[place + 1][0])
                axes.axvspan(start, end, color=colour, alpha=0.10, linewidth=0, zorder=0)
        own_levels = [density for density, each in known if each == name]
        if own_levels:
            middle = math.sqrt(own_levels[0] * own_levels[-1])
            axes.text(middle, 0.98, name, transform=axes.get_xaxis_transform(), ha="center", va="top", color=colour)


def _alt(findings: TicketFindings, found: Sequence[Onset], part: str) -> str:
    said = f"Line chart, {findings.setting}: median k at which subnetworks become stable, on {part} data, and matching."
    for onset in found:
        stable, matching = onset.stable_median(part), onset.matching_median
        said += f" {onset.network.title}: stable {at(stable)}, matching {at(matching)}."
    return said


def at(step: float | None) -> str:
    """Where something begins, in words.

    >>> at(500), at(750.5), at(None)
    ('at 500', 'at 750.5', 'at none')
    """
    return "at none" if step is None else f"at {step:,.15g}"


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    ranges = list(dict.fromkeys(name for _, name in findings.ranges))
    shaded = (
        f" Shaded: sparsity {'ranges' if len(ranges) > 1 else 'range'} {listed(ranges)}, by means over seeds."
        if ranges
        else ""
    )
    within = words.within(findings.study.matching_within)
    return (
        "Median over seeds of the first k from which on subnetworks are stable (mean instability of a seed's "
        f"pairs below 2 points), and of the first k at which they match (test accuracy {within} of the same seed), "
        f"where more than half of the seeds do.{shaded}"
    )
