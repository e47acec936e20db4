"""The figures of a setting: which there are, what they are called, and their captions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secateurs.report.methods import captions
from secateurs.report.methods.accuracy import (
    against_moment,
    against_moment_by_family,
    against_sparsity,
    against_sparsity_by_family,
)
from secateurs.report.methods.curves import rate_drops
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.layers import by_channel, by_layer, by_unit
from secateurs.report.methods.learning import over_epochs
from secateurs.report.methods.sheet import Panel
from secateurs.report.methods.training import over_training


@dataclass(frozen=True)
class Drawn:
    """A figure: the stem of its file, the heading above it, its panels and its caption."""

    name: str
    heading: str
    panels: tuple[Panel, ...]
    caption: str

    @property
    def columns(self) -> int | None:
        """How many panels stand side by side in the PNG; None: as many as there is room for."""
        return 2 if self.name == "learning" else None


def drawn(findings: MethodFindings) -> Iterator[Drawn]:
    """The figures that there is something for."""
    moments = captions.moments_caption(findings, rate_drops(findings))
    every = (
        ("accuracy", "Accuracy against sparsity", against_sparsity, captions.accuracy_caption(findings)),
        ("changes", "Each method and its changes", against_sparsity_by_family, captions.family_caption(findings)),
        ("moments", "Accuracy against the moment of pruning", against_moment, moments),
        ("moments-changes", "Each method and its changes, against the moment", against_moment_by_family, moments),
        ("remaining", "Weights remaining during training", over_training, captions.remaining_caption(findings)),
        ("learning", "Accuracy during training", over_epochs, captions.learning_caption(findings)),
        ("layers", "Sparsity by layer", by_layer, captions.layers_caption(findings)),
        ("units", "Channels removed by group", by_unit, captions.units_caption(findings)),
        ("channels", "Sparsity by channel", by_channel, captions.channels_caption(findings)),
    )
    for name, heading, panels_of, caption in every:
        panels = tuple(panels_of(findings))
        if panels:
            yield Drawn(name, heading, panels, caption)
