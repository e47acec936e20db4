"""The tables of the page about copies: instability at each k, and from which k on networks are stable and match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.grid import Grid, Line
from secateurs.report.tickets.pairs import Moments, Network, Sample, compared, parts_of, sample, tried
from secateurs.report.tickets.stability import Onset, onsets
from secateurs.report.words import NOTHING

GUESSING = " The dense networks here are hardly better than chance: that they are stable says nothing."
"""What must stand beside stability where nothing was learned."""


def grids(findings: TicketFindings) -> Iterator[Grid]:
    """Of one setting; none where no copies were compared."""
    networks = compared(findings)
    steps = tried(networks)
    if len(steps) > 1:
        yield _stability([onset for onset in onsets(findings) if onset.stable], findings)
    found = instability(findings)
    if found is not None:
        yield found


def _stability(found: Sequence[Onset], findings: TicketFindings) -> Grid:
    medians = ("Stable from k", "On test data", "Matches first at k")
    columns = ("Weights remaining, %", *medians, "Stable", "Matching", "Seeds")
    names = dict.fromkeys(onset.network.ticket for onset in found)
    parts = [(name, tuple(_onset(onset) for onset in found if onset.network.ticket == name)) for name in names]
    note = (
        f"Medians over seeds, in steps; never: half of the seeds or more do not get there; {NOTHING}: not known. "
        "Stable: mean instability of a seed's pairs below 2 points on training data (in the next column on test data), "
        f"at this k and every later one. Matching: test accuracy {words.within(findings.study.matching_within)} of the "
        "same seed, at any k. Where a copy diverged a seed is neither. The last columns count seeds. A network that "
        "has learned nothing is stable, too."
    )
    note += GUESSING if findings.at_chance else ""
    return Grid("stability", "From which k on networks are stable and match", columns, tuple(parts), note)


def _onset(onset: Onset) -> Line:
    train, test, matching = onset.stable_from("train"), onset.stable_from("test"), onset.matching_at()
    medians = ((train, onset.stable_median("train")), (test, onset.stable_median("test")))
    told = tuple(_median(by, step) for by, step in (*medians, (matching, onset.matching_median)))
    counts = (_count(train), _count(matching), str(len({*train, *test, *matching})))
    return Line(words.remaining(onset.network.density), (*told, *counts))


def _median(by: Mapping[int, int | None], step: float | None) -> str:
    return NOTHING if not by else "never" if step is None else f"{step:,.15g}"


def _count(by: Mapping[int, int | None]) -> str:
    return str(sum(step is not None for step in by.values())) if by else NOTHING


def instability(findings: TicketFindings) -> Grid | None:
    """Instability of each network at each k; None where no copies were compared."""
    networks = compared(findings)
    return _instability(networks, findings) if tried(networks) else None


def _instability(networks: Mapping[Network, Moments], findings: TicketFindings) -> Grid:
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
    note += GUESSING if findings.at_chance else ""
    told = tuple((name, tuple(lines)) for name, lines in by.items())
    return Grid("instability", "Instability", columns, told, note)


def _points(found: Sample | None) -> str:
    if found is None:
        return NOTHING
    sd = found.spread.sd
    return f"{100 * found.mean:.1f}{'' if sd is None else f' ± {100 * sd:.1f}'}"
