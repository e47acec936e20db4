"""The report of a study of methods: one HTML page that needs nothing but itself, figures and tables beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from secateurs.report import words as common
from secateurs.report.costs import trade_off_alt, trade_off_caption
from secateurs.report.methods import compared, grids, sentences, words
from secateurs.report.methods.across import across
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.costed import CostsAt, costs_at
from secateurs.report.methods.findings import MethodFindings, find_methods
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

    @property
    def of_accuracy(self) -> bool:
        """Whether it shows what the networks reached; what they are like comes after what they cost."""
        return self.name.partition("-")[0] in ("accuracy", "changes", "moments")


class _Section(NamedTuple):
    """What the page shows of one setting."""

    findings: MethodFindings
    figures: list[_Figure]
    orders: list[tuple[MethodFindings, Group, compared.Order]]
    ranks: tuple[Grid, ...]
    emptied: tuple[Grid, ...]
    ablations: tuple[compared.Ablation, ...]
    cheapest: tuple[Remaining, ...]
    costs: tuple[tuple[CostsAt, Plate | None], ...]


def render_methods(study: MethodStudy, found: Sequence[MethodFindings] | None = None) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text."""
    found = find_methods(study) if found is None else found
    made = environment()
    made.globals.update(say=sentences, words=words, common=common, reach=_reach)
    return made.get_template("methods.html.j2").render(
        study=study,
        sections=[_section(each) for each in found],
        across=across(found),
        opening=_opening(study),
        several_seeds=any(len(each.seeds) > 1 for each in found),
        several_kinds=any(len(each.kinds) > 1 for each in found),
        replications=replications(study, tuple(found)),
    )


def _opening(study: MethodStudy) -> str:
    """What the study is about."""
    removed = {run.how for run in study.runs}
    if removed == {"channels"}:
        return "Which channels of a network can go? Each method chose channels and removed them."
    if len(removed) > 1:
        return (
            "What can go from a network? Unstructured methods chose weights, which a mask holds at zero; structured "
            "ones chose channels and removed them, so that the network became smaller."
        )
    return "Which weights of a network can go? Each method chose weights to remove."


def _section(findings: MethodFindings) -> _Section:
    spots = [(kind, group) for kind in findings.kinds for group in kind.groups]
    found = [(kind, group, order) for kind, group in spots for order in compared.orders(kind, group)]
    return _Section(
        findings=findings,
        figures=_figures(findings),
        orders=[each for each in found if len(each[2].methods) > 1 and not findings.at_chance],
        ranks=tuple(grids.ranks(findings)),
        emptied=tuple(grids.emptied(findings)),
        ablations=compared.ablations(findings),
        cheapest=cheapest(findings),
        costs=tuple((each, _trade_off(findings, each)) for each in costs_at(findings)),
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
    figures: list[Path] = []
    for index, findings in enumerate(found, start=1):
        ending = "" if len(found) == 1 else f"-{index}"
        figures += [
            save(sheet(each.panels, columns=each.columns), folder / f"{each.name}{ending}.png")
            for each in drawn(findings)
        ]
        figures += _trade_offs(findings, folder, ending)
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


def _trade_off(findings: MethodFindings, costs: CostsAt) -> Plate | None:
    from secateurs.report.costs import trade_off

    if costs.against is None:
        return None
    picture = Picture.of(trade_off(costs.rows, costs.against), trade_off_alt(costs.rows, costs.against))
    return Plate((picture,), trade_off_caption(costs.against, len(findings.seeds)))


def _trade_offs(findings: MethodFindings, folder: Path, ending: str) -> Iterator[Path]:
    from secateurs.report.canvas import save
    from secateurs.report.costs import trade_off

    drawn = [each for each in costs_at(findings) if each.against is not None]
    for place, each in enumerate(drawn, start=1):
        number = f"-{place}" if len(drawn) > 1 else ""
        yield save(trade_off(each.rows, each.against), folder / f"trade-off{ending}{number}.png")


def _reach(findings: MethodFindings, cell: Cell) -> bool:
    """Whether a cell is its method's highest matching sparsity at its moment; none is at chance level."""
    if findings.at_chance:
        return False
    own = [each for each in findings.all_cells if (each.method, each.moment) == (cell.method, cell.moment)]
    return findings.dense is not None and lowest_matching(own) == cell.density
