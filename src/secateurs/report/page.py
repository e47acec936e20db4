"""The report: one HTML page that needs nothing but itself, and the figures and tables beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from secateurs.report import cells, early_costs, glance, instability, sentences, words
from secateurs.report.findings import Findings, find
from secateurs.report.layout import groups, names
from secateurs.report.rows import Study
from secateurs.report.tables import write_tables

# Drawing is imported where it is done: matplotlib takes as long to load as everything else here.
if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    page: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it: a data URI, so that nothing in it can run or be fetched."""

    source: str
    alt: str

    @classmethod
    def of(cls, figure: Figure, alt: str) -> Picture:
        """The figure as SVG, with what it shows in words."""
        from secateurs.report.canvas import svg

        return cls("data:image/svg+xml;base64," + base64.b64encode(svg(figure).encode()).decode(), alt)


@dataclass(frozen=True)
class Plate:
    """One figure of the page: its panels, which stand side by side where there is room, and its caption."""

    pictures: tuple[Picture, ...]
    caption: str


def environment() -> Environment:
    """The templates of this room: everything shown is escaped, an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("secateurs.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(percent=words.plain_percent, signed=words.signed, short=words.number_of)
    made.globals.update(
        say=sentences, words=words, cells=cells, glance=glance, noise=instability.NOTE, costs=early_costs
    )
    return made


def render(study: Study, found: Sequence[Findings] | None = None) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text.

    Args:
        study: the rows.
        found: what :func:`~secateurs.report.findings.find` made of them, when it is known already.
    """
    found = find(study) if found is None else found
    several = len(found) > 1
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            study=study,
            sections=[(findings, list(_plates(findings))) for findings in found],
            rows=list(zip(names(found), found, strict=True)) if several else [],
            plates=list(_overview(found)) if several else [],
        )
    )


def write_report(study: Study, folder: Path) -> Written:
    """Write ``report.html``, the figures as PNG, and the tables as CSV into ``folder``.

    A study of one setting and density has ``figure.png``. One of several has ``figure-1.png`` and
    so on, and of all together ``overview-<signal>.png`` for each signal and ``learning-rate.png``.
    """
    from secateurs.report.canvas import save
    from secateurs.report.figure import draw

    folder.mkdir(parents=True, exist_ok=True)
    found = find(study)
    page = folder / "report.html"
    page.write_text(render(study, found), encoding="utf-8")
    files = ["figure.png"] if len(found) == 1 else [f"figure-{index}.png" for index in range(1, len(found) + 1)]
    figures = [save(figure, folder / name) for name, figure in _of_all(found)]
    figures += [save(draw(findings), folder / name) for findings, name in zip(found, files, strict=True)]
    return Written(page, tuple(figures), tuple(write_tables(study, found, folder / "tables")))


def _plates(findings: Findings) -> Iterable[Plate]:
    """One panel per signal, each on its own, so that they stand side by side where there is room."""
    from secateurs.report.figure import draw

    signals: list[str | None] = [curve.signal for curve in findings.signals]
    for signal in signals or [None]:
        figure = draw(findings, [] if signal is None else [signal], title=False)
        picture = Picture.of(figure, sentences.alt_text(findings, signal))
        yield Plate((picture,), sentences.caption(findings, signal))


def measured(found: Sequence[Findings]) -> list[str | None]:
    """The signals of which there is a figure; one figure without a signal when none was measured."""
    signals: list[str | None] = list(dict.fromkeys(curve.signal for findings in found for curve in findings.signals))
    return signals or [None]


def _overview(found: Sequence[Findings]) -> Iterator[Plate]:
    """Small multiples for each signal, then the learning rates where they differ."""
    from secateurs.report.multiples import draw_apart, draw_learning_rate

    panels = groups(found)
    for signal in measured(found):
        alts = [" ".join(sentences.alt_text(findings, signal) for findings in group) for group in panels]
        pictures = tuple(map(Picture.of, draw_apart(found, signal), alts))
        yield Plate(pictures, glance.caption(panels, signal))
    if glance.learning_rates(found) > 1:
        yield Plate((Picture.of(draw_learning_rate(found), glance.rate_alt(found)),), glance.RATES)


def _of_all(found: Sequence[Findings]) -> Iterator[tuple[str, Figure]]:
    from secateurs.report.multiples import draw_learning_rate, draw_panels

    if len(found) < 2:
        return
    for signal in measured(found):
        name = "overview" if signal is None else f"overview-{re.sub(r'[^A-Za-z0-9_.-]', '_', signal)}"
        yield f"{name}.png", draw_panels(found, signal)
    if glance.learning_rates(found):
        yield "learning-rate.png", draw_learning_rate(found)
