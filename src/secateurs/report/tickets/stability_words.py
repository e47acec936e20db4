"""Pieces of sentences about stability: instabilities, medians of k, and the levels that have the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import Network, Sample
from secateurs.report.tickets.stability import Onset
from secateurs.report.words import SPACE, listed


def points(found: Sample | None) -> str:
    """A mean instability in points, with its deviation over pairs.

    >>> points(Sample((0.25, 0.5))).replace(SPACE, " "), points(None)
    ('37.5 ± 17.7 points', 'unknown')
    """
    if found is None:
        return "unknown"
    sd = found.spread.sd
    return f"{100 * found.mean:.1f}{'' if sd is None else f'{SPACE}±{SPACE}{100 * sd:.1f}'} points"


def at_k(step: float) -> str:
    """A median of moments need not be one of them."""
    return words.k(int(step)) if step == int(step) else f"k{SPACE}={SPACE}{step:,}"


def share(findings: TicketFindings, step: float) -> str:
    percent = 100 * step / findings.steps
    return f"{percent:.{0 if percent >= 9.95 else 1}f}{SPACE}% of training"


def guess(networks: Sequence[Network], of: int) -> str:
    """What must stand beside the stability of networks that learned nothing.

    >>> guess([Network("IMP", 2, 0.1)], 3).replace(SPACE, " ")
    '; at 10 % of weights such networks are hardly better than chance, and that they are stable says nothing'
    >>> guess([], 3)
    ''
    """
    if not networks:
        return ""
    where = f"at {words.several([each.density for each in networks])} of weights " if of > 1 else ""
    return f"; {where}such networks are hardly better than chance, and that they are stable says nothing"


def by_level(own: Sequence[Onset], part: str = "train") -> str:
    """From when on a ticket is stable, judged on a part of the data, and when it matches first, level by level."""
    every = [onset.network.density for onset in own]
    stable = {onset.network.density: onset.stable_median(part) for onset in own if onset.stable_from(part)}
    matching = {onset.network.density: onset.matching_median for onset in own if onset.matching_at()}
    said = f"stable {grouped(stable, every, 'from')}"
    return f"{said}; matching {grouped(matching, every, 'first at')}" if any(onset.matching for onset in own) else said


def grouped(levels: Mapping[float, float | None], every: Sequence[float], when: str) -> str:
    """The levels that have the same k together, in order; of ``every`` level those that are not there are not known.

    >>> known = {0.8: 500, 0.64: 500, 0.5: None}
    >>> grouped(known, [0.8, 0.64, 0.5], "from").replace(SPACE, " ")
    'from k = 500 at 80 and 64 % of weights, at none of these k at 50 % of weights'
    >>> grouped({0.8: 500}, [0.8, 0.64], "from").replace(SPACE, " "), grouped({}, [0.8], "from")
    ('from k = 500 at 80 % of weights, not known at 64 % of weights', 'not known at any level')
    >>> grouped({0.8: None}, [0.8], "from")
    'at none of these k, at any level'
    """
    by: dict[str, list[float]] = {}
    for density in every:
        if density not in levels:
            said = "not known"
        else:
            step = levels[density]
            said = "at none of these k" if step is None else f"{when} {at_k(step)}"
        by.setdefault(said, []).append(density)
    if list(by) == ["at none of these k"]:
        return "at none of these k, at any level"
    if not levels:
        return "not known at any level"
    return ", ".join(f"{said} at {named_levels(own, every)} of weights" for said, own in by.items())


def named_levels(some: Sequence[float], every: Sequence[float]) -> str:
    """Levels in a sentence, three neighbours or more by their ends.

    >>> levels = [0.8, 0.64, 0.512, 0.41, 0.328]
    >>> named_levels([0.8, 0.64, 0.512, 0.328], levels).replace(SPACE, " ")
    '80 to 51.2 and 32.8 %'
    >>> named_levels([0.8, 0.64], levels).replace(SPACE, " ")
    '80 and 64 %'
    """
    groups: list[list[float]] = []
    for place, density in enumerate(every):
        if density in some:
            if place and every[place - 1] in some:
                groups[-1].append(density)
            else:
                groups.append([density])
    told: list[str] = []
    for group in groups:
        names = [words.remaining(density) for density in group]
        told += [f"{names[0]} to {names[-1]}"] if len(names) > 2 else names
    return f"{listed(told)}{SPACE}%"
