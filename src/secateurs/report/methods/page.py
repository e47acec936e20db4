"""The report of a study of methods: one HTML page that needs nothing but itself, figures and tables beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from secateurs.report import words as common
from secateurs.report.methods import compared, grids, sentences, words
from secateurs.report.methods.findings import Cell, Group, MethodFindings, find_methods
from secateurs.report.methods.grids import Grid
from secateurs.report.methods.ranges import Remaining, cheapest, lowest_matching
from secateurs.report.methods.replication import replications
from secateurs.report.methods.rows import MethodStudy
from secateurs.report.methods.tables import write_tables
from secateurs.report.page import Picture, Plate, Written, environment


class _Figure(NamedTuple):
    name: str
    heading: str
    plate: Plate


class _Section(NamedTuple):
    """What the page shows of one setting."""

    findings: MethodFindings
    figures: list[_Figure]
    orders: list[tuple[Group, compared.Order]]
    ranks: tuple[Grid, ...]
    emptied: tuple[Grid, ...]
    ablations: tuple[compared.Ablation, ...]
    cheapest: tuple[Remaining, ...]


def render_methods(study: MethodStudy, found: Sequence[MethodFindings] | None = None) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text."""
    found = find_methods(study) if found is None else found
    made = environment()
    made.globals.update(say=sentences, words=words, common=common, reach=_reach)
    return made.get_template("methods.html.j2").render(
        study=study,
        sections=[_section(each) for each in found],
        replications=replications(study, tuple(found)),
    )


def _section(findings: MethodFindings) -> _Section:
    found = [(group, order) for group in findings.groups for order in compared.orders(findings, group)]
    return _Section(
        findings=findings,
        figures=_figures(findings),
        orders=[(group, order) for group, order in found if len(order.methods) > 1],
        ranks=tuple(grids.ranks(findings)),
        emptied=tuple(grids.emptied(findings)),
        ablations=compared.ablations(findings),
        cheapest=cheapest(findings),
    )


def write_methods_report(study: MethodStudy, folder: Path) -> Written:
    """Write ``report.html``, the figures as PNG, and the tables as CSV into ``folder``.

    Figures are ``accuracy.png``, ``layers.png`` and so on; of several settings ``accuracy-1.png``, ...
    """
    from secateurs.report.canvas import save
    from secateurs.report.methods.plates import drawn
    from secateurs.report.methods.sheet import sheet

    folder.mkdir(parents=True, exist_ok=True)
    found = find_methods(study)
    page = folder / "report.html"
    page.write_text(render_methods(study, found), encoding="utf-8")
    figures = []
    for index, findings in enumerate(found, start=1):
        ending = "" if len(found) == 1 else f"-{index}"
        figures += [save(sheet(each.panels), folder / f"{each.name}{ending}.png") for each in drawn(findings)]
    return Written(page, tuple(figures), tuple(write_tables(study, found, folder / "tables")))


def _figures(findings: MethodFindings) -> list[_Figure]:
    """Each panel is a picture of its own, so that they stand side by side where there is room."""
    from secateurs.report.methods.plates import drawn
    from secateurs.report.methods.sheet import sheet

    return [
        _Figure(
            each.name,
            each.heading,
            Plate(tuple(Picture.of(sheet([panel]), panel.alt) for panel in each.panels), each.caption),
        )
        for each in drawn(findings)
    ]


def _reach(findings: MethodFindings, cell: Cell) -> bool:
    """Whether a cell is its method's highest matching sparsity at its moment."""
    own = [each for each in findings.all_cells if (each.method, each.moment) == (cell.method, cell.moment)]
    return findings.dense is not None and lowest_matching(own) == cell.density
