"""The report of P3's analyses: one HTML page that needs nothing but itself, figures and tables beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secateurs.report import words as common
from secateurs.report.importance import sentences, words
from secateurs.report.importance.findings import ImportanceFindings, find_importance
from secateurs.report.importance.rows import ImportanceStudy
from secateurs.report.importance.tables import write_tables
from secateurs.report.page import Picture, Plate, Written, environment

# Drawing is imported where it is done: matplotlib takes as long to load as everything else here.
if TYPE_CHECKING:
    from secateurs.report.methods.sheet import Panel

FIGURES = {
    "correlations": ("Magnitude that changes, and loss preservation", words.CHANGES),
    "scatters": ("θ'Hg and θ'g", words.FLOWS),
    "gradient-norms": ("Gradient norm of the layers", words.NORMS),
}
"""Name of a figure's file -> its heading and caption."""


class _Section(NamedTuple):
    """What the page shows of one setting: figures by heading."""

    found: ImportanceFindings
    figures: tuple[tuple[str, Plate], ...]


def render_importance(study: ImportanceStudy, found: Sequence[ImportanceFindings] | None = None) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text."""
    found = find_importance(study) if found is None else found
    made = environment()
    made.globals.update(say=sentences, words=words, common=common)
    return made.get_template("importance.html.j2").render(study=study, sections=[_section(each) for each in found])


def write_importance_report(study: ImportanceStudy, folder: Path) -> Written:
    """Write ``report.html``, figures as PNG and SVG, and the tables as CSV into ``folder``.

    Figures are ``correlations``, ``scatters`` and ``gradient-norms``; with ``-1`` and so on where there
    are several settings.
    """
    from secateurs.report.canvas import save
    from secateurs.report.methods.sheet import sheet

    folder.mkdir(parents=True, exist_ok=True)
    found = find_importance(study)
    page = folder / "report.html"
    page.write_text(render_importance(study, found), encoding="utf-8")
    figures = []
    for index, each in enumerate(found, start=1):
        ending = "" if len(found) == 1 else f"-{index}"
        for name, panels in _drawn(each):
            figure = sheet(panels)
            figures += [save(figure, folder / f"{name}{ending}.{kind}") for kind in ("png", "svg")]
    return Written(page, tuple(figures), tuple(write_tables(study, found, folder / "tables")))


def _drawn(found: ImportanceFindings) -> Iterator[tuple[str, tuple[Panel, ...]]]:
    """The figures that there is something for."""
    from secateurs.report.importance.panels import changes, norms, scatters

    made = zip(FIGURES, (changes(found), scatters(found), norms(found)), strict=True)
    yield from ((name, panels) for name, panels in made if panels)


def _section(found: ImportanceFindings) -> _Section:
    from secateurs.report.methods.sheet import sheet

    figures = []
    for name, panels in _drawn(found):
        heading, caption = FIGURES[name]
        pictures = tuple(Picture.of(sheet([panel]), panel.alt) for panel in panels)
        figures.append((heading, Plate(pictures, caption)))
    return _Section(found, tuple(figures))
