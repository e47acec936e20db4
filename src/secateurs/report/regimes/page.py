"""The report of a study of regimes: one HTML page that needs nothing but itself, figures and tables beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secateurs.report.page import Plate, Written, environment
from secateurs.report.regimes import sentences
from secateurs.report.regimes.findings import RegimeFindings, find_regimes
from secateurs.report.regimes.grids import grids, overall
from secateurs.report.regimes.rows import RegimeStudy
from secateurs.report.regimes.tables import write_tables
from secateurs.report.tickets.grid import Grid

if TYPE_CHECKING:
    from secateurs.report.regimes.drawn import Drawn


class _Figure(NamedTuple):
    heading: str
    plate: Plate
    layout: str


class _Section(NamedTuple):
    """What the page shows of one setting, or of all of them beside each other."""

    title: str
    said: tuple[str, ...]
    figures: tuple[_Figure, ...]
    grids: tuple[Grid, ...]


class _Drawings(NamedTuple):
    """The figures, worked out once for the page and the files: of each setting, and of all of them."""

    each: tuple[tuple[Drawn, ...], ...]
    overall: tuple[Drawn, ...]


def render_regimes(study: RegimeStudy) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text."""
    found = find_regimes(study)
    return _rendered(study, found, _drawn(found))


def _rendered(study: RegimeStudy, found: Sequence[RegimeFindings], drawings: _Drawings) -> str:
    sections = [
        _Section(each.setting, tuple(sentences.summary(each)), _figures(own), tuple(grids(each)))
        for each, own in zip(found, drawings.each, strict=True)
    ]
    told, tables = tuple(sentences.overall(found)), tuple(overall(found))
    together = _Section("All settings", told, _figures(drawings.overall), tables)
    shown = together if told or tables or together.figures else None
    return environment().get_template("regimes.html.j2").render(study=study, sections=sections, together=shown)


def write_regimes_report(study: RegimeStudy, folder: Path) -> Written:
    """Write ``report.html``, the figures as PNG, and the tables as CSV into ``folder``.

    Figures are ``regimes.png``, ``diagram.png`` and so on; of several settings ``diagram-1.png``, ...
    """
    from secateurs.report.canvas import save

    folder.mkdir(parents=True, exist_ok=True)
    found = find_regimes(study)
    drawings = _drawn(found)
    page = folder / "report.html"
    page.write_text(_rendered(study, found, drawings), encoding="utf-8")
    figures: list[Path] = []
    for index, own in enumerate(drawings.each, start=1):
        ending = "" if len(found) == 1 else f"-{index}"
        figures += [save(each.whole(), folder / f"{each.name}{ending}.png") for each in own]
    figures += [save(each.whole(), folder / f"{each.name}.png") for each in drawings.overall]
    return Written(page, tuple(figures), tuple(write_tables(found, folder / "tables")))


def _drawn(found: Sequence[RegimeFindings]) -> _Drawings:
    from secateurs.report.regimes.drawn import drawn
    from secateurs.report.regimes.figures import FIGURES, OVERALL

    each = tuple(tuple(drawn(FIGURES, findings)) for findings in found)
    return _Drawings(each, tuple(drawn(OVERALL, found)) if len(found) > 1 else ())


def _figures(drawings: Sequence[Drawn]) -> tuple[_Figure, ...]:
    return tuple(_Figure(each.heading, each.plate(), each.layout) for each in drawings)
