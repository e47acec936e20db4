"""In a terminal: the coefficients of P3's analyses."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.importance import words
from secateurs.report.importance.findings import ImportanceFindings, find_importance
from secateurs.report.importance.rows import UNITS, ImportanceStudy
from secateurs.report.importance.sentences import summary
from secateurs.report.terminal import say


def show_importance(study: ImportanceStudy, console: Console) -> None:
    """Print coefficients and mask distances of each setting, and what they say."""
    for found in find_importance(study):
        console.print(Text(found.setting, style="bold"))
        if found.changes or found.flows:
            console.print(_table(found))
        say(summary(found), console)


def _table(found: ImportanceFindings) -> Table:
    table = Table(box=SIMPLE)
    for title in ("unit", "epoch", "change, loss", "masks apart", "θ'Hg, θ'g"):
        table.add_column(title, justify="left" if title == "unit" else "right")
    flows = {(point.unit, point.epoch): point.correlation for point in found.flows}
    changes = {(curve.unit, point.epoch): point for curve in found.changes for point in curve.points}
    units = list(UNITS)
    for unit, epoch in sorted({*flows, *changes}, key=lambda place: (units.index(place[0]), place[1])):
        change = changes.get((unit, epoch))
        table.add_row(
            words.units(unit),
            str(epoch),
            words.coefficient(None if change is None else change.correlation),
            words.distance(None if change is None else change.distance),
            words.coefficient(flows.get((unit, epoch))),
        )
    return table
