"""The recipe of an advice: dense networks that may be pruned to one density, and how two short copies tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from secateurs.core.regimes import POORLY_CONNECTED, SIMILAR_FROM
from secateurs.studies.schema.common import Growth, StudyRecipe, no_repeats, outside
from secateurs.studies.schema.regimes import RegimeComparison, RegimePruning, Regimes
from secateurs.train import Settings, TrainSettings

ALPHA = "2ep"
"""How long copies are retrained (P4 section 4.2: 2 epochs of 160)."""

RESAMPLES = 1000
"""Draws of the bootstrap."""


class Given(Settings):
    """A dense network that is there already, as a file of tensors.

    Attributes:
        file: where it lies; the results follow from its digest.
        digest: SHA-256 of the file.
        prefix: what the names of its tensors begin with, before those of the network.
        seed: that it was trained with, where that is known; copies of networks of one seed see the same orders.
        stopped: after how many epochs it was taken from its training; None: not known.
        train: how it was trained; None: not known.
    """

    file: str
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    prefix: str = ""
    seed: int = 0
    stopped: float | None = None
    train: TrainSettings | None = None


class Advice(StudyRecipe):
    """Is a network that is pruned to a density poorly connected, well connected but dissimilar, or similar (P4)?

    Attributes:
        density: kept / total over the prunable weights.
        at: epochs of the dense training whose networks are looked at; its end where nothing is said.
        networks: dense networks that are there, one for each seed, by what they are called; none: they are trained.
        prune, retrain, copies, compare, threshold, similar_from: as a study of regimes has them.
    """

    grows: ClassVar[Mapping[str, Growth]] = {
        **StudyRecipe.grows,
        **dict.fromkeys(("at", "copies", "threshold", "similar_from"), "free"),
        "networks": "labels",
        "networks.*": "free",
    }

    study: Literal["advice"] = "advice"
    density: float = Field(gt=0, le=1)
    at: tuple[int, ...] = ()
    networks: dict[str, tuple[Given, ...]] = Field({})
    prune: RegimePruning = RegimePruning()
    retrain: TrainSettings | None = None
    copies: int = Field(2, ge=2)
    compare: RegimeComparison = RegimeComparison(ends=False, probe=ALPHA, resamples=RESAMPLES)
    threshold: float = Field(POORLY_CONNECTED, ge=-1, le=0)
    similar_from: float = Field(SIMILAR_FROM, ge=0, le=1)

    _no_epoch_twice = field_validator("at")(no_repeats)

    @property
    def regimes(self) -> Regimes:
        """The study of regimes that an advice is: one density, and a probe at which retraining ends.

        >>> said = {"title": "t", "model": "lenet_300_100", "data": "digits", "train": {"epochs": 4}, "seeds": [0]}
        >>> Advice.model_validate({**said, "density": 0.1}).regimes.temperature.values
        (4,)
        """
        same = ("title", "figure", "model", "data", "train", "seeds", "checkpoint_every", "threads")
        own = ("prune", "retrain", "copies", "compare", "threshold", "similar_from")
        return Regimes(
            **{name: getattr(self, name) for name in (*same, *own)},
            temperature={"name": "epochs", "values": self.at or (self.train.epochs,)},
            load={"name": "density", "values": (self.density,)},
            probe_only=True,
            last_epochs=1,
        )

    def as_compared(self) -> dict[str, Any]:
        """With the retraining that holds."""
        return super().as_compared() | {"retrain": self.regimes.retraining.model_dump(mode="json")}

    def faults(self) -> Iterator[str]:
        """Epochs that the training does not have, and a look after more retraining than there is."""
        for epoch in self.at:
            if not 0 < epoch <= self.train.epochs:
                epochs = self.train.epochs
                yield f"at: {epoch} lies outside the run of {epochs} epochs: say one from 1 to {epochs}"
        if self.networks and self.at:
            yield "at: the networks are there already, as they are: leave at out, or networks"
        if any(not own for own in self.networks.values()):
            yield "networks: one has no file: name one, or leave it out"
        probe = self.compare.probe
        if probe is None:
            yield f"compare.probe: when are copies compared? Say {ALPHA}"
        elif fault := outside(probe, (self.retrain or self.train).epochs):
            yield f"compare.probe: {fault} of retraining: say fewer epochs"


__all__ = ["ALPHA", "RESAMPLES", "Advice", "Given"]
