"""Short pieces of text about methods: sparsities, differences with their intervals, orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell, Group, Interval, moment_at
from secateurs.report.methods.compared import Order, Paired
from secateurs.report.words import NOTHING, SPACE, listed, number_of, signed

LESS, SAME = ">", "\N{ALMOST EQUAL TO}"
"""In an order of methods: told apart from the next, and not told apart."""

ORDER = (
    "“>”: told apart by the 95 % bootstrap interval of the difference, paired by seed; “≈”: not told apart, "
    "the interval includes 0; “,”: fewer than three seeds in common, which tell nothing apart."
)


TRIGGERED = "when its trigger fires"
"""The moment of a method that a trigger tells when to prune."""


class Standing(Protocol):
    """Whatever stands at a moment of pruning."""

    @property
    def moment(self) -> str: ...

    @property
    def epoch(self) -> float: ...


def percent_removed(density: float) -> str:
    """Sparsity in percent, in as few digits as tell it.

    >>> percent_removed(0.1), percent_removed(0.168), percent_removed(0.001), percent_removed(1.0)
    ('90', '83.2', '99.9', '0')
    """
    return f"{100 * (1 - density):.4g}" if density < 0.01 else f"{100 * (1 - density):.3g}"


def sparsity(density: float) -> str:
    """Sparsity in percent with its unit."""
    return f"{percent_removed(density)}{SPACE}%"


def gone(density: float, counted: str = "weights") -> str:
    """How much is pruned, and of what.

    >>> gone(0.05).replace(SPACE, " "), gone(0.25, "channels").replace(SPACE, " ")
    ('95 % sparsity', '75 % of the channels removed')
    """
    return f"{sparsity(density)} {'of the channels removed' if counted == 'channels' else 'sparsity'}"


def head(counted: str) -> str:
    """The head of a column that says how much is pruned, in percent."""
    return "Channels removed, %" if counted == "channels" else "Sparsity, %"


def sparsities(densities: Sequence[float]) -> str:
    """Several sparsities, as in a sentence.

    >>> sparsities([0.2, 0.1]).replace(SPACE, " ")
    '80 and 90 %'
    """
    return f"{listed([percent_removed(density) for density in densities])}{SPACE}%"


def when(place: Standing) -> str:
    """The moment of pruning, as in "pruned at epoch 12"."""
    if isinstance(place, Cell) and place.triggered:
        return f"when its trigger fires, {place.at}"
    if not place.moment or (isinstance(place, Group) and place.triggered == place.methods):
        return TRIGGERED
    rounds = {cell.rounds for cell in ((place,) if isinstance(place, Cell) else getattr(place, "cells", ()))}
    if rounds and None not in rounds:
        return _in_rounds([each for each in rounds if each is not None])
    return f"at {moment_at(place.moment, place.epoch)}"


def _in_rounds(spans: Sequence[tuple[float, float]]) -> str:
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    if first == last:
        return f"at epoch {number_of(first)}"
    return f"in rounds, epochs {number_of(first)} to {number_of(last)}"


def pruned_when(group: Group) -> str:
    """The moment at which a group's methods are pruned, for a title."""
    return competing_when(group) + (", and methods with a moment of their own" if group.beside else "")


def competing_when(group: Group) -> str:
    """The moments at which those of a group's methods are pruned that compete with each other."""
    moments = [when(group)]
    if group.triggered and moments != [TRIGGERED]:
        moments.append("by a trigger")
    if group.elsewhere:
        moments.append("at a moment of their own")
    return " or ".join(moments)


def between(interval: Interval) -> str:
    """An interval in points.

    >>> between((-0.002, 0.01)), between(None)
    ('−0.20 to +1.00', '–')
    """
    return NOTHING if interval is None else f"{signed(interval[0])} to {signed(interval[1])}"


def difference(spread: Spread | None, interval: Interval) -> str:
    """A mean difference in points, with its interval where there is one."""
    if spread is None:
        return NOTHING
    return signed(spread.mean) + ("" if interval is None else f" ({between(interval)})")


def paired(each: Paired) -> str:
    """A paired difference in points, with its interval."""
    return difference(each.difference, each.interval)


def share(spread: Spread | None) -> str:
    """A share in percent.

    >>> share(Spread(0.314, 0.01, 3)).replace(SPACE, " "), share(Spread(0.0, None, 1)).replace(SPACE, " "), share(None)
    ('31.4 ± 1.0 %', '0 %', '–')
    """
    if spread is None:
        return NOTHING
    deviation = f"{SPACE}±{SPACE}{100 * spread.sd:.1f}" if spread.sd else ""
    return ("0" if spread.mean == 0 else f"{100 * spread.mean:.1f}") + f"{deviation}{SPACE}%"


def order(each: Order, group: Group | None = None) -> str:
    """Methods from best to worst with their accuracies, and which are told apart.

    >>> order(Order(0.1, ("a", "b", "c"), (0.9, 0.88, 0.87), (True, False), (1.0, 2.0, 3.0), 3, ()))
    'a 90.0 > b 88.0 ≈ c 87.0'
    """
    marks = {True: f" {LESS} ", False: f" {SAME} ", None: ", "}
    names = [name if group is None else group.named(name) for name in each.methods]
    shown = [f"{name} {100 * mean:.1f}" for name, mean in zip(names, each.means, strict=True)]
    return "".join(text + mark for text, mark in zip(shown, [*(marks[apart] for apart in each.apart), ""], strict=True))


def tenths(points: float) -> str:
    """A difference in points with one digit, as papers print it.

    >>> tenths(-0.0152), tenths(0.0003), tenths(-0.0003)
    ('−1.5', '+0.0', '−0.0')
    """
    return f"{100 * points:+.1f}".replace("-", "\N{MINUS SIGN}")


def in_percent(value: float) -> str:
    """A share in whole percent.

    >>> in_percent(0.314).replace(SPACE, " "), in_percent(0.0123).replace(SPACE, " ")
    ('31 %', '1.2 %')
    """
    return f"{100 * value:.0f}{SPACE}%" if value >= 0.0995 else f"{100 * value:.1f}{SPACE}%"


def lost(cell: Cell) -> str:
    """Which of a cell's seeds have no result, for a table; empty when all have one."""
    gone = ((cell.diverged, "diverged"), (cell.missing, "missing"), (cell.never, "never pruned"))
    return ", ".join(f"{len(seeds)} {what}" for seeds, what in gone if seeds)


def rank(value: float | None) -> str:
    """A rank in a table.

    >>> rank(2.0), rank(2.5), rank(None)
    ('2', '2.5', '–')
    """
    return NOTHING if value is None else f"{value:.3g}"
