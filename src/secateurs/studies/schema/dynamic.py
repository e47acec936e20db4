"""Dynamic sparsity as recipes say it: RigL and SET, and one-shot dynamic IMP (P2 section 6.2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from secateurs.core import TrainingError
from secateurs.procedures import DynamicImpSettings, MaskSettings, RegrowthSettings
from secateurs.studies.schema.common import outside
from secateurs.studies.schema.pruning import MaskRecipe
from secateurs.studies.schema.written import AsWritten

DYNAMIC, DYNAMIC_IMP = "dynamic", "dynamic_imp"


class RegrowthRecipe(RegrowthSettings):
    """How a mask moves as the network is trained.

    Attributes:
        how: stands in everything that is written down.
    """

    tag: ClassVar[str] = DYNAMIC
    how: Literal["dynamic"] = "dynamic"

    @property
    def mask(self) -> MaskRecipe:
        """How the first mask is found."""
        return _as_recipe(self.first)


class DynamicImpRecipe(DynamicImpSettings):
    """When the pattern of sparsity changes, and how each mask comes about.

    Attributes:
        how: stands in everything that is written down.
    """

    tag: ClassVar[str] = DYNAMIC_IMP
    how: Literal["dynamic_imp"] = "dynamic_imp"

    @property
    def mask(self) -> MaskRecipe:
        """How the first mask is found: by one-shot IMP it is found at the first switch, else in the initial weights."""
        return _as_recipe(self.beginning("random" if self.first == "random" else "magnitude"))


def _as_recipe(settings: MaskSettings) -> MaskRecipe:
    return MaskRecipe.model_validate({name: getattr(settings, name) for name in MaskSettings.model_fields})


class _Dynamic(AsWritten):
    """A method that is sparse from the first step on, within one budget of training; it has no moment to be said."""

    at: ClassVar[Literal[0]] = 0
    when: ClassVar[None] = None
    scored_at: ClassVar[None] = None
    after: ClassVar[None] = None


class RegrowthMethodRecipe(_Dynamic, RegrowthRecipe):
    """RigL, SET and what lies between."""

    def at_density(self, density: float) -> RegrowthRecipe:
        """The method at one density, as jobs take it."""
        said = {name: getattr(self, name) for name in RegrowthRecipe.model_fields}
        return RegrowthRecipe.model_validate({**said, "density": density})

    def faults(self, densities: tuple[float, ...], epochs: int) -> Iterator[str]:
        """An update that comes after the run; those in steps are judged when the plan is made."""
        del densities
        if fault := outside(self.every, epochs):
            yield f"every: {fault}"


class DynamicImpMethodRecipe(_Dynamic, DynamicImpRecipe):
    """One-shot dynamic IMP and its variants."""

    def at_density(self, density: float) -> DynamicImpRecipe:
        """The method at one density, as jobs take it."""
        said = {name: getattr(self, name) for name in DynamicImpRecipe.model_fields}
        return DynamicImpRecipe.model_validate({**said, "density": density})

    def faults(self, densities: tuple[float, ...], epochs: int) -> Iterator[str]:
        """Switches outside the run; those in steps, and their order, are judged when the plan is made."""
        del densities
        for place, moment in enumerate(self.switches):
            if fault := outside(moment, epochs):
                yield f"switches.{place}: {fault}"


DynamicMethod = RegrowthMethodRecipe | DynamicImpMethodRecipe


def faults_in_steps(settings: RegrowthRecipe | DynamicImpRecipe, epochs: int, steps_per_epoch: int) -> Iterator[str]:
    """What can only be judged once it is known how many steps an epoch has, with the field that says it.

    >>> list(faults_in_steps(RegrowthRecipe(every="9it"), 2, 5))
    ['every: the mask is to stay from 1ep3it on, and would never have moved: say less than 9it, or a later until']
    """
    if isinstance(settings, DynamicImpRecipe):
        try:
            settings.phases(epochs, steps_per_epoch)
        except TrainingError as error:
            yield str(error)
    elif fault := settings.never_moves(epochs, steps_per_epoch):
        yield fault
