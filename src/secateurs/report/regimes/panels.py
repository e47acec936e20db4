"""What the panels of a phase diagram show (P4 figure 2): of each cell a number, how it is printed, and in which colour.

Colours run from light to dark with the size of what is shown, so that they are told apart in grey as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.regimes import words
from secateurs.report.regimes.cells import Cell, Lack
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.words import SPACE


@dataclass(frozen=True)
class Quantity:
    """One panel.

    Attributes:
        letter, title: its heading.
        bar: what stands beside its scale of colours.
        value: of a cell, over seeds; None where it is not known.
        text: how it is printed.
        colours: a map of matplotlib's.
        limits: the numbers at the two ends of the colours, from all that are shown.
        scale: what the numbers are multiplied by beside the scale of colours.
        undefined: whether it may not be defined where networks are known.
        paired: whether it compares the cells of a load.
    """

    letter: str
    title: str
    bar: str
    value: Callable[[RegimeFindings, Cell], Spread | None]
    text: Callable[[float | None], str]
    colours: str
    limits: Callable[[Sequence[float]], tuple[float, float]]
    scale: float = 1.0
    undefined: bool = False
    paired: bool = False

    def mean(self, findings: RegimeFindings, cell: Cell) -> float | None:
        """The number of a cell."""
        found = self.value(findings, cell)
        return None if found is None else found.mean

    def lack(self, findings: RegimeFindings, cell: Cell) -> Lack | None:
        """Why a cell has no number; None where it has one."""
        value = self.value(findings, cell)
        if self.paired and value is None and cell.errors():
            return "unpaired"
        return cell.lack(value, undefined=self.undefined)


def _spanning(values: Sequence[float]) -> tuple[float, float]:
    """From the least error to the largest; of errors that are alike at least a point, so that noise stays pale."""
    return min(values), max(max(values), min(values) + 0.01)


def _from_best(values: Sequence[float]) -> tuple[float, float]:
    return 0.0, max(0.01, *values)


def _around_nothing(values: Sequence[float]) -> tuple[float, float]:
    """As far to both sides of 0, which is white: twice P4's threshold at least."""
    most = max(0.1, *(abs(value) for value in values))
    return -most, most


def _up_to_one(values: Sequence[float]) -> tuple[float, float]:
    return min(0.8, *values), 1.0


ERROR = Quantity(
    *("a", "Test error", "percent", lambda _, cell: cell.error(), words.tenths, "YlOrBr", _spanning), scale=100.0
)
EXCESS = Quantity(
    *("b", "Error above the column's best", "points", lambda found, cell: found.excess(cell), words.tenths),
    *("Purples", _from_best),
    scale=100.0,
    paired=True,
)
LMC = Quantity("c", "LMC", "", lambda _, cell: cell.lmc, words.hundredths, "RdBu_r", _around_nothing)
CKA = Quantity("d", "CKA", "", lambda _, cell: cell.cka, words.hundredths, "Greens", _up_to_one, undefined=True)

QUANTITIES = (ERROR, EXCESS, LMC, CKA)


def shown(findings: RegimeFindings) -> Iterator[Quantity]:
    """The panels that there is a number for."""
    for each in QUANTITIES:
        if any(each.value(findings, cell) is not None for cell in findings.cells):
            yield each


PARTLY, GUESSES = "*", "?"

MARKS = {PARTLY: "of fewer than planned", GUESSES: "no better than guessing"}
"""What may stand beside a number, and what it says."""


def marks_of(cell: Cell, quantity: Quantity) -> Iterator[str]:
    """What must stand beside a cell's number."""
    place = 0 if quantity in (ERROR, EXCESS) else 1
    if cell.known[place] < cell.planned[place]:
        yield PARTLY
    if cell.guesses:
        yield GUESSES


def alt(findings: RegimeFindings, quantity: Quantity) -> str:
    """A panel in words: its ends, and in which cells they are."""
    known = [(value, cell) for cell in findings.cells if (value := quantity.mean(findings, cell)) is not None]
    low, high = (function(known, key=lambda each: each[0]) for function in (min, max))
    said = f"Phase diagram, {findings.setting}: {quantity.title.lower() if quantity.letter < 'c' else quantity.title}"
    unit = {"percent": f"{SPACE}%", "points": " points"}.get(quantity.bar, "")
    where = f"over {words.axis_label(findings.load)} and {findings.temperature.label}"
    lacking = len(findings.cells) - len(known)
    return (
        f"{said} {where}. Least {quantity.text(low[0])}{unit} at {_place(findings, low[1])}, most "
        f"{quantity.text(high[0])}{unit} at {_place(findings, high[1])}."
        + (f" {lacking} of {len(findings.cells)} cells have no number." if lacking else "")
    )


def _place(findings: RegimeFindings, cell: Cell) -> str:
    load = words.load_name(findings.load, cell.load)
    return f"{load}, {words.temperature_name(findings.temperature, cell.temperature)}"
