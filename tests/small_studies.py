"""Small studies that are ordered, run and reported on, for the tests of papers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from secateurs.jobs import Serial, run
from secateurs.papers import reporter
from secateurs.studies import Sweep, check
from secateurs.studies.folder import Ordered, StudyFolder


def ordered(recipe: dict[str, Any], name: str) -> Ordered:
    """A study as somebody asked for it."""
    return Ordered(check(recipe, "tiny"), name, "cpu", f"secateurs run {name}", "store")


def finished(recipe: dict[str, Any], name: str, root: Path) -> StudyFolder:
    """A study that was run."""
    made = StudyFolder.create(root / "study", ordered(recipe, name))
    run(Sweep(made.ordered().recipe).graph(), made.store, Serial()).raise_for_failures()
    return made


def reported(folder: StudyFolder, kind: str) -> tuple[str, str]:
    """What the page and the terminal say of a study."""
    paper = reporter(kind)
    study, written = paper.write(folder)
    assert written.page == folder.root / "report.html"
    told = io.StringIO()
    paper.show(study, Console(file=told, width=120))
    return written.page.read_text(encoding="utf-8"), told.getvalue()
