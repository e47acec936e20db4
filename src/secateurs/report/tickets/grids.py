"""The tables of the page, as text: everything about one setting, and the tables 4.1 and 4.2 over settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from secateurs.report.methods.compared import FEWEST
from secateurs.report.tickets import stability_grids, words
from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.findings import RANDOM, TicketFindings
from secateurs.report.tickets.grid import Grid, Line
from secateurs.report.tickets.rows import DENSE
from secateurs.report.words import NOTHING, listed, plain_percent


def grids(findings: TicketFindings) -> Iterator[Grid]:
    """The tables of one setting."""
    if any(cell.spread() is not None for cell in findings.cells):
        yield _accuracies(findings)
    yield from stability_grids.grids(findings)


def overall(found: Sequence[TicketFindings]) -> Iterator[Grid]:
    """P2 tables 4.1 and 4.2: a line for each setting that has iterative magnitude pruning."""
    judged = [each for each in found if each.imp is not None and each.dense() is not None and each.has_results]
    if judged:
        yield _extremes(judged)
    lines = [line for each in judged for line in _from_start(each)]
    if lines:
        yield _starts(lines, [each for each in judged if list(_from_start(each))])
    yield from _beside_others(found)


def _extremes(found: Sequence[TicketFindings]) -> Grid:
    lines = []
    for each in found:
        reach = each.most_extreme
        where = NOTHING if reach is None else words.remaining(reach.density)
        moment = NOTHING if reach is None or reach.step is None else f"{reach.step:,}"
        lines.append(Line(each.setting, (f"{each.steps:,}", plain_percent(each.dense()), where, moment, _test(reach))))
    columns = ("Setting", "Steps", "Dense, test, %", "Weights remaining, %", "k, steps", "Test there, %")
    note = (
        f"The fewest weights at which IMP, rewound to any moment, is in the mean over seeds {_within(found)}. Moment "
        "and level are chosen by test accuracy, as in P2: good for choosing a level to look at, too kind for a result."
    )
    return Grid("extremes", "The most extreme matching level", columns, (("", tuple(lines)),), note)


def _within(found: Sequence[TicketFindings]) -> str:
    """What matching is, and where, if settings differ in it."""
    by: dict[float, list[str]] = {}
    for each in found:
        by.setdefault(each.study.matching_within, []).append(each.setting)
    told = [f"{words.within(points)} ({listed(settings)})" for points, settings in by.items()]
    return words.within(next(iter(by))) if len(by) == 1 else ", or ".join(told)


def _from_start(findings: TicketFindings) -> Iterator[Line]:
    """IMP and its baselines with weights from k = 0, at the most extreme level; nothing without that moment."""
    imp, extreme, start = findings.imp, findings.most_extreme, findings.at_start
    own = findings.cell(imp, extreme.level, start) if imp is not None and extreme is not None and start else None
    if own is None or extreme is None:
        return
    others = (findings.one_of(*RANDOM), findings.one_of("redrawn"))
    beside = [None if name is None else findings.cell(name, extreme.level, start) for name in others]
    shown = (plain_percent(findings.dense()), *(_test(cell) for cell in (own, *beside)))
    shown += (words.difference(own.difference), _matching(own))
    yield Line(findings.setting, (words.remaining(extreme.density), *shown))


def _starts(lines: Sequence[Line], found: Sequence[TicketFindings]) -> Grid:
    imp = _names((each.imp for each in found), "IMP")
    random = _names((each.one_of(*RANDOM) for each in found), "Random pruning")
    redrawn = _names((each.one_of("redrawn") for each in found), "Re-initialised")
    heads = ("Setting", "Weights remaining, %", "Dense, %", f"{imp}, %", f"{random}, %", f"{redrawn}, %")
    note = (
        f"Test accuracy with weights from k = 0, at the level of the table above; {imp} minus dense is paired by seed "
        "(P2 table 4.2 prints dense minus IMP)."
    )
    columns = (*heads, f"{imp} minus dense, points", "Matching?")
    return Grid("start", "Rewound to k = 0", columns, (("", tuple(lines)),), note, text=1)


def _names(names: Iterable[str | None], role: str) -> str:
    """What settings call a ticket of one role; the role where none has one."""
    return " or ".join(dict.fromkeys(name for name in names if name is not None)) or role


def _matching(cell: Cell) -> str:
    return NOTHING if cell.level == 0 or cell.matching is None else "yes" if cell.matching else "no"


def _beside_others(found: Sequence[TicketFindings]) -> Iterator[Grid]:
    """What others report beside what was measured here, a part for each source and ticket."""
    parts: dict[str, list[Line]] = {}
    for each in found:
        for other in (one for one in each.study.reported if one.setting == each.setting):
            ticket, left, here = other.ticket or DENSE, NOTHING, plain_percent(each.dense())
            if other.ticket is not None and other.density is not None:
                left = words.remaining(other.density)
                line = each.line(other.ticket, other.rewind or each.first_of(other.ticket))
                # Densities of levels are products of rates: papers print three digits of them.
                cells = [cell for cell in line if abs(cell.density / other.density - 1) < 0.01]
                here = _test(cells[0] if cells else None)
            told = (left, f"{100 * other.accuracy:.1f}", here)
            parts.setdefault(f"{other.source}: {ticket}", []).append(Line(each.setting, told))
    if parts:
        columns = ("Setting", "Weights remaining, %", "Reported, %", "Here, %")
        lines = tuple((name, tuple(own)) for name, own in parts.items())
        note = "Test accuracy, from the same rewinding moment; where none is told, from the earliest one here."
        yield Grid("reported", "Beside what others report", columns, lines, note)


def _accuracies(findings: TicketFindings) -> Grid:
    several_k = len(findings.moments) > 1
    head = ("k, steps",) if several_k else ()
    columns = ("Weights remaining, %", *head, "Test, %", "Train, %", "Minus dense, points", "Matching", "Seeds")
    whole = [cell for cell in findings.cells if cell.ticket == DENSE][:1]  # it is that of every moment
    parts = {DENSE: whole, **{name: [c for c in findings.cells if c.ticket == name] for name in findings.tickets}}
    lines = tuple((name, tuple(_lines(own, several_k))) for name, own in parts.items() if own)
    several = ", ± standard deviation; differences are paired by seed" if len(findings.seeds) > 1 else ""
    if len(findings.seeds) >= FEWEST:
        several += f", with 95 % intervals by Student's t where there are {FEWEST} seeds or more"
    if findings.study.band == "range":
        several += "; the bands of figures are from the minimum to the maximum"
    note = (
        f"Mean over seeds{several}. Matching: in "
        f"the mean {words.within(findings.study.matching_within)} of the same seeds; a diverged run matches nothing. "
        "Shaded: the fewest weights at which the ticket matches."
    )
    return Grid("accuracy", "Accuracy", columns, lines, note)


def _lines(own: Sequence[Cell], several_k: bool) -> Iterator[Line]:
    """A ticket's cells, those of its most extreme matching level shaded."""
    reached = [cell.density for cell in own if cell.level > 0 and cell.matching]
    least = min(reached, default=None)
    for cell in own:
        moment = (NOTHING if cell.step is None else f"{cell.step:,}",) if several_k else ()
        test, train = plain_percent(cell.spread()), plain_percent(cell.spread("train"))
        below = NOTHING if cell.level == 0 else words.difference(cell.difference, cell.interval)
        seeds = f"{len(cell.accuracies())}{f' ({words.lost(cell)})' if words.lost(cell) else ''}"
        marked = cell.density == least and bool(cell.matching)
        yield Line(words.remaining(cell.density), (*moment, test, train, below, _matching(cell), seeds), marked)


def _test(cell: Cell | None) -> str:
    return NOTHING if cell is None else plain_percent(cell.spread())
