"""The report: one HTML page that needs nothing but itself, and the figures and tables beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from secateurs.report import sentences, words
from secateurs.report.figure import draw, save, svg
from secateurs.report.findings import Findings, find
from secateurs.report.rows import Study
from secateurs.report.tables import write_tables


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    page: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]


@dataclass(frozen=True)
class _Picture:
    """A figure as the page shows it: a data URI, so that nothing in it can run or be fetched."""

    source: str
    alt: str
    caption: str


def render(study: Study, found: Sequence[Findings] | None = None) -> str:
    """The page as HTML text. Everything shown is escaped; the same study gives the same text.

    Args:
        study: the rows.
        found: what :func:`~secateurs.report.findings.find` made of them, when it is known already.
    """
    environment = Environment(
        loader=PackageLoader("secateurs.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=words.plain_percent, signed=words.signed, short=words.number_of)
    found = find(study) if found is None else found
    sections = [(findings, list(_pictures(findings))) for findings in found]
    return environment.get_template("report.html.j2").render(study=study, sections=sections, say=sentences, words=words)


def write_report(study: Study, folder: Path) -> Written:
    """Write ``report.html``, one PNG per setting and density, and the tables as CSV into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    found = find(study)
    page = folder / "report.html"
    page.write_text(render(study, found), encoding="utf-8")
    names = ["figure.png"] if len(found) == 1 else [f"figure-{index}.png" for index in range(1, len(found) + 1)]
    figures = [save(draw(findings), folder / name) for findings, name in zip(found, names, strict=True)]
    return Written(page, tuple(figures), tuple(write_tables(study, found, folder / "tables")))


def _pictures(findings: Findings) -> Iterable[_Picture]:
    """One panel per signal, each on its own, so that they stand side by side where there is room."""
    signals: list[str | None] = [curve.signal for curve in findings.signals]
    for signal in signals or [None]:
        image = svg(draw(findings, [] if signal is None else [signal], title=False))
        source = "data:image/svg+xml;base64," + base64.b64encode(image.encode()).decode()
        yield _Picture(source, sentences.alt_text(findings, signal), sentences.caption(findings, signal))
