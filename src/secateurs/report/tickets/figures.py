"""The figures of a setting in the order of the page: which there are, how they are drawn, and their captions.

A figure is one entry of :data:`FIGURES`. Its module draws with matplotlib, so it is imported from here only, and this
module only where something is drawn. Sentences, tables and CSV files that go with a figure stand in modules without
matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from secateurs.report.methods.sheet import Panel
from secateurs.report.tickets import (
    accuracy,
    distances,
    errors,
    instability,
    interpolation,
    matching,
    rewinding,
    speed,
    throughout,
    training,
)
from secateurs.report.tickets.findings import TicketFindings


@dataclass(frozen=True)
class Figure:
    """A kind of figure.

    Attributes:
        name: the stem of its file.
        heading: what stands above it on the page.
        panels: its panels for a setting; none where there is nothing to show.
        caption: what stands below it; asked only where there are panels.
        columns: how many panels stand side by side in the PNG; None: as many as there is room for.
    """

    name: str
    heading: str
    panels: Callable[[TicketFindings], Iterable[Panel]]
    caption: Callable[[TicketFindings], str]
    columns: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A figure of one setting: what of :class:`Figure` was worked out."""

    name: str
    heading: str
    panels: tuple[Panel, ...]
    caption: str
    columns: int | None


FIGURES: tuple[Figure, ...] = (
    Figure("training", "Accuracy along training", training.over_training, training.caption, columns=2),
    Figure("accuracy", "Accuracy against weights remaining", accuracy.against_remaining, accuracy.caption, columns=2),
    Figure("close", "Accuracy near dense", accuracy.near_dense, accuracy.close_caption),
    Figure("best", "IMP at its best rewinding moment", accuracy.at_best_moment, accuracy.best_caption),
    Figure("speed", "Early stopping", speed.early_stops, speed.stops_caption, columns=2),
    Figure("dilation", "Dilation of training", speed.least_dilations, speed.dilation_caption),
    Figure("interpolation", "Errors between copies", interpolation.panels, interpolation.caption, columns=2),
    Figure("instability", "Instability against k", instability.panels, instability.caption, columns=2),
    Figure("replayed", "All steps again after k", instability.both_ways, instability.both_ways_caption, columns=2),
    Figure("throughout", "Instability throughout training", throughout.panels, throughout.caption, columns=2),
    Figure("errors", "Error against k", errors.panels, errors.caption, columns=2),
    Figure("matching", "When networks become stable, and match", matching.panels, matching.caption, columns=2),
    Figure("distances", "Other distances of copies", distances.panels, distances.caption, columns=3),
    Figure("rewinding", "The dense network at k", rewinding.error_panels, rewinding.error_caption),
    Figure("lengths", "How far it has come at k, and has to go", rewinding.distance_panels, rewinding.distance_caption),
)
"""Every kind of figure. Chapter 3's and figure 4-13 come first, then the instability of chapter 4."""

MANY_PANELS, MANY_ACROSS = 16, 4
"""Of more panels than these so many stand side by side in the PNG."""


def drawn(findings: TicketFindings) -> Iterator[Drawn]:
    """The figures that there is something for."""
    for each in FIGURES:
        panels = tuple(each.panels(findings))
        if panels:
            wide = None if each.columns is None else min(each.columns, len(panels))
            columns = MANY_ACROSS if len(panels) > MANY_PANELS else wide
            yield Drawn(each.name, each.heading, panels, each.caption(findings), columns)
