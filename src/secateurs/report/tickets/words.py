"""Short pieces of text about tickets: weights remaining, rewinding moments, differences with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST
from secateurs.report.tickets.rows import TicketStudy
from secateurs.report.words import NOTHING, SPACE, listed, plural, seed_list, signed

T = TypeVar("T")

GROUPS = 3
"""So many groups of levels or moments at most are told one by one in a sentence."""


def finds(points: float) -> str:
    """What IMP does where it matches from initialisation on, with so many points allowed (P2 sections 3.2 and 4.2.1).

    >>> finds(0.0), finds(0.002)
    ('finds winning tickets', 'finds matching subnetworks')
    """
    return "finds matching subnetworks" if points else "finds winning tickets"


def remaining(density: float) -> str:
    """Weights remaining in percent, as P2 prints them.

    >>> remaining(1.0), remaining(0.512), remaining(0.035), remaining(0.00912)
    ('100', '51.2', '3.5', '0.91')
    """
    share = 100 * density
    text = f"{share:.1f}" if share >= 1 else f"{share:.2g}"
    return text.removesuffix(".0")


def left(density: float) -> str:
    """The same with its unit and what it is.

    >>> left(0.512).replace(SPACE, " ")
    '51.2 % of weights'
    """
    return f"{remaining(density)}{SPACE}% of weights"


def several(densities: Sequence[float]) -> str:
    """Several of them in a sentence.

    >>> several([0.8, 0.64]).replace(SPACE, " ")
    '80 and 64 %'
    """
    return f"{listed([remaining(density) for density in densities])}{SPACE}%"


def k(step: int) -> str:
    """A rewinding moment.

    >>> k(0).replace(SPACE, " "), k(2000).replace(SPACE, " ")
    ('k = 0', 'k = 2,000')
    """
    return f"k{SPACE}={SPACE}{step:,}"


def within(points: float) -> str:
    """What matching is, of a mean.

    >>> within(0.002), within(0.0)
    ('at most 0.2 points below dense', 'at least as accurate as dense')
    """
    return f"at most {100 * points:.2g} points below dense" if points else "at least as accurate as dense"


def on(seeds: int, every: int) -> str:
    """On how many seeds something is known, where that is not all of them, or are too few to tell anything apart.

    >>> on(3, 5), on(5, 5), on(2, 2)
    (' (on 3 of 5 seeds)', '', ' (on 2 seeds, in the mean)')
    """
    known = f"{seeds} of {plural(every, 'seed')}" if seeds < every else plural(seeds, "seed")
    mean = ", in the mean" if 1 < seeds < FEWEST else ""
    return f" (on {known}{mean})" if seeds < max(every, FEWEST) else ""


def interval(ends: tuple[float, float] | None) -> str:
    """A 95 % interval in points; empty where there is none."""
    return "" if ends is None else f" ({signed(ends[0])} to {signed(ends[1])})"


def difference(spread: Spread | None, ends: tuple[float, float] | None = None) -> str:
    """A difference of accuracies in points, with its interval; of too few seeds without one.

    >>> difference(Spread(-0.012, 0.001, 3), (-0.013, -0.011)), difference(None)
    ('−1.20 (−1.30 to −1.10)', '–')
    >>> difference(Spread(-0.012, 0.001, 2), (-0.021, -0.003))
    '−1.20'
    """
    return NOTHING if spread is None else f"{signed(spread.mean)}{interval(ends) if spread.n >= FEWEST else ''}"


class Losing(Protocol):
    """Whatever lost some of its seeds."""

    @property
    def diverged(self) -> tuple[int, ...]: ...

    @property
    def missing(self) -> tuple[int, ...]: ...


def lost(cell: Losing) -> str:
    """Which of a cell's seeds have no result, for a table; empty when all have one."""
    gone = ((cell.diverged, "diverged"), (cell.missing, "missing"))
    return ", ".join(f"{len(seeds)} {what}" for seeds, what in gone if seeds)


def bands(study: TicketStudy, *, lost: bool = True) -> str:
    """What lines and bands are, for captions; ``lost``: and what becomes of runs that diverged."""
    kind = "one standard deviation to each side" if study.band == "deviation" else "minimum to maximum"
    told = lost and any(run.diverged is not None for run in study.runs)
    return f"Lines: means over seeds; bands: {kind}.{' Runs that diverged are left out.' if told else ''}"


class Least(Protocol):
    """Whatever has a least dilation, or has none on some seeds."""

    @property
    def spread(self) -> Spread | None: ...

    @property
    def never(self) -> tuple[int, ...]: ...


def least(dilation: Least) -> str:
    """Delta* for a table: mean and deviation, or where no factor was enough."""
    if dilation.never:
        return f"matches at no factor ({seed_list(dilation.never)})"
    spread = dilation.spread
    if spread is None:
        return NOTHING
    return f"{spread.mean:.2f}" + (f" ± {spread.sd:.2f}" if spread.sd is not None else "")


def spread_out(items: Sequence[T], most: int) -> list[T]:
    """So many of the items at most, the first and the last among them, as evenly spread as can be.

    >>> spread_out("abcdefg", 3), spread_out("ab", 3)
    (['a', 'd', 'g'], ['a', 'b'])
    """
    if len(items) <= most:
        return list(items)
    places = sorted({round(index * (len(items) - 1) / (most - 1)) for index in range(most)})
    return [items[place] for place in places]


def neighbours(own: Sequence[float], tried: Sequence[float]) -> list[list[float]]:
    """These densities from the highest to the lowest, those together that are neighbours among all that were tried.

    >>> neighbours([0.8, 0.64, 0.1], [0.8, 0.64, 0.512, 0.1])
    [[0.8, 0.64], [0.1]]
    """
    found: list[list[float]] = []
    before = False
    for density in sorted(set(tried), reverse=True):
        there = density in own
        if there and before:
            found[-1].append(density)
        elif there:
            found.append([density])
        before = there
    return found


def spans(own: Sequence[float], tried: Sequence[float]) -> str:
    """Where among the densities that were tried these are, neighbours together; ``"nowhere"`` of none.

    >>> spans([0.8, 0.64, 0.512, 0.1], [0.8, 0.64, 0.512, 0.21, 0.1]).replace(SPACE, " ")
    'from 80 to 51.2 % and at 10 %'
    >>> spans([0.8, 0.1], [0.8, 0.1]), spans([0.8], [0.8]).replace(SPACE, " ")
    ('everywhere', 'at 80 %')
    >>> spans([0.9, 0.7, 0.5, 0.3], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]).replace(SPACE, " ")
    'at 4 of 7 levels between 90 and 30 %'
    """
    every, groups = set(tried), neighbours(own, tried)
    found = [density for group in groups for density in group]
    if not found:
        return "nowhere"
    if len(found) == len(every) > 1:
        return "everywhere"
    if len(groups) > GROUPS:
        ends = f"{remaining(found[0])} and {remaining(found[-1])}{SPACE}%"
        return f"at {len(found)} of {len(every)} levels between {ends}"
    alone = [density for group in groups if len(group) < 3 for density in group]
    parts = [f"from {remaining(group[0])} to {remaining(group[-1])}{SPACE}%" for group in groups if len(group) > 2]
    return listed([*parts, *([f"at {several(alone)}"] if alone else [])])
