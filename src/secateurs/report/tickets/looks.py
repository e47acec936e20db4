"""How tickets are drawn: each the same in every figure, the dense network in grey, moments by their place in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import colormaps
from matplotlib.colors import to_hex

from secateurs.report.methods.looks import COLOURS, MARKERS, Look
from secateurs.report.tickets.rows import DENSE, TicketStudy

DENSE_LOOK = Look("#4D4D4D", "o", (0, (5, 2)))
"""The dense network among tickets."""

_TICKETS = tuple(colour for colour in COLOURS if colour != "#000000")


def looks_of(study: TicketStudy) -> Mapping[str, Look]:
    """The look of each ticket, in the study's order, and of the dense network."""
    marks = MARKERS[1:]
    names = enumerate(study.tickets)
    return {DENSE: DENSE_LOOK, **{name: Look(_TICKETS[i % 7], marks[i % len(marks)]) for i, name in names}}


def shades(steps: Sequence[int]) -> Mapping[int, Look]:
    """The look of each rewinding moment: from pale and early to dark and late, and another marker for each.

    >>> [look.colour for look in shades([0, 500]).values()]
    ['#bddf26', '#440154']
    """
    last = max(len(steps) - 1, 1)
    colours = [to_hex(colormaps["viridis"](0.9 * (1 - place / last))) for place in range(len(steps))]
    return {step: Look(colours[i], MARKERS[i % len(MARKERS)]) for i, step in enumerate(steps)}


PART_LOOKS: Mapping[str, Look] = {"train": Look("#6A51A3", "s"), "test": Look("#C8410B", "o")}
"""Training and test data, where both are in one panel (purple and red in P2 figure 4-2)."""
