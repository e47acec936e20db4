"""Which cost an accuracy is drawn against, and what the figure shows in words."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.costs.measures import MEASURES, in_words
from secateurs.report.costs.rows import Costed
from secateurs.report.words import percent

AGAINST = ("memory", "batch_ratio", "batch", "seconds", "disk")
"""Of these the first that is known: P1's figure 1 has the memory."""


HOLLOW = "unstructured"
"""The kind of rows whose markers are hollow: all others' are filled."""


def against_of(rows: Sequence[Costed]) -> str | None:
    """The cost that a trade-off is drawn against; None where nothing is known of two networks with an accuracy."""
    ready = [row for row in rows if row.accuracy is not None]
    return next((name for name in AGAINST if sum(row.of(name) is not None for row in ready) > 1), None)


def trade_off_alt(rows: Sequence[Costed], against: str) -> str:
    """The figure, for who does not see it."""
    points = [
        f"{row.name} {percent(row.accuracy)} at {in_words(against, spread.mean)}"
        for row in rows
        if row.accuracy is not None and (spread := row.of(against)) is not None
    ]
    return f"Scatter plot of test accuracy against {MEASURES[against].title.lower()}: {'; '.join(points)}."


def trade_off_caption(against: str, seeds: int) -> str:
    """What the figure shows."""
    band = ", with a bar of one standard deviation" if seeds > 1 else ""
    return (
        f"Test accuracy against {MEASURES[against].title.lower()}, mean over seeds{band}. "
        "Star and dashed line: the dense network. Hollow: unstructured pruning. Towards the upper left is better."
    )
