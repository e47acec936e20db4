"""Figures of the page: what each kind of them consists of, and how it is drawn when somebody asks.

Panels are drawn one by one for the page, where they stand side by side as there is room, and all on one sheet for the
PNG. What draws is imported where it is done: matplotlib takes long to load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from secateurs.report.overview import Row
from secateurs.report.page import Picture, Plate

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

    from secateurs.report.regimes.findings import RegimeFindings

F = TypeVar("F")
"""What a figure is of: the findings of one setting, or those of several."""


def lines_sheet(panels: Sequence[Any], *, columns: int | None = None) -> Sheet:
    """Panels of :class:`secateurs.report.methods.sheet.Panel` on one sheet."""
    from secateurs.report.methods.sheet import sheet

    return sheet(panels, columns=columns)


@dataclass(frozen=True)
class Figure(Generic[F]):
    """A kind of figure.

    Attributes:
        name: the stem of its file.
        heading: what stands above it on the page.
        panels: its panels, each with ``title`` and ``alt``; none where there is nothing to show.
        caption: what stands below it; asked only where there are panels.
        columns: how many panels stand side by side in the PNG; None: as many as there is room for.
        sheet: draws its panels.
    """

    name: str
    heading: str
    panels: Callable[[F], Iterable[Any]]
    caption: Callable[[F], str]
    columns: int | None = None
    sheet: Callable[..., Sheet] = lines_sheet


@dataclass(frozen=True)
class Drawn:
    """A figure that there is something for, to be drawn by its sheet."""

    name: str
    heading: str
    panels: tuple[Any, ...]
    caption: str
    columns: int | None
    sheet: Callable[..., Sheet]

    @property
    def layout(self) -> str:
        """How its panels stand on the page: alone, in pairs (wide ones with more room), or three to a row."""
        count = len(self.panels)
        if count == 1:
            return "alone"
        pairs = self.columns == 2 or count in (2, 4)
        wide = any(getattr(each, "wide", False) for each in self.panels)
        return f"pairs{' wide' if wide else ''}" if pairs else ""

    def plate(self) -> Plate:
        """As the page shows it: each panel is a picture of its own."""
        sheets = [self._whole] if len(self.panels) == 1 else [self.sheet([each]) for each in self.panels]
        pictures = (Picture.of(sheet, each.alt) for sheet, each in zip(sheets, self.panels, strict=True))
        return Plate(tuple(pictures), self.caption)

    def whole(self) -> Sheet:
        """All panels on one sheet."""
        return self._whole

    @cached_property
    def _whole(self) -> Sheet:
        return self.sheet(self.panels, columns=self.columns)


def drawn(figures: Iterable[Figure[F]], found: F) -> Iterator[Drawn]:
    """The figures that there is something for."""
    for each in figures:
        panels = tuple(each.panels(found))
        if panels:
            wide = None if each.columns is None else min(each.columns, len(panels))
            yield Drawn(each.name, each.heading, panels, each.caption(found), wide, each.sheet)


@dataclass(frozen=True)
class Table:
    """A table that is written as CSV: its columns, and its rows of all settings."""

    columns: tuple[str, ...]
    rows: Callable[[Sequence[RegimeFindings]], Iterable[Row]]
