"""The report of a study, as it is written and printed by several commands."""

from __future__ import annotations

from rich.markup import escape

from secateurs.cli.application import console
from secateurs.papers import reporter
from secateurs.studies import Sweep
from secateurs.studies.folder import StudyFolder


def how_far(folder: StudyFolder) -> tuple[bool, str]:
    """Whether a study is finished, and how far it is: ``3 of 12 jobs done, and up to 2 more where triggers fire``."""
    jobs = folder.jobs()
    done = sum(folder.store.entry(job).done for job in jobs)
    told = f"{done} of {len(jobs)} jobs done"
    if done == len(jobs):
        return True, told
    ordered = folder.ordered()
    plan = Sweep(ordered.recipe, ordered.device)
    later = len(plan.graph().jobs) + sum(study.later for study in plan.studies.values()) - len(jobs)
    return False, f"{told}, and up to {later} more where triggers fire" if later > 0 else told


def write_report(folder: StudyFolder) -> None:
    """Write the report of a study beside its results, and print it; of an unfinished one it says so first."""
    finished, told = how_far(folder)  # refuses before anything is overwritten
    if not finished:
        console.print(
            f"[bold]Unfinished: {told}[/]. The report is of what is there; what is not yet known is a dash in it, or "
            "left out.\n",
            soft_wrap=True,
        )
    paper = reporter(folder.ordered().recipe.study)
    study, written = paper.write(folder)
    paper.show(study, console)
    for path in (written.page, *written.figures):
        console.print(f"{'report' if path == written.page else 'figure'}: [bold]{escape(str(path))}[/]", soft_wrap=True)
