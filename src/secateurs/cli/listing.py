"""The command that lists recipes, or shows one: ``recipes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from secateurs.cli.application import console
from secateurs.studies import load_recipe, shipped
from secateurs.studies.recipe import scales_of

_FOLLOWED = {
    "p0": "figures of Nunez and Soatto, On the Relationship Between Model Training Dynamics and Early Pruning Periods",
    "p1": "tables and figures of Rachwan et al., Winning the Lottery Ahead of Time: Efficient Early Network Pruning",
    "p2": "chapters 3 to 5 of Frankle, The Lottery Ticket Hypothesis: On Sparse, Trainable Neural Networks",
    "p3": "tables and figures of Lubana and Dick, A Gradient Flow Framework for Analyzing Network Pruning",
    "benchmarks": "our own comparison of triggers",
}


def recipes(name: Annotated[str | None, typer.Argument(help="Show this recipe's text.")] = None) -> None:
    """List the shipped recipes with their scales, or show one to copy from."""
    known = shipped()
    if name is not None:
        if name not in known:
            load_recipe(name)  # raises, with the choices and the nearest match
        console.out(known.get(name, Path(name)).read_text(encoding="utf-8"), end="", highlight=False)
        return
    table = Table("recipe", "scales", "kind", "what", box=None, pad_edge=False)
    for each in known:
        scales = scales_of(each)
        recipe = load_recipe(each, scales[0])
        table.add_row(each, ", ".join(scales), recipe.study, recipe.title)
    console.print(table)
    for begin, work in _FOLLOWED.items():
        console.print(f"[bold]{begin}/[/]  {work}", highlight=False)
