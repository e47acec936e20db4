"""What figures of copies say of themselves: over what their means are, which levels they show, where lines end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import PARTS, Moments, Network, Sample, compared
from secateurs.report.words import plural

LEVELS = 4
"""So many levels at most are in figures that have a panel for each network."""


def counted(networks: Mapping[Network, Moments]) -> str:
    """Over what the means are, as in a caption.

    >>> from secateurs.report.tickets.rows import Copies
    >>> row = {"part": "test", "instability": 0.1}
    >>> copies = tuple(Copies("net", "IMP", 1, 0.8, "0ep", 0, seed, rows=[row, row, row]) for seed in (0, 1, 2))
    >>> counted({Network("IMP", 1, 0.8): {0: copies}})
    '9 pairs of copies of 3 seeds'
    """
    most, of = 0, 0
    for moments in networks.values():
        for own in moments.values():
            rows = [len(each.rows_of(part)) for part in PARTS for each in own]
            pairs = max(sum(rows[: len(own)]), sum(rows[len(own) :]))
            most, of = max((most, of), (pairs, sum(1 for each in own if each.rows)))
    return f"{plural(most, 'pair')} of copies of {plural(of, 'seed')}"


def over(findings: TicketFindings, networks: Mapping[Network, Moments]) -> str:
    """Over what means and bands of pairs are."""
    return f"mean over {counted(networks)}, band: {edges(findings)}"


def shown(networks: Iterable[Network]) -> list[Network]:
    """Those that figures with a panel for each network show: of many levels some, the first and the last among them."""
    every = list(networks)
    levels = sorted({network.density for network in every if not network.dense}, reverse=True)
    some = {1.0, *words.spread_out(levels, LEVELS)}
    return [network for network in every if network.density in some]


def few(findings: TicketFindings) -> str:
    """What must be said where not all levels are shown."""
    levels = {network.density for network in compared(findings) if not network.dense}
    return f" {LEVELS} of {len(levels)} levels; the tables have all." if len(levels) > LEVELS else ""


def edges(findings: TicketFindings) -> str:
    """What a band is, in words."""
    return "least to most" if findings.study.band == "range" else "one standard deviation"


def titled(*parts: str) -> str:
    """A panel's title of those parts that are not empty."""
    return ", ".join(part for part in parts if part)


def told(points: Mapping[int, Sample], scale: float = 100.0, digits: int = 1) -> str:
    """The first and the last mean of a line against k, for those who do not see it.

    >>> told({0: Sample((0.25, 0.35)), 2000: Sample((0.01,))}).replace("\N{NO-BREAK SPACE}", " ")
    '30.0 at k = 0, 1.0 at k = 2,000'
    """
    ends = [list(points.items())[place] for place in ((0, -1) if len(points) > 1 else (0,))] if points else []
    return ", ".join(f"{scale * own.mean:.{digits}f} at {words.k(step)}" for step, own in ends) or "no value"
