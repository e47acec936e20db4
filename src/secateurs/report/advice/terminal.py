"""An advice in a terminal."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.advice import words
from secateurs.report.advice.certainty import certainty, cost
from secateurs.report.advice.findings import find_advice
from secateurs.report.advice.remedies import remedies
from secateurs.report.advice.rows import AdviceStudy
from secateurs.report.terminal import say

_NAME = 24
"""Longer names are broken into lines."""


def show_advice(study: AdviceStudy, console: Console) -> None:
    """Print what each network came to, what to do, how sure that is, and what it cost."""
    found = find_advice(study)
    console.print(Text(study.title, style="bold"))
    console.print(Text(study.about, style="dim"))
    table = Table(box=SIMPLE)
    longest = max(len(each.name) for each in found.verdicts)
    told = [words.row(each) for each in found.verdicts]
    for place, name in enumerate(words.COLUMNS):
        breaks = name == "network" and longest > _NAME
        table.add_column(
            name,
            justify="left" if name in words.IN_WORDS else "right",
            no_wrap=not breaks,
            overflow="fold" if breaks else "ellipsis",
            min_width=None if breaks else max(len(name), *(len(row[place]) for row in told)),
        )
    for each in found.verdicts:
        cells = words.row(each)
        style = "bold" if each is found.chosen and len(found.verdicts) > 1 else None
        table.add_row(*(Text(cell) for cell in cells), style=style)
    console.print(table)
    console.print(Text(words.LEGEND, style="dim"))
    console.print()
    console.print(Text(words.headline(found), style="bold"))
    say([*words.choice(found), *words.reasons(found)], console)
    for heading, sentences in (
        ("What to change, one at a time:", remedies(found)),
        ("How sure:", certainty(found)),
        ("What it cost:", cost(study)),
    ):
        if sentences:
            console.print(Text(heading, style="bold"))
            say(sentences, console)
    for note in study.notes:
        console.print(Text(note))
