"""One method of a study of methods: how it prunes, and when, or in how many rounds or levels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from secateurs.core import Moment, SignalError, Trigger
from secateurs.procedures.settings import Afterwards
from secateurs.studies.schema.common import END, MomentOrEnd, TriggerPart, outside, outside_the_run
from secateurs.studies.schema.dynamic import DYNAMIC, DYNAMIC_IMP, DynamicImpMethodRecipe, RegrowthMethodRecipe
from secateurs.studies.schema.pruning import CHANNELS, MASKS, ChannelRecipe, PruneRecipe, way
from secateurs.studies.schema.written import AsWritten
from secateurs.train.frozen import MomentText
from secateurs.when import trigger_of


class _InAStudy(AsWritten, Afterwards):
    """What a method says beside how it prunes.

    Attributes:
        at: it is pruned there, instead of at each of the study's moments; ``"end"``: after training.
        when: it is pruned where this trigger fires in the seed's dense run.
        scored_at: mask or channels are found in the dense run's weights of that moment, and laid on those of
            the moment of pruning. ``"end"`` is lottery ticket rewinding (P2 section 5.2).
        every: rounds: from the moment on it is trained so long and pruned by one step of ``schedule``, and again until
            there is no step left (P3 section 4). Their number is ``steps``.
    """

    at: MomentOrEnd | None = None
    when: TriggerPart | None = None
    scored_at: MomentOrEnd | None = None
    every: MomentText | None = None

    @abstractmethod
    def at_density(self, density: float) -> PruneRecipe | ChannelRecipe:
        """The method at one density, as jobs take it."""

    def trigger(self, density: float, epochs: int, seed: int = 0) -> Trigger | None:
        """What decides when it is pruned to a density in a run of a seed; None where no trigger does.

        Raises:
            SignalError: when the run does not suit it.
        """
        return None if self.when is None else trigger_of(self.when, epochs=epochs, density=density, seed=seed)

    def faults(self, densities: tuple[float, ...], epochs: int) -> Iterator[str]:
        """What does not fit together, or into a run of so many epochs, each with the field that says it."""
        for key, moment in (("at", self.at), ("scored_at", self.scored_at)):
            if fault := outside(moment, epochs):
                yield f"{key}: {fault}"
        if self.when is not None:
            yield from self._faults_of_when(densities, epochs)
        if self.every is not None:
            for key, said in (("when", self.when), ("scored_at", self.scored_at)):
                if said is not None:
                    yield f"{key}: rounds begin at a moment, and score the weights that they prune: leave {key} out"
            if self.after != "continue":
                yield "after: rounds share one budget: set after to continue"
            if Moment.parse(self.every, 1).steps == 0:
                yield "every: rounds need some training between them: say 1ep, or 100it"

    def _faults_of_when(self, densities: tuple[float, ...], epochs: int) -> Iterator[str]:
        if self.when is None:
            return
        if self.at is not None:
            yield f"when: it is pruned at {self.at}: say at or when, not both"
        yield from outside_the_run("when", self.when, epochs)
        try:
            for density in densities:
                self.trigger(density, epochs)
        except SignalError as error:
            yield f"when: {error}"


class MethodRecipe(_InAStudy, PruneRecipe):
    """A method that finds masks.

    Attributes:
        levels: so many retrainings, one after the other. Each takes the mask from the end of the one before, within
            that one's own mask, along exponential densities; lays it on the dense run's weights of the moment of
            pruning; and trains them to the end. The last is the result. (P1's LTR; the first takes the mask from the
            dense run's end.)
    """

    levels: int | None = Field(None, gt=0)

    def at_density(self, density: float) -> PruneRecipe:
        """The method at one density, as jobs take it."""
        said = {name: getattr(self, name) for name in PruneRecipe.model_fields}
        return PruneRecipe.model_validate({**said, "density": density})

    def faults(self, densities: tuple[float, ...], epochs: int) -> Iterator[str]:
        """What does not fit together, or into a run of so many epochs, each with the field that says it."""
        yield from super().faults(densities, epochs)
        at_end = self.at in (END, epochs, f"{epochs}ep")
        if self.ablation == "reinitialise" and self.after == "continue" and at_end:
            yield (
                "ablation: weights that are drawn anew at the run's end have no epochs left to be trained: set after "
                "to replay, or at to an earlier moment"
            )
        several = "rounds" if self.every is not None else "levels" if self.levels is not None else None
        if several and self.ablation != "none":
            yield f"ablation: {self.ablation} is done to a mask that is found at once, not in {several}: leave it out"
        if several and self.revive:
            yield f"revive: nothing comes back in {several}: leave it out"
        if self.levels is not None:
            for key, said in (("every", self.every), ("scored_at", self.scored_at)):
                if said is not None:
                    yield f"{key}: levels score at the end of training, and prune once in each: leave {key} out"
            if self.schedule != "one_shot":
                yield f"schedule: levels have their own densities: leave {self.schedule} out, or set it to one_shot"


class ChannelMethodRecipe(_InAStudy, ChannelRecipe):
    """A method that removes channels."""

    def at_density(self, density: float) -> ChannelRecipe:
        """The method at one density, as jobs take it."""
        said = {name: getattr(self, name) for name in ChannelRecipe.model_fields}
        return ChannelRecipe.model_validate({**said, "density": density})


AnyMethod = MethodRecipe | ChannelMethodRecipe | RegrowthMethodRecipe | DynamicImpMethodRecipe
MethodPart = Annotated[
    Annotated[MethodRecipe, Tag(MASKS)]
    | Annotated[ChannelMethodRecipe, Tag(CHANNELS)]
    | Annotated[RegrowthMethodRecipe, Tag(DYNAMIC)]
    | Annotated[DynamicImpMethodRecipe, Tag(DYNAMIC_IMP)],
    Discriminator(way),
]

_KINDS: Mapping[str, type[AnyMethod]] = {
    CHANNELS: ChannelMethodRecipe,
    DYNAMIC: RegrowthMethodRecipe,
    DYNAMIC_IMP: DynamicImpMethodRecipe,
}


def fields_of(how: str) -> frozenset[str]:
    """What a method may say that prunes in one way."""
    return frozenset({*_KINDS.get(how, MethodRecipe).model_fields, "how"})
