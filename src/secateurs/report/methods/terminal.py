"""In a terminal: what a study of methods came to."""

from __future__ import annotations

from collections.abc import Callable

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.methods import masks, words
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.compared import orders
from secateurs.report.methods.costed import time_ratio
from secateurs.report.methods.findings import MethodFindings, find_methods
from secateurs.report.methods.rows import MethodStudy
from secateurs.report.methods.sentences import summary
from secateurs.report.terminal import say
from secateurs.report.words import NOTHING, percent

WIDE = 100
"""Columns of a terminal in which a table has room for intervals."""


def show_methods(study: MethodStudy, console: Console) -> None:
    """Print what a study of methods found: accuracies, the order of the methods, and the findings in sentences."""
    for findings in find_methods(study):
        console.print(Text(findings.setting, style="bold"))
        for group in findings.groups:
            console.print(Text(f"pruned {words.pruned_when(group)}"))
            console.print(_table(findings, group, console.width < WIDE))
        for kind in findings.kinds if not findings.at_chance else ():
            _orders(kind, console)
        if findings.has_results and not findings.at_chance:
            console.print(Text(words.ORDER, style="dim"))
        say(summary(findings), console)


def _orders(findings: MethodFindings, console: Console) -> None:
    for group in findings.groups:
        for order in orders(findings, group):
            if len(order.methods) > 1:
                moment = words.when(group) if len(findings.groups) > 1 else ""
                where = ", ".join(
                    part for part in (findings.kind, words.gone(order.density, group.counted), moment) if part
                )
                console.print(Text(f"{where}: {words.order(order, group)}"), soft_wrap=False)


def _table(findings: MethodFindings, group: Group, narrow: bool) -> Table:
    """A line for each method and sparsity."""
    columns = _columns(findings, group, narrow)
    table = Table(box=SIMPLE)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=not place or name == "test")
    for method in group.methods:
        for place, cell in enumerate(group.cells_of(method)):
            first = Text(group.named(method) if place == 0 else "")
            table.add_row(first, *(columns[head](cell) for head in list(columns)[1:]))
        table.add_section()
    if findings.has_results and findings.dense is not None:
        known = {"method": "dense", "test": percent(findings.dense), "seeds": str(findings.dense.n)}
        table.add_row(*(known.get(head, "") for head in columns))
    return table


def _columns(findings: MethodFindings, group: Group, narrow: bool) -> dict[str, Callable[[Cell], str]]:
    """What a line shows, under which head; where there is little room, without intervals."""
    target = "channels removed" if group.counted == "channels" else "sparsity"
    shown: dict[str, Callable[[Cell], str]] = {"method": lambda cell: cell.method}
    shown[target] = lambda cell: words.sparsity(cell.density)
    if any(cell.how == "channels" for cell in group.cells) and not (narrow and findings.has_results):
        shown["weights gone"] = lambda cell: words.share(cell.weight_sparsity)
    if findings.has_results:
        shown["test"] = lambda cell: percent(cell.test)
        known = "minus dense" if narrow else "minus dense, points"
        shown[known] = lambda cell: words.difference(cell.difference, None if narrow else cell.interval)
    else:
        shown["channels emptied"] = lambda cell: words.share(masks.emptied(cell))
    if any(time_ratio(findings, cell) is not None for cell in group.cells):
        shown["time" if narrow else "time, dense = 1"] = lambda cell: _ratio(findings, cell)
    shown["seeds"] = lambda cell: _seeds(findings, cell)
    return shown


def _ratio(findings: MethodFindings, cell: Cell) -> str:
    ratio = time_ratio(findings, cell)
    return NOTHING if ratio is None else f"{ratio.mean:.2f}"


def _seeds(findings: MethodFindings, cell: Cell) -> str:
    there = cell.test.n if cell.test else 0
    seeds = str(there if findings.has_results else len(cell.runs))
    lost = words.lost(cell)
    return f"{seeds} ({lost})" if lost else seeds
