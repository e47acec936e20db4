"""In a terminal: a graph of jobs at work, and afterwards what a study, or two, came to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report import glance
from secateurs.report.cells import choice_cell, correlation_cell, loss_cell, peak_cell, regret_cell, share_cell
from secateurs.report.compare import Comparison
from secateurs.report.comparison import cells, pairing, title
from secateurs.report.findings import Findings
from secateurs.report.layout import names
from secateurs.report.progress import Progress
from secateurs.report.sentences import heading, summary
from secateurs.report.words import NOTHING, number_of, percent, signal_name

__all__ = ["Progress", "say", "show", "show_comparison"]


def show(found: Sequence[Findings], console: Console) -> None:
    """Print what a study found: all settings at a glance, then the curve and the findings of each."""
    if len(found) > 1:
        _glance(found, console)
    for findings in found:
        console.print(Text(heading(findings), style="bold"))
        table = Table(box=SIMPLE)
        for name in ("pruned at epoch", "test", "validation", "seeds"):
            table.add_column(name, justify="right")
        for point in findings.curve:
            style = "bold" if point == findings.best else None
            epoch = ("best: " if point == findings.best else "") + number_of(point.epoch)
            table.add_row(epoch, percent(point.test), percent(point.validation), str(point.test.n), style=style)
        table.add_section()
        count = findings.dense.n if findings.dense else 0
        table.add_row("dense", percent(findings.dense), percent(findings.dense_validation), str(count))
        console.print(table)
        say(summary(findings), console)


def _glance(found: Sequence[Findings], console: Console) -> None:
    table = Table(box=SIMPLE)
    for name in ("setting", "dense", "best epoch", "pruned there", "loss, points", "fits"):
        table.add_column(name, justify="left" if name == "setting" else "right")
    for name, each in zip(names(found), found, strict=True):
        best = each.best
        epoch, test = (NOTHING, None) if best is None else (number_of(best.epoch), best.test)
        fits = NOTHING if each.fits is None else "yes" if each.fits else "no"
        table.add_row(Text(name), percent(each.dense), epoch, percent(test), loss_cell(each), fits)
    console.print(Text("Overview", style="bold"))
    console.print(table)
    signals = dict.fromkeys(curve.signal for each in found for curve in each.signals)
    if signals:
        table = Table(box=SIMPLE)
        for title in ("setting", "signal", "peak at epoch", "rank correlation, validation"):
            table.add_column(title, justify="left" if title in ("setting", "signal") else "right")
        for signal in signals:
            for name, each in zip(names(found), found, strict=True):
                if each.signal(signal) is not None:
                    correlation = correlation_cell(each, signal, "validation")
                    table.add_row(Text(name), Text(signal_name(signal)), peak_cell(each, signal), correlation)
        console.print(table)
    triggers = dict.fromkeys(result.trigger for each in found for result in each.triggers)
    if triggers:
        table = Table(box=SIMPLE)
        for title in ("setting", "trigger", "pruned at epoch", "regret, points (95 % interval)", "time"):
            table.add_column(title, justify="left" if title in ("setting", "trigger") else "right")
        for trigger in triggers:
            for name, each in zip(names(found), found, strict=True):
                for result in each.triggers:
                    if result.trigger == trigger:
                        shown = choice_cell(result), regret_cell(result), share_cell(result.seconds_share)
                        table.add_row(Text(name), Text(trigger), *shown)
        console.print(table)
    say(glance.summary(found), console)


def say(said: Sequence[str], console: Console) -> None:
    """Print sentences, one to a bullet."""
    for sentence in said:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(sentence))
        console.print(grid)
    console.print()


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print both studies side by side, and what differs in their recipes."""
    a, b = comparison.names
    console.print(Text(f"A: {a}\nB: {b}"))
    for pair in comparison.pairs:
        console.print(Text(f"\n{title(pair)}", style="bold"))
        table = Table(box=SIMPLE)
        for name in ("", "A", "B", "B minus A", "95 % interval"):
            table.add_column(name, justify="right" if name else "left")
        for each in pair.differences:
            table.add_row(Text(each.quantity), *cells(each))
        console.print(table)
        console.print(Text(pairing(pair)))
    for side, lone in zip(comparison.names, (comparison.only_a, comparison.only_b), strict=True):
        for findings in lone:
            console.print(Text(f"Only in {side}: {heading(findings)}"))
    console.print(
        Text("\nWhat differs in the recipes" if comparison.recipe else "\nThe recipes do not differ.", style="bold")
    )
    for change in comparison.recipe:
        path = f"{change.path}: " if change.path else ""
        console.print(Text(f"  {path}{change.a or NOTHING} → {change.b or NOTHING}"), soft_wrap=True)
