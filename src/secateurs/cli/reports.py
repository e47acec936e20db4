"""The report of a study, as it is written and printed by several commands."""

from __future__ import annotations

from rich.markup import escape

from secateurs.cli.application import console
from secateurs.papers import reporter
from secateurs.studies.folder import StudyFolder


def write_report(folder: StudyFolder) -> None:
    """Write the report of a study beside its results, and print it."""
    folder.jobs()  # refuses before anything is overwritten
    paper = reporter(folder.ordered().recipe.study)
    study, written = paper.write(folder)
    paper.show(study, console)
    for path in (written.page, *written.figures):
        console.print(f"{'report' if path == written.page else 'figure'}: [bold]{escape(str(path))}[/]", soft_wrap=True)
