"""Pieces of sentences about stability: instabilities, medians of k, and the levels that have the same one."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import Sample
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


def grouped(levels: Sequence[tuple[float, float | None]], when: str) -> str:
    """The levels that have the same k together, in order.

    >>> grouped([(0.8, 500), (0.64, 500), (0.5, None)], "from").replace(SPACE, " ")
    'from k = 500 at 80 and 64 % of weights, at none of these k at 50 % of weights'
    """
    by: dict[float | None, list[float]] = {}
    for density, step in levels:
        by.setdefault(step, []).append(density)
    if list(by) == [None]:
        return "at none of these k, at any level"
    every = [density for density, _ in levels]
    at = {step: "at none of these k" if step is None else f"{when} {at_k(step)}" for step in by}
    return ", ".join(f"{at[step]} at {spans(own, every)} of weights" for step, own in by.items())


def spans(some: Sequence[float], every: Sequence[float]) -> str:
    """Levels in a sentence, three neighbours or more by their ends.

    >>> levels = [0.8, 0.64, 0.512, 0.41, 0.328]
    >>> spans([0.8, 0.64, 0.512, 0.328], levels).replace(SPACE, " "), spans([0.8, 0.64], levels).replace(SPACE, " ")
    ('80 to 51.2 and 32.8 %', '80 and 64 %')
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
