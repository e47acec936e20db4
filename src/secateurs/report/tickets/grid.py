"""A table of the page, as text."""

from __future__ import annotations

from dataclasses import dataclass

MANY = 60
"""A table with more rows than this is folded."""


@dataclass(frozen=True)
class Line:
    """A row: its head and its other cells as text. ``marked``: shaded."""

    head: str
    cells: tuple[str, ...]
    marked: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of the page.

    Attributes:
        name: its name among the page's anchors.
        columns: heads of the columns, that of the rows' heads first.
        parts: lines under a heading each; an empty heading is not shown.
        note: what stands below.
        text: how many columns after the first hold text, not numbers; they are the last ones.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    parts: tuple[tuple[str, tuple[Line, ...]], ...]
    note: str = ""
    text: int = 0

    @property
    def long(self) -> int:
        """How many rows it has, where they are too many to be shown at once; else 0."""
        rows = sum(len(lines) for _, lines in self.parts)
        return rows if rows > MANY else 0

    @property
    def stacks(self) -> bool:
        """Whether a phone shows a row as a block: where there are many columns, and rows have names, not numbers."""
        return len(self.columns) > 5 and not any(heading for heading, _ in self.parts)
