"""The report of a study of tickets: one HTML page that needs nothing but itself, figures and tables beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secateurs.report.page import Picture, Plate, Written, environment
from secateurs.report.tickets import sentences
from secateurs.report.tickets.findings import TicketFindings, find_tickets
from secateurs.report.tickets.grid import Grid
from secateurs.report.tickets.grids import grids, overall
from secateurs.report.tickets.rows import TicketStudy
from secateurs.report.tickets.tables import write_tables

if TYPE_CHECKING:
    from secateurs.report.tickets.figures import Drawn


class _Figure(NamedTuple):
    heading: str
    plate: Plate
    columns: int | None

    @property
    def layout(self) -> str:
        """How its panels stand: alone, in pairs, or three to a row."""
        count = len(self.plate.pictures)
        return "alone" if count == 1 else "pairs" if self.columns == 2 or count in (2, 4) else ""


class _Section(NamedTuple):
    """What the page shows of one setting."""

    findings: TicketFindings
    figures: tuple[_Figure, ...]
    grids: tuple[Grid, ...]


def render_tickets(study: TicketStudy) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text."""
    found = find_tickets(study)
    return _rendered(study, found, _drawn(found))


def _rendered(study: TicketStudy, found: Sequence[TicketFindings], drawings: Sequence[tuple[Drawn, ...]]) -> str:
    made = environment()
    made.globals.update(say=sentences)
    return made.get_template("tickets.html.j2").render(
        study=study,
        sections=[_Section(each, _figures(own), tuple(grids(each))) for each, own in zip(found, drawings, strict=True)],
        overall=tuple(overall(found)),
    )


def write_tickets_report(study: TicketStudy, folder: Path) -> Written:
    """Write ``report.html``, the figures as PNG, and the tables as CSV into ``folder``.

    Figures are ``accuracy.png``, ``training.png`` and so on; of several settings ``accuracy-1.png``, ...
    """
    from secateurs.report.canvas import save
    from secateurs.report.methods.sheet import sheet

    folder.mkdir(parents=True, exist_ok=True)
    found = find_tickets(study)
    drawings = _drawn(found)
    page = folder / "report.html"
    page.write_text(_rendered(study, found, drawings), encoding="utf-8")
    figures: list[Path] = []
    for index, own in enumerate(drawings, start=1):
        ending = "" if len(found) == 1 else f"-{index}"
        figures += [save(sheet(each.panels, columns=each.columns), folder / f"{each.name}{ending}.png") for each in own]
    return Written(page, tuple(figures), tuple(write_tables(found, folder / "tables")))


def _drawn(found: Sequence[TicketFindings]) -> list[tuple[Drawn, ...]]:
    """The figures of each setting, worked out once for the page and the files."""
    from secateurs.report.tickets.figures import drawn

    return [tuple(drawn(findings)) for findings in found]


def _figures(drawings: Sequence[Drawn]) -> tuple[_Figure, ...]:
    """Each panel is a picture of its own, so that they stand side by side where there is room."""
    from secateurs.report.methods.sheet import sheet

    made = []
    for each in drawings:
        pictures = tuple(Picture.of(sheet([panel]), panel.alt) for panel in each.panels)
        made.append(_Figure(each.heading, Plate(pictures, each.caption), each.columns))
    return tuple(made)
