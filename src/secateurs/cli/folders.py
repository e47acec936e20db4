"""Commands on the folders of studies: ``status``, ``report``, ``compare`` and ``clean``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from secateurs.cli.application import console
from secateurs.cli.reports import how_far, write_report
from secateurs.core import RecipeError, StoreError
from secateurs.papers import p0_early_periods
from secateurs.report import compare as compare_studies
from secateurs.report import show_comparison, write_comparison
from secateurs.studies.cleaning import needed_by, users_beside
from secateurs.studies.folder import StudyFolder


def status(folder: Annotated[Path, typer.Argument(help="Folder of a study.")]) -> None:
    """Show how far a study is: jobs done, running, interrupted, still to come."""
    study = StudyFolder(folder)
    jobs = study.jobs()
    states = {job.key: study.store.entry(job).state for job in jobs}
    console.print(f"[bold]{escape(study.ordered().name)}[/]: {how_far(study)[1]}", soft_wrap=True)
    table = Table("job", "state", box=None, pad_edge=False)
    for job in jobs:
        if states[job.key] != "done":
            table.add_row(escape(job.label), "to come" if states[job.key] == "absent" else states[job.key])
    if table.rows:
        console.print(table)
    page = folder / "report.html"
    if page.exists():
        console.print(f"report: {escape(str(page))}")


def report(folder: Annotated[Path, typer.Argument(help="Folder of a study, finished or not.")]) -> None:
    """Write the report of a study again, from what is in its folder; nothing is trained."""
    write_report(StudyFolder(folder))


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a study.")],
    second: Annotated[Path, typer.Argument(help="Folder of another one.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the comparison.")] = Path("secateurs-comparison"),
) -> None:
    """Compare two studies of early periods: what differs in their recipes, best moments, accuracies and regrets."""
    ordered = {folder: StudyFolder(folder).ordered() for folder in (first, second)}
    for folder, study in ordered.items():
        if study.recipe.study != "early_periods":
            raise RecipeError(
                f"compare: {folder} holds a study of kind {study.recipe.study}; studies of kind early_periods are what "
                f"can be compared: lay the tables of the others, {folder / 'tables'}, side by side"
            )
    a, b = (p0_early_periods.study_of(ordered[folder], StudyFolder(folder).store) for folder in (first, second))
    comparison = compare_studies(a, b, names=(str(first), str(second)))
    written = write_comparison(comparison, out)
    show_comparison(comparison, console)
    console.print(f"comparison: [bold]{escape(str(written.page))}[/]", soft_wrap=True)


def clean(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of studies with one store.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only counted.")] = False,
) -> None:
    """Remove results that no recipe, as it was last run, needs any more of the studies that use the store."""
    studies = [StudyFolder(folder) for folder in folders]
    store = studies[0].store
    if len({study.store.root.resolve() for study in studies}) > 1:
        raise StoreError("clean: the studies have different stores: clean them one after the other")
    others, gone = users_beside(studies)
    needed = {job.key: job for study in (*studies, *others) for job in needed_by(study)}
    spare = sum(entry.key not in needed for entry in store.entries())
    for other in others:
        console.print(f"What the study in {escape(str(other.root))} needs is kept.", soft_wrap=True)
    for place in gone:
        console.print(
            f"There is no study in {escape(str(place))} any more: what it alone needed is not kept. If it was moved, "
            "name its folder, too.",
            soft_wrap=True,
        )
    if yes:
        console.print(f"{spare} results removed, {store.gc(needed.values()) / 2**20:.1f} MiB freed")
        return
    console.print(
        f"{spare} results in {escape(str(store.root))} are not needed here; --yes removes them", soft_wrap=True
    )
