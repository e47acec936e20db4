"""In a terminal: what a study of regimes came to."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.regimes import words
from secateurs.report.regimes.findings import RegimeFindings, find_regimes
from secateurs.report.regimes.rows import RegimeStudy
from secateurs.report.regimes.sentences import overall, summary
from secateurs.report.terminal import say
from secateurs.report.words import NOTHING

_FIRST, _COLUMN = 12, 13


def show_regimes(study: RegimeStudy, console: Console) -> None:
    """Print what a study of regimes found: test errors with their regimes, and the findings in sentences."""
    found = find_regimes(study)
    for findings in found:
        console.print(Text(findings.setting, style="bold"))
        if findings.has_results:
            _errors(findings, console)
        say(summary(findings), console)
    told = overall(found)
    if told:
        console.print(Text("All settings", style="bold"))
        say(told, console)


def _errors(findings: RegimeFindings, console: Console) -> None:
    """Test error and regime by temperature and load; so many loads side by side as there is room for."""
    axis, loads = findings.temperature, findings.load.values
    said = f"Test error, %, and regime, by {axis.label} (the highest temperature on top) and {findings.load.name}"
    starred = len(axis.values) > 1 and any(findings.best(load) is not None for load in loads)
    star = "" if not starred else " *: the lowest of its column."
    console.print(Text(f"{said}{', %' if findings.load.name == 'density' else ''}.{star}"))
    together = max(2, (console.width - _FIRST) // _COLUMN)
    for begin in range(0, len(loads), together):
        shown = loads[begin : begin + together]
        table = Table(box=SIMPLE)
        table.add_column(Text(axis.name), justify="right")
        for load in shown:
            table.add_column(words.load_value(findings.load, load), justify="right")
        for hot in axis.values:
            table.add_row(words.temperature_value(hot), *(Text(_cell(findings, hot, load)) for load in shown))
        console.print(table)


def _cell(findings: RegimeFindings, hot: float, load: float) -> str:
    cell = findings.cell(hot, load)
    error = cell.error()
    if error is None:
        return "diverged" if cell.lack(error) == "diverged" else NOTHING
    star = "*" if cell is findings.best(load) and len(findings.temperature.values) > 1 else ""
    return f"{words.tenths(error.mean)}{star} {cell.regime or ('guesses' if cell.guesses else '')}".rstrip()
