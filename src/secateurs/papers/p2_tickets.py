"""P2 chapters 3 and 4: studies of lottery tickets as rows for the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.console import Console

from secateurs.core import STABLE_BELOW, Moment
from secateurs.jobs import Job, Store
from secateurs.papers.citations import citation
from secateurs.papers.common import data, dense_runs, face, plans_of, summary
from secateurs.papers.p2_tickets_in_words import role, ticket_in_words
from secateurs.procedures.instability import After
from secateurs.report import Written
from secateurs.report.tickets import (
    DENSE,
    Copies,
    Dilated,
    ReportedTicket,
    Start,
    Terms,
    TicketRun,
    TicketStudy,
    show_tickets,
    write_tickets_report,
)
from secateurs.studies import Sweep, TicketCell, TicketsPlan
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data
from secateurs.studies.tickets.compared import PARTS


def study_of(ordered: Ordered, store: Store) -> TicketStudy:
    """The rows of a study of tickets, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = plans_of(ordered, sweep, TicketsPlan)
    cells = [(label, cell) for label, plan in plans.items() for cell in plan.cells()]
    return TicketStudy(
        **face(ordered, sweep, store, citation(ordered)),
        dense=[run for label, plan in plans.items() for run in dense_runs(plan, plan.dense.items(), store, label)],
        runs=[_run(label, cell, store) for label, cell in cells],
        tickets=_told(plans.values()),
        terms={label: _terms(plan) for label, plan in plans.items()},
        copies=[each for label, cell in cells for each in _compared(label, cell, store)],
        throughout=[
            _copies(label, cell, "continue", (job,), store) for label, cell in cells if (job := cell.throughout)
        ],
        dilated=[each for label, cell in cells for each in _dilated(label, cell, store)],
        starts=[
            Start(label, seed, str(at), at.steps, summary(store, job))
            for label, plan in plans.items()
            for (seed, at), job in plan.starts.items()
        ],
        steps={label: plan.recipe.train.epochs * plan.steps_per_epoch for label, plan in plans.items()},
        steps_per_epoch={label: plan.steps_per_epoch for label, plan in plans.items()},
        chance={label: 1 / load_data(plan.recipe.data).num_classes for label, plan in plans.items()},
        reported=[each for label, plan in plans.items() for each in _reported(label, plan)],
        notes=data(sweep),
    )


def write(folder: StudyFolder) -> tuple[TicketStudy, Written]:
    """Write the report (HTML, PNG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_tickets_report(study, folder.root)


def show(study: TicketStudy, console: Console) -> None:
    """Print what the study found."""
    show_tickets(study, console)


def _terms(plan: TicketsPlan) -> Terms:
    """What a setting's tickets are, and how it is judged and drawn."""
    recipe = plan.recipe
    roles = {name: role(said) for name, said in recipe.tickets.items()}
    constant = recipe.train.schedule.name == "constant" and Moment.parse(recipe.train.warm_up, 1).steps == 0
    return Terms(roles, recipe.matching_within, recipe.band, constant)


def _told(plans: Iterable[TicketsPlan]) -> dict[str, str]:
    """What each ticket is; where that is not the same in all settings, all that it is."""
    found: dict[str, dict[str, None]] = {}
    for plan in plans:
        for name, said in plan.recipe.tickets.items():
            found.setdefault(name, {})[ticket_in_words(said, plan.recipe.prune.score.name)] = None
    return {name: "; or ".join(own) for name, own in found.items()}


def _place(setting: str, cell: TicketCell) -> dict[str, Any]:
    """Which network it is."""
    where = {"setting": setting, "ticket": cell.ticket, "level": cell.level, "density": cell.density}
    return {**where, **_moment(cell.rewind), "seed": cell.seed}


def _moment(at: Moment | None) -> Mapping[str, Any]:
    return {"rewind": None, "step": None} if at is None else {"rewind": str(at), "step": at.steps}


def _run(setting: str, cell: TicketCell, store: Store) -> TicketRun:
    return TicketRun(
        **_place(setting, cell),
        summary=summary(store, cell.run),
        rows=[row for row in store.entry(cell.run).rows() if row.get("looked")],
        mask={} if cell.mask is None else summary(store, cell.mask),
    )


def _compared(setting: str, cell: TicketCell, store: Store) -> Iterator[Copies]:
    for after, jobs in cell.compared.items():
        yield _copies(setting, cell, after, jobs, store)


def _copies(setting: str, cell: TicketCell, after: After, jobs: Sequence[Job], store: Store) -> Copies:
    rows = [row for job in jobs for row in store.entry(job).rows() if "instability" in row]
    told = joined(jobs, rows, store)
    # Some pairs of several say nothing of all of them.
    return Copies(**_place(setting, cell), after=after, rows=rows if told else (), summary=told)


def joined(jobs: Sequence[Job], rows: Sequence[Mapping[str, Any]], store: Store) -> dict[str, Any]:
    """What the comparisons of all pairs of copies came to, as one of all copies would say it; {} until all are done."""
    found = [summary(store, job) for job in jobs]
    if len(found) == 1 or not all(found):
        return found[0] if len(found) == 1 else {}
    if found[0]["diverged"] is not None:  # before the copies were made: all say the same
        return found[0]
    far: dict[int, float] = {}
    lost: dict[int, None] = {}
    for job, each in zip(jobs, found, strict=True):
        own = each["diverged_copies"]
        lost.update(dict.fromkeys(own))
        far.update(zip((s for s in job.config["order_seeds"] if s not in own), each["l2_to_the_end"], strict=True))
    mean = {
        part: fmean(values) if (values := [row["instability"] for row in rows if row["part"] == part]) else None
        for part in PARTS
    }
    return {
        **found[0],
        "diverged_copies": list(lost),
        "train_instability": mean["train"],
        "test_instability": mean["test"],
        "stable": None if mean["train"] is None else mean["train"] < STABLE_BELOW,
        "l2_to_the_end": list(far.values()),
        "seconds": sum(each["seconds"] for each in found),
    }


def _dilated(setting: str, cell: TicketCell, store: Store) -> Iterator[Dilated]:
    for factor, job in cell.dilated.items():
        yield Dilated(setting, cell.ticket, cell.level, cell.density, cell.seed, factor, summary(store, job))


def _reported(setting: str, plan: TicketsPlan) -> Iterator[ReportedTicket]:
    for each in plan.recipe.reported:
        at = None if each.rewind is None else str(Moment.parse(each.rewind, plan.steps_per_epoch))
        ticket = None if each.ticket == DENSE else each.ticket
        yield ReportedTicket(setting, each.source, each.accuracy, ticket, each.density, at)
