"""The report of a ranking: one HTML page that needs nothing but itself, figures and tables beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secateurs.report import words as common
from secateurs.report.findings import Findings, find
from secateurs.report.page import Picture, Plate, Written, environment
from secateurs.report.ranking import sentences, words
from secateurs.report.ranking.rows import RankingStudy
from secateurs.report.ranking.sides import Side, sides
from secateurs.report.ranking.tables import write_tables

# Drawing is imported where it is done: matplotlib takes as long to load as everything else here.
if TYPE_CHECKING:
    from secateurs.report.methods.looks import Look
    from secateurs.report.methods.sheet import Panel

COST = (
    "Mean regret of each trigger with its 95 % interval, against the share of the run that was trained densely, and, "
    "of those that measure something, against the time that this takes as a share of that of training. Grey: triggers "
    "that measure nothing. Down and to the left is better."
)
CURVES = (
    "Line: test accuracy against the epoch of pruning, mean over seeds; band: one standard deviation; ring: the best "
    "moment by validation accuracy. Dashed: dense. Markers: where each trigger that measures something pruned, and "
    "what its networks reach, means over the seeds on which it fired."
)


class _Section(NamedTuple):
    """What the page shows of one side."""

    side: Side
    cost: Plate | None
    curves: Plate | None


def render_ranking(bench: RankingStudy, found: Sequence[Findings] | None = None) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text."""
    found = find(bench.study) if found is None else found
    ranked = sides(bench, found)
    made = environment()
    made.globals.update(say=sentences, words=words, common=common)
    return made.get_template("ranking.html.j2").render(
        study=bench.study,
        bench=bench,
        sections=[_section(side) for side in ranked],
        judged=bool(bench.judged),
    )


def write_ranking_report(bench: RankingStudy, folder: Path) -> Written:
    """Write ``report.html``, figures as PNG and SVG, and the tables as CSV into ``folder``.

    Figures are ``regret-1`` and ``curves-1`` of the first side, that of the judged settings, and
    ``regret-2``, ``curves-2`` of the second; without a number where there is only one side.
    """
    from secateurs.report.canvas import save
    from secateurs.report.methods.sheet import sheet

    folder.mkdir(parents=True, exist_ok=True)
    found = find(bench.study)
    ranked = sides(bench, found)
    page = folder / "report.html"
    page.write_text(render_ranking(bench, found), encoding="utf-8")
    figures = []
    for index, side in enumerate(ranked, start=1):
        ending = "" if len(ranked) == 1 else f"-{index}"
        for name, panels in _drawn(side):
            figure = sheet(panels)
            figures += [save(figure, folder / f"{name}{ending}.{kind}") for kind in ("png", "svg")]
    return Written(page, tuple(figures), tuple(write_tables(bench, found, ranked, folder / "tables")))


def _drawn(side: Side) -> Iterator[tuple[str, tuple[Panel, ...]]]:
    """The figures that there is something for."""
    from secateurs.report.ranking.panels import against_cost, curves

    looks = _looks(side)
    for name, panels in (("regret", against_cost(side, looks)), ("curves", curves(side, looks))):
        if panels:
            yield name, panels


def _section(side: Side) -> _Section:
    from secateurs.report.methods.sheet import sheet

    plates = {}
    for name, panels in _drawn(side):
        pictures = tuple(Picture.of(sheet([panel]), panel.alt) for panel in panels)
        plates[name] = Plate(pictures, COST if name == "regret" else CURVES)
    return _Section(side, plates.get("regret"), plates.get("curves"))


def _looks(side: Side) -> Mapping[str, Look]:
    from secateurs.report.ranking.panels import looks_of

    return looks_of(side.standings)
