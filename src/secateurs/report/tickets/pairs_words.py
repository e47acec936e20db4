"""What figures of copies say of themselves: over what their means are, which levels they show, where lines end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import PARTS, Moments, Network, Sample
from secateurs.report.words import plural

LEVELS, MANY = 4, 8
"""So many levels at most are in figures with a panel for each network, and in those with one for each density."""


def counted(networks: Mapping[Network, Moments]) -> str:
    """Over what the means are, as in a caption: of all networks, k and parts, or of most.

    >>> from secateurs.report.tickets.rows import Copies
    >>> row = {"part": "test", "instability": 0.1}
    >>> copies = tuple(Copies("net", "IMP", 1, 0.8, "0ep", 0, seed, rows=[row, row, row]) for seed in (0, 1, 2))
    >>> counted({Network("IMP", 1, 0.8): {0: copies}})
    '9 pairs of copies of 3 seeds'
    >>> counted({Network("IMP", 1, 0.8): {0: copies, 50: copies[:2]}})
    'up to 9 pairs of copies of 3 seeds'
    """
    counts = {
        (sum(len(each.rows_of(part)) for each in own), sum(bool(each.rows_of(part)) for each in own))
        for moments in networks.values()
        for own in moments.values()
        for part in PARTS
    } - {(0, 0)}
    pairs, seeds = max(counts, default=(0, 0))
    return f"{'up to ' if len(counts) > 1 else ''}{plural(pairs, 'pair')} of copies of {plural(seeds, 'seed')}"


def over(findings: TicketFindings, networks: Mapping[Network, Moments]) -> str:
    """Over what means and bands of pairs are."""
    return f"mean over {counted(networks)}, band: {edges(findings)}"


def shown(networks: Iterable[Network], most: int = LEVELS) -> list[Network]:
    """Those that figures show: of many levels so many at most, the first and the last among them."""
    every = list(networks)
    levels = sorted({network.density for network in every if not network.dense}, reverse=True)
    some = set(words.spread_out(levels, most))
    return [network for network in every if network.dense or network.density in some]


def few(networks: Iterable[Network], most: int = LEVELS) -> str:
    """What must be said where not all levels of these are shown."""
    levels = {network.density for network in networks if not network.dense}
    return f" {most} of {len(levels)} levels; the tables have all." if len(levels) > most else ""


def edges(findings: TicketFindings) -> str:
    """What a band is, in words."""
    return "minimum to maximum" if findings.study.band == "range" else "one standard deviation"


def titled(*parts: str) -> str:
    """A panel's title of those parts that are not empty."""
    return ", ".join(part for part in parts if part)


def told(points: Mapping[int, Sample], scale: float = 100.0, digits: int = 1) -> str:
    """The first and the last mean of a line against k, for those who do not see it.

    >>> told({0: Sample((0.25, 0.35)), 2000: Sample((0.01,))}).replace("\N{NO-BREAK SPACE}", " ")
    '30.0 at k = 0, 1.0 at k = 2,000'
    """
    ends = [list(points.items())[place] for place in ((0, -1) if len(points) > 1 else (0,))] if points else []
    # No minus before what rounds to nothing.
    return (
        ", ".join(f"{round(scale * own.mean, digits) or 0.0:.{digits}f} at {words.k(step)}" for step, own in ends)
        or "no value"
    )
