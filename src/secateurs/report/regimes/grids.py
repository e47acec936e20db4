"""The tables of the page: each quantity over temperature and load, and the changes that P4's claim is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST
from secateurs.report.regimes import applied, words
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.claims import Change, moves
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.tickets.grid import Grid, Line
from secateurs.report.words import NOTHING, plain_percent, signed

_WHY = {"waiting": NOTHING, "diverged": "diverged", "undefined": "not defined", "unpaired": NOTHING}


def grids(findings: RegimeFindings) -> Iterator[Grid]:
    """Those that there is something for."""
    changes = moves(findings) if not findings.at_chance else ()
    if changes:
        yield _changes(findings, changes)
    if findings.has_results and not findings.at_chance:
        yield from applied.grids(findings)
    yield from tables(findings)


def overall(found: Sequence[RegimeFindings]) -> Iterator[Grid]:
    """Those of several settings beside each other."""
    if len(found) > 1:
        yield from applied.overall_grids(found)


def tables(findings: RegimeFindings) -> Iterator[Grid]:
    """Error, LMC, CKA and regime over temperature and load."""
    if not findings.has_results:
        return
    note = (
        f"Mean ± standard deviation over seeds; {NOTHING}: no result yet. In brackets: of how many copies, or pairs of "
        "copies, where not of all."
    )
    over = "by temperature (rows, the highest on top) and load"
    yield _table(findings, "errors", f"Test error, %, {over}", lambda cell: _error(cell, cell.error()), note)
    if findings.compared:
        yield _table(findings, "lmc", f"LMC, {over}", lambda cell: _measured(cell, cell.lmc), note)
        yield _table(findings, "cka", f"CKA, {over}", lambda cell: _measured(cell, cell.cka, undefined=True), note)
        yield _table(findings, "regimes", f"Regimes, {over}", lambda cell: _regime(findings, cell), REGIMES)


REGIMES = (
    "By the means over seeds. In brackets: on how many of the seeds it is this regime, where not on all, and how many "
    "seeds are missing. Guesses: hardly better than guessing, so that connectivity says nothing."
)
"""What stands below the table of regimes."""


def _table(findings: RegimeFindings, name: str, title: str, text: Callable[[Cell], str], note: str) -> Grid:
    columns = (findings.temperature.label, *(words.load_name(findings.load, load) for load in findings.load.values))
    lines = tuple(
        Line(
            words.temperature_value(hot),
            tuple(text(findings.cell(hot, load)) for load in findings.load.values),
        )
        for hot in findings.temperature.values
    )
    return Grid(name, title, columns, (("", lines),), note)


def _error(cell: Cell, spread: Spread | None) -> str:
    return _told(plain_percent(spread), cell, spread, cell.known[0], cell.planned[0])


def _measured(cell: Cell, spread: Spread | None, *, undefined: bool = False) -> str:
    return _told(words.spread_of(spread), cell, spread, cell.known[1], cell.planned[1], undefined=undefined)


def _told(text: str, cell: Cell, known: object, there: int, planned: int, *, undefined: bool = False) -> str:
    lack = cell.lack(known, undefined=undefined)
    if lack is not None:
        return _WHY[lack]
    return text + (f" ({there} of {planned})" if there < planned else "")


def _regime(findings: RegimeFindings, cell: Cell) -> str:
    if cell.guesses:
        return "guesses"
    if cell.regime is None:
        return _WHY[cell.lack(None, undefined=True) or "waiting"]
    known, missing = len(cell.regimes), len(findings.seeds) - len(cell.regimes)
    told = [f"{cell.agreeing} of {known}"] if cell.agreeing < known else []
    told += [f"{missing} missing"] if missing else []
    return cell.regime + (f" ({', '.join(told)})" if told else "")


def _changes(findings: RegimeFindings, changes: Sequence[Change]) -> Grid:
    columns = ("Load", "From", "To", "Change of test error, points", "95 % interval", "Seeds", "Told apart")
    parts = []
    for way, heading in (
        ("hotter", "Higher temperature, from Regime I"),
        ("colder", "Lower temperature, in Regime II"),
    ):
        lines = tuple(_change(findings, each) for each in changes if each.way == way)
        if lines:
            parts.append((heading, lines))
    judged = sum(change.difference.n >= FEWEST for change in changes)
    chance = "" if judged < 2 else f" Of {judged} intervals one in twenty leaves out 0 by chance."
    note = (
        "What P4 advises, followed as far as LMC says, seed by seed: below 0 it helps. The regimes are by LMC and CKA "
        "of the very copies whose errors are compared, so the two are not independent. Intervals: Student's t; told "
        f"apart with {FEWEST} seeds or more.{chance}"
    )
    return Grid("changes", "What changing the temperature does", columns, tuple(parts), note, text=1)


def _change(findings: RegimeFindings, change: Change) -> Line:
    start, end = (f"{words.temperature_value(cell.temperature)} ({cell.regime})" for cell in (change.start, change.end))
    sd = "" if change.difference.sd is None else f" ± {100 * change.difference.sd:.2f}"
    interval = NOTHING if change.interval is None else " to ".join(map(signed, change.interval))
    told = change.said or ("no" if change.difference.n >= FEWEST else "too few seeds")
    cells = (start, end, signed(change.difference.mean) + sd, interval, str(change.difference.n), told)
    return Line(words.load_name(findings.load, change.start.load), cells)
