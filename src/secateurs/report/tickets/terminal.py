"""In a terminal: what a study of tickets came to."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.terminal import say
from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings, find_tickets
from secateurs.report.tickets.grid import Grid
from secateurs.report.tickets.grids import overall
from secateurs.report.tickets.rows import DENSE, TicketStudy
from secateurs.report.tickets.sentences import summary
from secateurs.report.words import NOTHING, plain_percent

WIDTH = 22
"""Columns of the terminal that a ticket takes; so many stand side by side as there is room for."""

LEVELS = 10
"""So many levels are printed at most; the CSV files have all."""


def show_tickets(study: TicketStudy, console: Console) -> None:
    """Print what a study of tickets found: accuracies at the earliest moment, and the findings in sentences."""
    found = find_tickets(study)
    for findings in found:
        console.print(Text(findings.setting, style="bold"))
        if findings.has_results:
            _accuracies(findings, console)
        say(summary(findings), console)
    if len(found) > 1:
        for grid in overall(found):
            console.print(Text(grid.title, style="bold"))
            console.print(_grid(grid))


def _accuracies(findings: TicketFindings, console: Console) -> None:
    """Test accuracy by weights remaining, a column for each ticket; a few at a time."""
    densities = words.spread_out(findings.densities, LEVELS)
    if findings.first is not None and len(findings.moments) > 1:
        console.print(Text(f"{words.k(findings.moments[0][1])}, the earliest of {len(findings.moments)} moments"))
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


def _cell(findings: TicketFindings, name: str, density: float) -> str:
    line = findings.line(name, findings.first)
    cell = next((each for each in line if each.density == density), None)
    if cell is None or cell.spread() is None:
        return NOTHING if cell is None or not cell.diverged else "diverged"
    return plain_percent(cell.spread()) + (" *" if cell.matching and not findings.at_chance else "")


def _grid(grid: Grid) -> Table:
    table = Table(box=SIMPLE)
    for place, name in enumerate(grid.columns):
        table.add_column(name, justify="right" if place else "left")
    for _, lines in grid.parts:
        for line in lines:
            table.add_row(Text(line.head), *(Text(each) for each in line.cells))
    return table
