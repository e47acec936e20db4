"""How tickets are drawn: each the same in every figure, the dense network in grey, moments by their place in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex

from secateurs.report.methods.looks import COLOURS, MARKERS, STYLES, Look
from secateurs.report.tickets.rows import DENSE, TicketStudy

DENSE_LOOK = Look("#4D4D4D", "o", (0, (2.6, 1.4)))
"""The dense network among tickets; its dashes are short enough to be seen in a legend, beside the marker."""

_TICKETS = tuple(colour for colour in COLOURS if colour != "#000000")


def looks_of(study: TicketStudy) -> Mapping[str, Look]:
    """The look of each ticket, in the study's order, and of the dense network."""
    marks = MARKERS[1:]
    names = enumerate(study.tickets)
    return {DENSE: DENSE_LOOK, **{name: Look(_TICKETS[i % 7], marks[i % len(marks)]) for i, name in names}}


EARLIEST = 0.6
"""Where in the sequence of colours the earliest moment is: its pale end would hardly be seen on paper."""


def shades(steps: Sequence[int]) -> Mapping[int, Look]:
    """The look of each rewinding moment: from bright and early to dark and late, each with its marker and dashes.

    >>> [(look.colour, look.marker, look.style) for look in shades([0, 500]).values()]
    [('#e16462', 'o', '-'), ('#0d0887', 's', (0, (5, 2)))]
    """
    last = max(len(steps) - 1, 1)
    colours = [to_hex(colormaps["plasma"](EARLIEST * (1 - place / last))) for place in range(len(steps))]
    looks = zip(colours, cycle(MARKERS), cycle(STYLES))
    return {step: Look(*look) for step, look in zip(steps, looks, strict=False)}


def sparse(points: int, place: int) -> tuple[int, int]:
    """Which of a line's points have a marker: few, and others on the line in the next place, for where lines meet.

    >>> sparse(30, 0), sparse(30, 1), sparse(3, 1)
    ((0, 7), (2, 7), (0, 1))
    """
    every = max(1, points // 4)
    return 2 * place % every, every


PART_LOOKS: Mapping[str, Look] = {"train": Look("#6A51A3", "s", (0, (5, 2))), "test": Look("#C8410B", "o")}
"""Training and test data, where both are in one panel (purple and red in P2 figure 4-2)."""

DOTTED = (0, (1, 1.5))
"""The dashes of lines across a panel that are no result: bounds, and what something is compared with."""

BOUND: Mapping[str, Any] = {"color": "#808080", "linestyle": DOTTED, "linewidth": 1.2}
"""Such a line."""
