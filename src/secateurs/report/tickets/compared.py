"""IMP beside the other tickets, and how far each of them goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST
from secateurs.report.tickets.cells import Cell, Interval, paired
from secateurs.report.tickets.findings import TicketFindings


@dataclass(frozen=True)
class Compared:
    """Test accuracy of IMP minus that of another ticket at one level and rewinding moment, paired by seed."""

    ticket: str
    other: str
    level: int
    density: float
    rewind: str | None
    step: int | None
    difference: Spread
    interval: Interval

    @property
    def said(self) -> str:
        """``"better"`` or ``"worse"`` where the interval leaves out 0; ``""``: not told apart, or too few seeds."""
        if self.interval is None or self.difference.n < FEWEST:
            return ""
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else ""


def compared(findings: TicketFindings) -> Iterator[Compared]:
    """IMP against each other ticket, wherever both have a result on the same seeds; earliest moment first.

    A ticket that has no rewinding moment (LRR) stands beside IMP at each of them.
    """
    imp = findings.imp
    if imp is None or findings.at_chance:
        return
    for other in findings.tickets:
        if other == imp:
            continue
        for rewind, step in findings.moments_of(imp, other):
            for own in findings.line(imp, rewind):
                second = findings.cell(other, own.level, rewind)
                found = None if second is None else paired(own, second)
                if found is not None:
                    yield Compared(imp, other, own.level, own.density, rewind, step, *found)


@dataclass(frozen=True)
class Reach:
    """How far a ticket matches: ``down_to`` is the lowest density that matches together with every higher one.

    ``again``: densities below it that match all the same. ``open``: what comes next has no result yet. ``tried``: at
    how many levels it was, or is to be, trained. ``seeds``: on how few seeds a level has a result: of those that
    match, or of all where none does.
    """

    ticket: str
    rewind: str | None
    step: int | None
    down_to: float | None
    again: tuple[float, ...]
    open: bool
    tried: tuple[float, ...]
    seeds: int


def reach(cells: Sequence[Cell]) -> Reach:
    """How far the cells of one line, from the highest density to the lowest, match; the dense network is left out."""
    pruned = [cell for cell in cells if cell.level > 0]
    down_to, stopped = None, len(pruned)
    for place, cell in enumerate(pruned):
        if not cell.matching:
            stopped = place
            break
        down_to = cell.density
    again = tuple(cell.density for cell in pruned[stopped:] if cell.matching)
    unknown = stopped < len(pruned) and pruned[stopped].matching is None
    backing = [cell for cell in pruned if cell.matching] or [cell for cell in pruned if cell.accuracies()]
    seeds = min((len(cell.accuracies()) for cell in backing), default=0)
    tried = tuple(cell.density for cell in pruned)
    one = cells[0]
    return Reach(one.ticket, one.rewind, one.step, down_to, again, unknown, tried, seeds)
