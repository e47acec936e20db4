"""In a terminal: the ranking of the triggers."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.ranking import words
from secateurs.report.ranking.rows import RankingStudy
from secateurs.report.ranking.sentences import summary
from secateurs.report.ranking.sides import Side, sides
from secateurs.report.terminal import say
from secateurs.report.words import plural

WIDE = 110
"""Columns from which on the differences to the first have room."""


def show_ranking(bench: RankingStudy, console: Console) -> None:
    """Print the ranking of the triggers and what it says, of the judged settings and of those to choose on."""
    ranked = sides(bench)
    if not ranked:
        console.print(Text("No pruned network has a result yet, so there is nothing to rank."))
    for side in ranked:
        console.print(Text(f"{side.name.capitalize()} ({plural(len(side.found), 'setting')})", style="bold"))
        if side.judged:
            console.print(_table(side, wide=console.width >= WIDE))
        say(summary(side), console)
    if ranked:
        validation = f" {words.VALIDATION}" if any(side.to_choose for side in ranked) else ""
        console.print(Text(f"{words.REGRET}{validation} {words.NEVER} {words.PICKED}", style="dim"))


def _table(side: Side, *, wide: bool) -> Table:
    table = Table(box=SIMPLE)
    against = ("minus the first",) if wide else ()
    seen = ("on validation data",) if side.to_choose else ()
    for title in ("trigger", *seen, "regret, points (95 % interval)", *against, "dense", "time", "not by itself"):
        table.add_column(title, justify="left" if title == "trigger" else "right")
    for each in side.standings:
        difference = (words.behind(each),) if wide else ()
        seen = (words.validation(each),) if side.to_choose else ()
        shown = (
            *seen,
            words.regret(each),
            *difference,
            words.part(each.share),
            words.time(each),
            words.by_itself(each),
        )
        table.add_row(Text(each.trigger), *shown)
    return table
