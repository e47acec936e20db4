"""The median k at which subnetworks become stable and matching, against the weights that remain (P2 figure 4-18)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from secateurs.report.methods.sheet import Panel, label, rules
from secateurs.report.tickets import words
from secateurs.report.tickets.axes import remaining_axis
from secateurs.report.tickets.findings import RANDOM, TicketFindings
from secateurs.report.tickets.looks import looks_of
from secateurs.report.tickets.pairs import PARTS
from secateurs.report.tickets.rewind_axis import RewindAxis, axis_of
from secateurs.report.tickets.shaded import Piece, pieces, ranges_of
from secateurs.report.tickets.stability import Onset, onsets
from secateurs.report.tickets.stability_words import by_level, named_levels

COLOURS = {"I": "#B23A48", "II": "#E08E2B", "III": "#8A8A8A"}
"""The colours of the sparsity ranges: red, orange, grey."""

DASHES = (0, (1.8, 1.0))
"""Of lines of matching: short, so that they can be seen in a legend beside a marker."""

APART, ALL_APART = 0.14, 0.5
"""How far apart the lines of two tickets, and those of the first and the last, stand at one k: in distances between
moments, at most."""


@dataclass(frozen=True)
class _Chart:
    """What the panels of a setting share."""

    findings: TicketFindings
    found: tuple[Onset, ...]
    levels: tuple[float, ...]
    axis: RewindAxis
    shaded: tuple[Piece, ...]

    def own(self, name: str) -> list[Onset]:
        """The networks of a ticket."""
        return [onset for onset in self.found if onset.network.ticket == name]

    @property
    def names(self) -> list[str]:
        """The tickets."""
        return [name for name in looks_of(self.findings.study) if self.own(name)]


def panels(findings: TicketFindings) -> Iterator[Panel]:
    """A panel for either part of the data that stability is judged on; nothing of one level, or one k."""
    every = onsets(findings)
    found = tuple(onset for onset in every if not onset.network.dense and onset.stable)
    levels = tuple(sorted({onset.network.density for onset in found}, reverse=True))
    steps = sorted({k for onset in found for at in (*onset.matching.values(), *_stable(onset)) for k in at})
    if len(levels) < 2 or len(steps) < 2:
        return
    shaded = tuple(pieces(levels, ranges_of(findings, every)))
    chart = _Chart(findings, found, levels, axis_of(findings, steps), shaded)
    for part in PARTS:
        medians = [median for onset in found for median in (onset.stable_median(part), onset.matching_median)]
        if any(part in onset.stable for onset in found) and any(median is not None for median in medians):
            yield Panel(f"stability on {part} data", _alt(chart, part), partial(_draw, chart, part))


def _stable(onset: Onset) -> list[Mapping[int, bool]]:
    return [at for flags in onset.stable.values() for at in flags.values()]


def _draw(chart: _Chart, part: str, axes: Axes) -> list[Line2D]:
    handles, looks = [], looks_of(chart.findings.study)
    for place, name in enumerate(chart.names):
        own, look = chart.own(name), looks[name]
        last = len(chart.names) - 1
        apart = min(APART, ALL_APART / max(last, 1)) * (place - last / 2)
        for what, medians in (
            ("stable", [onset.stable_median(part) for onset in own]),
            ("matching", [onset.matching_median for onset in own]),
        ):
            if all(step is None for step in medians):
                continue
            drawn = look.line(label(f"{name}: {what}")) | {"linestyle": "-", "zorder": 3.0}
            if what == "matching":
                hollow = {"markerfacecolor": "white", "markeredgewidth": 1.4, "markersize": 7.0}
                drawn |= {**hollow, "linestyle": DASHES, "zorder": 2.5}
            # Where it never happens there is no point, and the line breaks.
            heights = [math.nan if step is None else chart.axis.place(step) + apart for step in medians]
            axes.plot([onset.network.density for onset in own], heights, **drawn)
            handles.append(Line2D([], [], **(drawn | {"markersize": 4.5})))
    chart.axis.upwards(axes, room=0.7 if chart.shaded else 0.0)
    remaining_axis(axes, chart.levels)
    rules(axes)
    _shade(axes, chart.shaded)
    return handles


def _shade(axes: Axes, shaded: Sequence[Piece]) -> None:
    """Each piece of a sparsity range, with its name in it at the top."""
    left, right = axes.get_xlim()
    for piece in shaded:
        start, end, colour = piece.start or left, piece.end or right, COLOURS[piece.name]
        axes.axvspan(start, end, color=colour, alpha=0.10, linewidth=0, zorder=0)
        drawn: dict[str, Any] = {
            "transform": axes.get_xaxis_transform(),
            "ha": "center",
            "va": "top",
            "color": colour,
            "weight": "bold",
        }
        axes.text(math.sqrt(start * end), 0.98, piece.name, fontsize=9 if len(piece.levels) > 1 else 7, **drawn)


def _alt(chart: _Chart, part: str) -> str:
    said = f"Line chart, {chart.findings.setting}: median k at which subnetworks become stable, on {part} data, and"
    told = [f"{name}: {by_level(chart.own(name), part)}." for name in chart.names]
    for name in dict.fromkeys(piece.name for piece in chart.shaded):
        own = [density for piece in chart.shaded if piece.name == name for density in piece.levels]
        told.append(f"Shaded as range {name}: {named_levels(own, chart.levels)} of weights.")
    return " ".join([said, "matching.", *told])


def caption(findings: TicketFindings) -> str:
    """What the panels show."""
    within = words.within(findings.study.matching_within)
    return (
        "Medians over seeds, one value of each (P2's are over nine samples: three initialisations by three orders of "
        "the data). Solid: the first k from which on subnetworks are stable, at every later k, too (mean instability "
        "of a seed's pairs below 2 points). Dashed: the first k at all at which they match, whatever later ones do "
        f"(mean test accuracy of a seed's copies {within} of the same seed). A line breaks where not more than half of "
        f"the seeds get there. Tickets are drawn a little apart.{_shading(findings)}"
    )


def _shading(findings: TicketFindings) -> str:
    """What the ranges are here: P2's words, judged as the lines are."""
    there = set(ranges_of(findings, onsets(findings)).values())
    random = findings.one_of(*RANDOM)
    judged_by = {
        "I": f"{random} matches at some k on more than half of the seeds",
        "II": f"only {findings.imp} does",
        "III": "neither does",
    }
    told = "; ".join(f"{name}, where {said}" for name, said in judged_by.items() if name in there)
    return f" Shaded: sparsity ranges by the same rule, not by means over seeds: {told}." if told else ""
