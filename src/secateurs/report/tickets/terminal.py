"""In a terminal: what a study of tickets came to."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.methods.compared import FEWEST
from secateurs.report.terminal import say
from secateurs.report.tickets import stability_grids, words
from secateurs.report.tickets.findings import TicketFindings, find_tickets
from secateurs.report.tickets.grid import Grid
from secateurs.report.tickets.grids import overall
from secateurs.report.tickets.rows import DENSE, TicketStudy
from secateurs.report.tickets.sentences import summary
from secateurs.report.words import NOTHING, listed, plain_percent, plural

WIDTH = 22
"""Columns of the terminal that a ticket takes; so many stand side by side as there is room for."""

LEVELS = 10
"""So many levels are printed at most; the CSV files have all."""


def show_tickets(study: TicketStudy, console: Console) -> None:
    """Print what a study of tickets found: accuracies at the earliest moments, and the findings in sentences."""
    found = find_tickets(study)
    for findings in found:
        console.print(Text(findings.setting, style="bold"))
        if findings.has_results:
            _accuracies(findings, console)
        elif (unstable := stability_grids.instability(findings)) is not None:
            console.print(Text("Instability, percentage points"))
            console.print(_grid(unstable))
        say(summary(findings), console)
    if len(found) > 1:
        for grid in overall(found):
            console.print(Text(grid.title, style="bold"))
            console.print(_grid(grid))


def _accuracies(findings: TicketFindings, console: Console) -> None:
    """Test accuracy by weights remaining, a column for each ticket; a few at a time."""
    densities = words.spread_out(findings.densities, LEVELS)
    left_out = len(findings.densities) - len(densities)
    rest = f" {plural(left_out, 'level')} more in the report." if left_out else ""
    console.print(Text(f"Test accuracy, %{_moments(findings)}.{_starred(findings)}{rest}"))
    names = findings.tickets
    together = max(2, console.width // WIDTH)
    for begin in range(0, len(names), together):
        shown = names[begin : begin + together]
        table = Table(box=SIMPLE)
        table.add_column("weights, %", justify="right")
        for name in shown:
            table.add_column(Text(name), justify="right", overflow="fold")
        table.add_row(DENSE, *(plain_percent(findings.dense()) for _ in shown))
        for density in densities:
            table.add_row(words.remaining(density), *(_cell(findings, name, density) for name in shown))
        console.print(table)


def _moments(findings: TicketFindings) -> str:
    """From which moments, where there are several."""
    if len(findings.moments) < 2:
        return ""
    steps = dict(findings.moments)
    by: dict[int, list[str]] = {}
    for name in findings.tickets:
        first = findings.first_of(name)
        if first is not None:
            by.setdefault(steps[first], []).append(name)
    told = [f"{words.k(step)}{f' ({listed(names)})' if len(by) > 1 else ''}" for step, names in sorted(by.items())]
    rest = "the other is" if len(findings.moments) == 2 else "the others are"
    which = f"the earliest of {len(findings.moments)} rewinding moments; {rest} in the report"
    return f", from {', '.join(told)} ({which})" if told else ""


def _starred(findings: TicketFindings) -> str:
    """What stands beside accuracies: a star, and how many seeds there are where some are lost."""
    within = words.within(findings.study.matching_within)
    seeds = f"only {plural(findings.fewest, 'seed')}" if findings.fewest < FEWEST else "seeds"
    star = "" if findings.at_chance else f" *: it matches, in the mean over {seeds} {within}."
    return star + (" In brackets: of how many seeds." if findings.diverged or findings.missing else "")


def _cell(findings: TicketFindings, name: str, density: float) -> str:
    line = findings.line(name, findings.first_of(name))
    cell = next((each for each in line if each.density == density), None)
    if cell is None or cell.spread() is None:
        return NOTHING if cell is None or not cell.diverged else "diverged"
    known, every = len(cell.accuracies()), len(findings.seeds)
    some = f" ({known} of {every})" if known < every else ""
    return f"{plain_percent(cell.spread())}{some}{' *' if cell.matching else ''}"


def _grid(grid: Grid) -> Table:
    table = Table(box=SIMPLE)
    for place, name in enumerate(grid.columns):
        table.add_column(name, justify="right" if place else "left")
    for heading, lines in grid.parts:
        if heading:
            table.add_row(Text(heading, style="italic"))
        for line in lines:
            table.add_row(Text(line.head), *(Text(each) for each in line.cells))
    return table
