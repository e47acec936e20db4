"""In a terminal: what a study of methods came to."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.methods import masks, words
from secateurs.report.methods.compared import orders
from secateurs.report.methods.findings import Group, MethodFindings, find_methods
from secateurs.report.methods.rows import MethodStudy
from secateurs.report.methods.sentences import summary
from secateurs.report.terminal import say
from secateurs.report.words import percent


def show_methods(study: MethodStudy, console: Console) -> None:
    """Print what a study of methods found: accuracies, the order of the methods, and the findings in sentences."""
    for findings in find_methods(study):
        console.print(Text(findings.setting, style="bold"))
        for group in findings.groups:
            console.print(Text(f"pruned {words.pruned_when(group)}"))
            console.print(_table(findings, group))
            for order in orders(findings, group):
                if len(order.methods) > 1:
                    line = f"{words.sparsity(order.density)}: {words.order(order)}"
                    console.print(Text(line), soft_wrap=False)
        if findings.has_results:
            console.print(Text(words.ORDER, style="dim"))
        say(summary(findings), console)


def _table(findings: MethodFindings, group: Group) -> Table:
    table = Table(box=SIMPLE)
    kind = "test" if findings.has_results else "channels emptied"
    against = ("minus dense, points",) if findings.has_results else ()
    for place, name in enumerate(("method", "sparsity", kind, *against, "seeds")):
        table.add_column(name, justify="right" if place else "left")
    for method in group.methods:
        for place, cell in enumerate(group.cells_of(method)):
            measured = percent(cell.test) if findings.has_results else words.share(masks.emptied(cell))
            seeds = f"{cell.test.n if cell.test else 0}" if findings.has_results else f"{len(cell.runs)}"
            more = words.lost(cell)
            shown_name = Text(group.named(method) if place == 0 else "")
            difference = (words.difference(cell.difference, cell.interval),) if against else ()
            shown = (measured, *difference, f"{seeds} ({more})" if more else seeds)
            table.add_row(shown_name, words.sparsity(cell.density), *shown)
        table.add_section()
    if findings.has_results and findings.dense is not None:
        table.add_row("dense", "", percent(findings.dense), "", str(findings.dense.n))
    return table
