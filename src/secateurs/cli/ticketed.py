"""A ticket that was found: in a terminal, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.papers.common import versions
from secateurs.report.automatic.sentences import spent_energy
from secateurs.report.terminal import say
from secateurs.report.words import NOTHING, signed
from secateurs.studies.runs import load_data
from secateurs.studies.tickets.file import LevelResult, Ticket
from secateurs.studies.tickets.plan import TicketsPlan


def show_ticket(ticket: Ticket, plan: TicketsPlan, console: Console) -> None:
    """Print the levels, whether the ticket is matching, and what it came to on test data."""
    console.print(Text(plan.recipe.title, style="bold"))
    data = load_data(plan.recipe.data)
    console.print(Text(f"{data.title}, seed {plan.recipe.seeds[0]}, rewound to step {ticket.steps:,}"))
    table = Table(box=SIMPLE)
    for name in ("level", "weights left", "of all", "validation", "to dense", "matching"):
        table.add_column(name, justify="right")
    for level in ticket.levels:
        table.add_row(*_cells(level), style="bold" if level is ticket.levels[-1] else None)
    console.print(table)
    say(sentences(ticket, plan), console)


def sentences(ticket: Ticket, plan: TicketsPlan) -> list[str]:
    """What there is to say of a ticket."""
    last, said = ticket.levels[-1], []
    if ticket.mask is None:
        where = next(level for level in ticket.levels if level.diverged is not None)
        name = "the dense network" if where.level == 0 else f"level {where.level}"
        return [f"There is no ticket: {name} diverged by {where.diverged}; a lower train.lr may help."]
    if last.matching is not None and last.difference is not None:
        points, examples = 100 * plan.recipe.matching_within, len(load_data(plan.recipe.data).validation)
        said.append(
            f"The ticket {'is' if last.matching else 'is not'} matching: {_points(last.difference)} on validation "
            f"data, where up to {points:g} points below the dense network count as matching and one of the "
            f"{examples:,} examples is {100 / examples:.2f} points. It is one run of one seed."
        )
    elif last.diverged is not None:
        said.append(f"The ticket diverged by {last.diverged} as it was trained; it matches nothing.")
    for level in ticket.levels:
        if level.empty_layers:
            layers = ", ".join(level.empty_layers)
            said.append(
                f"Level {level.level} has nothing left in {layers}: nothing passes through. A higher density, "
                "--exclude, or prune.scope=layer leaves something."
            )
            break
    tested, dense = ticket.test["ticket"], ticket.test["dense"]
    if tested is not None and dense is not None:
        said.append(f"Test accuracy: {100 * tested:.2f} %, the dense network's {100 * dense:.2f} %.")
    return [*said, *spent_energy(_costs(ticket))]


def to_json(ticket: Ticket, plan: TicketsPlan, command: str) -> dict[str, Any]:
    """All numbers, and where they are from."""
    recipe = plan.recipe
    return {
        "title": recipe.title,
        "model": recipe.model.name,
        "data": load_data(recipe.data).title,
        "seed": recipe.seeds[0],
        "density": recipe.densities[-1],
        "rewind": ticket.rewind,
        "rewind_step": ticket.steps,
        "matching": ticket.levels[-1].matching,
        "matching_within": recipe.matching_within,
        "levels": [asdict(level) for level in ticket.levels],
        "layer_densities": None if ticket.mask is None else ticket.mask.layer_densities(),
        "test_accuracy": ticket.test,
        "summary": ticket.summary,
        "costs": _costs(ticket),
        "provenance": {
            "command": command,
            "device": plan.device,
            "keys": {job.label: job.key for job in plan.graph().jobs},
            "versions": versions(),
            "recipe": recipe.model_dump(mode="json"),
        },
    }


def _costs(ticket: Ticket) -> dict[str, Any]:
    return {"emissions": None if ticket.emissions is None else asdict(ticket.emissions)}


def _cells(level: LevelResult) -> tuple[str, ...]:
    told = "diverged" if level.diverged is not None else NOTHING
    return (
        "dense" if level.level == 0 else str(level.level),
        NOTHING if level.kept is None else f"{level.kept:,}",
        f"{100 * level.density:.4g} %",
        told if level.accuracy is None else f"{100 * level.accuracy:.2f} %",
        NOTHING if level.difference is None else signed(level.difference),
        NOTHING if level.matching is None else "yes" if level.matching else "no",
    )


def _points(difference: float) -> str:
    return f"{abs(100 * difference):.2f} points {'below' if difference < 0 else 'above'} the dense network"
