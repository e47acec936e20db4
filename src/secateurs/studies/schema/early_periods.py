"""The recipe of P0's study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from secateurs.core import SignalError, Spec, Trigger, did_you_mean
from secateurs.studies.schema.common import (
    Growth,
    SignalPart,
    StudyRecipe,
    TriggerPart,
    no_moment_twice,
    outside,
    outside_the_run,
)
from secateurs.studies.schema.costs import CostsRecipe
from secateurs.studies.schema.instability import InstabilityRecipe
from secateurs.studies.schema.pruning import PrunePart, PruneRecipe
from secateurs.train.frozen import MomentText
from secateurs.when import signal_of, trigger_of


class EarlyPeriods(StudyRecipe):
    """P0's study: a dense run watched by signals, pruned at many moments, every pruned run trained to the end."""

    grows: ClassVar[Mapping[str, Growth]] = {
        **StudyRecipe.grows,
        **dict.fromkeys(("moments", "costs", "instability.moments", "instability.copies"), "free"),
        **dict.fromkeys(("triggers", "instability"), "labels"),
    }

    study: Literal["early_periods", "regret"] = "early_periods"
    prune: PrunePart = PruneRecipe()
    moments: tuple[MomentText, ...] = Field(min_length=1)
    signals: tuple[SignalPart, ...] = Field((Spec("fisher_trace"), Spec("kl_uniform")), validate_default=True)
    triggers: dict[str, TriggerPart] = Field({})
    instability: InstabilityRecipe = InstabilityRecipe()
    costs: CostsRecipe = CostsRecipe()

    _no_moment_twice = field_validator("moments")(no_moment_twice)

    def as_compared(self) -> dict[str, Any]:
        """Without instability where none is measured."""
        said = super().as_compared()
        return said if self.instability.moments else {k: v for k, v in said.items() if k != "instability"}

    def faults(self) -> Iterator[str]:
        """Moments and triggers outside the run, and triggers without their signals."""
        for moment in self.moments:
            if fault := outside(moment, self.train.epochs):
                yield f"moments: {fault}"
        for moment in self.instability.moments:
            if fault := outside(moment, self.train.epochs):
                yield f"instability.moments: {fault}"
        known = [signal_of(spec).name for spec in self.signals]
        if len(set(known)) < len(known):
            yield f"signals: says something twice: {', '.join(known)}"
        if "grid" in self.triggers:
            yield "triggers.grid: that is what the moments are called: give the trigger another name"
        for name, spec in self.triggers.items():
            yield from outside_the_run(f"triggers.{name}", spec, self.train.epochs)
        yield from self._signals_that_triggers_lack(known)

    def trigger(self, name: str, seed: int = 0) -> Trigger:
        """The trigger of a name as it acts in the run of a seed.

        Raises:
            SignalError: when the run does not suit it.
        """
        return trigger_of(self.triggers[name], epochs=self.train.epochs, density=self.prune.density, seed=seed)

    def _signals_that_triggers_lack(self, known: list[str]) -> Iterator[str]:
        layerwise = {signal_of(spec).name for spec in self.signals if spec.options.get("layerwise")}
        for name in self.triggers:
            try:
                needs = self.trigger(name).needs
            except SignalError as error:
                yield f"triggers.{name}: {error}"
                continue
            for signal in sorted(needs):
                if signal in layerwise:
                    yield f"triggers.{name}: signal {signal!r} has one value a layer, triggers read one"
                elif signal not in known:
                    yield f"triggers.{name}: needs signal {signal!r}{did_you_mean(signal, known)}"
