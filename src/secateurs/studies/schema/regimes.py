"""The recipe of regimes: temperatures of dense training x loads of the pruned network x replicates (P4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from secateurs.core import Moment
from secateurs.core.regimes import POORLY_CONNECTED, SIMILAR_FROM, hotter_first
from secateurs.measure import CKA_SAMPLES
from secateurs.studies.schema.common import Growth, StudyRecipe, outside
from secateurs.studies.schema.load import Load
from secateurs.studies.schema.temperature import Temperature
from secateurs.studies.schema.ticket import TicketPruning
from secateurs.train import Settings, TrainSettings
from secateurs.train.frozen import MomentText


class RegimePruning(TicketPruning):
    """How each mask is found, at the density that the load says.

    Attributes:
        scope: ``layer`` is P4's UniformMP, ``global`` its GlobalMP.
    """

    scope: Literal["global", "layer", "erk"] = "layer"


class RegimeComparison(Settings):
    """How the copies of a pruned network are compared, every two of them (P4 sections 2.4 and 3).

    Attributes:
        ends: at the end of retraining; nothing is compared there where retraining ends at the probe.
        probe: after so long of retraining, too: alpha of Algorithms 2 and 2.1; null: nowhere.
        points: of LMC on the straight way between two copies, ends included.
        samples: training examples that CKA is taken over; all where there are fewer.
        outputs: CKA is taken of probabilities (what P4 plotted), or of logits.
        resamples: LMC and CKA are drawn so many times of resampled examples, to say how sure they are.
    """

    ends: bool = True
    probe: MomentText | None = None
    points: int = Field(11, ge=2)
    samples: int = Field(CKA_SAMPLES, ge=2)
    outputs: Literal["softmax", "logits"] = "softmax"
    resamples: int = Field(0, ge=0)

    @field_validator("probe")
    @classmethod
    def _some_training_before(cls, probe: str | int | None) -> str | int | None:
        if probe is not None and Moment.parse(probe, 1).steps == 0:
            raise ValueError("copies differ only after some retraining: say 2ep, or 100it")
        return probe

    def of_networks(self) -> dict[str, Any]:
        """What a comparison of two networks follows from, wherever they are compared."""
        return self.model_dump(include={"points", "samples", "outputs", "resamples"})


class TemperatureTuning(Settings):
    """Algorithm 1 of P4: one temperature is tried, and raised where the pruned network is poorly connected.

    Attributes:
        initial: T0.
        raised: T' = T0 + Delta T, which is hotter. Both are temperatures of the study.
    """

    initial: float
    raised: float


class Regimes(StudyRecipe):
    """Dense networks of several temperatures, pruned to several loads; copies of each are retrained and compared.

    Attributes:
        temperature: what is varied in dense training, and how; ``train`` says the rest.
        load: what is varied of the pruned network.
        prune: how its mask is found.
        retrain: the training of pruned networks; null: as ``train`` says, without SAM.
        copies: retrained from each pruned network with other orders of the data.
        compare: when and how they are.
        probe_only: retraining ends at ``compare.probe``.
        threshold: LMC below it is Regime I.
        similar_from: CKA from which well-connected copies are similar, Regime II-B.
        tuning: the two temperatures of Algorithm 1; null: nothing is tuned.
        last_epochs: validation and test errors are means over so many last epochs of retraining (P4: 5).
    """

    grows: ClassVar[Mapping[str, Growth]] = {
        **StudyRecipe.grows,
        **dict.fromkeys(("temperature.values", "load.values", "copies", "compare.ends"), "free"),
        **dict.fromkeys(("threshold", "similar_from", "tuning"), "free"),
    }

    study: Literal["regimes"] = "regimes"
    temperature: Temperature
    load: Load
    prune: RegimePruning = RegimePruning()
    retrain: TrainSettings | None = None
    copies: int = Field(3, ge=1)
    compare: RegimeComparison = RegimeComparison()
    probe_only: bool = False
    threshold: float = Field(POORLY_CONNECTED, ge=-1, le=0)
    similar_from: float = Field(SIMILAR_FROM, ge=0, le=1)
    tuning: TemperatureTuning | None = None
    last_epochs: int = Field(5, gt=0)

    @property
    def retraining(self) -> TrainSettings:
        """How pruned networks are trained.

        >>> from secateurs.train import SamSettings
        >>> said = {"title": "t", "model": "lenet_300_100", "data": "digits", "seeds": [0], "last_epochs": 1}
        >>> varied = {"temperature": {"name": "epochs", "values": [1]}, "load": {"name": "density", "values": [0.1]}}
        >>> train = {"epochs": 2, "sam": {"rho": 0.1}}
        >>> recipe = Regimes.model_validate({**said, **varied, "train": train})
        >>> recipe.retraining == TrainSettings(epochs=2)
        True
        """
        return self.retrain or TrainSettings(**{**dict(self.train), "sam": None})

    @property
    def compared(self) -> bool:
        """Whether copies are compared anywhere."""
        return self.compares_ends or self.compare.probe is not None

    @property
    def compares_ends(self) -> bool:
        """Whether copies are compared at the end of retraining."""
        return self.compare.ends and not self.probe_only

    def as_compared(self) -> dict[str, Any]:
        """With the retraining that holds."""
        return super().as_compared() | {"retrain": self.retraining.model_dump(mode="json")}

    def faults(self) -> Iterator[str]:
        """What cannot be varied or looked at as it says, and temperatures that are not there."""
        yield from self.temperature.faults(self.train)
        yield from self.load.faults(self.model)
        epochs, probe = self.retraining.epochs, self.compare.probe
        if fault := outside(probe, epochs):
            yield f"compare.probe: {fault} of retraining"
        if self.probe_only and probe is None:
            yield "probe_only: where does retraining end? Say compare.probe"
        if self.last_epochs > epochs:
            yield f"last_epochs: {self.last_epochs}, and retraining has only {epochs} epochs: say at most {epochs}"
        if self.copies < 2 and self.compared:
            yield (
                "copies: one is compared with none: say at least 2, or leave comparing out "
                "(compare.ends: false, without compare.probe)"
            )
        yield from self._faults_of_tuning()

    def _faults_of_tuning(self) -> Iterator[str]:
        if self.tuning is None:
            return
        values = self.temperature.values
        said = {"initial": self.tuning.initial, "raised": self.tuning.raised}
        unknown = {field: value for field, value in said.items() if value not in values}
        for field, value in unknown.items():
            told = ", ".join(f"{each:g}" for each in values)
            yield f"tuning.{field}: {value:g} is none of the temperatures: choose among {told}, or add it to them"
        hottest = hotter_first(self.temperature.name, said.values())[0]
        if not unknown and (self.tuning.raised != hottest or self.tuning.raised == self.tuning.initial):
            yield (
                f"tuning.raised: {self.tuning.raised:g} is not hotter than {self.tuning.initial:g} "
                f"({self.temperature.name})"
            )


__all__ = ["RegimeComparison", "RegimePruning", "Regimes", "TemperatureTuning"]
