"""The tables of the page about copies: instability at each k, and from which k on networks are stable and match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.grid import Grid, Line
from secateurs.report.tickets.pairs import Moments, Network, Sample, compared, parts_of, sample, tried
from secateurs.report.tickets.stability import Onset, onsets
from secateurs.report.words import NOTHING


def grids(findings: TicketFindings) -> Iterator[Grid]:
    """Of one setting; none where no copies were compared."""
    networks = compared(findings)
    steps = tried(networks)
    if len(steps) > 1:
        yield _stability([onset for onset in onsets(findings) if onset.stable], findings)
    if steps:
        yield _instability(networks)


def _stability(found: Sequence[Onset], findings: TicketFindings) -> Grid:
    medians = ("Stable from k", "On test data", "Matches first at k")
    columns = ("Weights remaining, %", *medians, "Stable", "Matching", "Seeds")
    names = dict.fromkeys(onset.network.ticket for onset in found)
    parts = [(name, tuple(_onset(onset) for onset in found if onset.network.ticket == name)) for name in names]
    note = (
        f"Medians over seeds, in steps; {NOTHING} where half of the seeds or more never get there. Stable: mean "
        "instability of a seed's pairs below 2 points on training data (in the next column on test data), at this k "
        f"and every later one. Matching: test accuracy {words.within(findings.study.matching_within)} of the same "
        "seed, at any k. The last columns count seeds. A network that has learned nothing is stable, too."
    )
    return Grid("stability", "From which k on networks are stable and match", columns, tuple(parts), note)


def _onset(onset: Onset) -> Line:
    train, matching = onset.stable_from("train"), onset.matching_at()
    counts = [sum(step is not None for step in by.values()) for by in (train, matching)]
    medians = (onset.stable_median("train"), onset.stable_median("test"), onset.matching_median)
    told = tuple(NOTHING if step is None else f"{step:,.15g}" for step in medians)
    matched = str(counts[1]) if matching else NOTHING
    seeds = len({*train, *onset.stable_from("test"), *matching})
    return Line(words.remaining(onset.network.density), (*told, str(counts[0]), matched, str(seeds)))


def _instability(networks: Mapping[Network, Moments]) -> Grid:
    parts = parts_of(networks)
    columns = (
        "Weights remaining, %",
        "k, steps",
        *(f"{part.capitalize()}, points" for part in parts),
        "Pairs",
        "Seeds",
    )
    by: dict[str, list[Line]] = {}
    for network, moments in networks.items():
        for k, own in moments.items():
            samples = [sample(own, part, "instability") for part in parts]
            pairs = max((found.n for found in samples if found is not None), default=0)
            counts = (str(pairs), str(sum(bool(each.rows) for each in own)))
            cells = (f"{k:,}", *(_points(found) for found in samples), *counts)
            by.setdefault(network.ticket, []).append(Line(words.remaining(network.density), cells))
    note = "Instability in percentage points: mean over pairs of copies, ± standard deviation. Below 2: stable."
    told = tuple((name, tuple(lines)) for name, lines in by.items())
    return Grid("instability", "Instability", columns, told, note)


def _points(found: Sample | None) -> str:
    if found is None:
        return NOTHING
    sd = found.spread.sd
    return f"{100 * found.mean:.1f}{'' if sd is None else f' ± {100 * sd:.1f}'}"
