"""The recipe of methods of pruning x densities x moments x seeds: P1's tables, P2's chapter 5, P3's rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from secateurs.core import did_you_mean
from secateurs.studies.merging import merge, without_nulls
from secateurs.studies.schema.common import (
    Growth,
    SignalPart,
    StudyRecipe,
    no_moment_twice,
    no_repeats,
    outside,
)
from secateurs.studies.schema.costs import CostsRecipe
from secateurs.studies.schema.dynamic import DynamicMethod
from secateurs.studies.schema.method import AnyMethod, MethodPart, MethodRecipe, fields_of
from secateurs.studies.schema.pruning import way
from secateurs.train import Settings
from secateurs.train.frozen import MomentText
from secateurs.when import signal_of


class Reported(Settings):
    """An accuracy (a fraction) that a ``source`` reports, to stand beside what was measured.

    Without ``method`` it is the dense network's.
    """

    source: str
    accuracy: float = Field(ge=0, le=1)
    method: str | None = None
    density: float | None = None


class Methods(StudyRecipe):
    """Each method prunes to each density at each moment, and what is left is trained.

    P2's chapter 5; P1's tables, with channels and triggers; P3's tables, in rounds.

    Attributes:
        prune: what the methods have in common. Of it, a method that prunes in the other way (masks or channels) takes
            what both have.
        methods: by name, each a change that is laid on ``prune``.
        densities: kept / total over prunable weights, in (0, 1]; of channels, where a method counts these.
        moments: when the methods prune that do not say it themselves.
        trained: false finds masks and channels and trains nothing.
        signals: watched in the dense runs. What a method's trigger needs is watched in any case: here stand other
            options than the default ones.
        curves: every run logs accuracy and loss on training and validation data at each epoch's end.
        costs: what is measured of the network that each run ends with.
        reported: what others report.
    """

    laid: ClassVar[Mapping[str, str]] = {"methods": "prune"}
    grows: ClassVar[Mapping[str, Growth]] = {
        **StudyRecipe.grows,
        **dict.fromkeys(("densities", "moments", "trained", "costs", "reported"), "free"),
        "methods": "labels",
    }

    study: Literal["methods"] = "methods"
    prune: MethodPart = MethodRecipe()
    methods: dict[str, MethodPart] = Field(min_length=1)
    densities: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1)
    moments: tuple[MomentText, ...] = Field((0,), min_length=1)
    trained: bool = True
    signals: tuple[SignalPart, ...] = ()
    curves: bool = False
    costs: CostsRecipe = CostsRecipe()
    reported: tuple[Reported, ...] = ()

    _no_density_twice = field_validator("densities")(no_repeats)
    _no_moment_twice = field_validator("moments")(no_moment_twice)

    @field_validator("prune", mode="wrap")
    @classmethod
    def _prune_as_written(cls, prune: Any, validated: ValidatorFunctionWrapHandler) -> AnyMethod:
        made: AnyMethod = validated(prune)
        return made.remembering(prune)

    @field_validator("methods", mode="wrap")
    @classmethod
    def _methods_are_laid_on_prune(
        cls, methods: Any, validated: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> dict[str, AnyMethod]:
        if "prune" not in info.data:
            return {}  # A faulty prune is told; what is laid on it can only be judged once it is right.
        if not isinstance(methods, Mapping) or not all(isinstance(change, Mapping) for change in methods.values()):
            return validated(methods)  # type: ignore[no-any-return]
        if not all(isinstance(name, str) and name.strip() for name in methods):
            raise ValueError("a method has no name: give it one")
        common = info.data["prune"].model_dump()
        made = validated({name: _laid(change, common) for name, change in methods.items()})
        return {name: method.remembering(methods[name]) for name, method in made.items()}

    def faults(self) -> Iterator[str]:
        """Moments outside the run, and reported numbers of what the study has not."""
        for moment in self.moments:
            if fault := outside(moment, self.train.epochs):
                yield f"moments: {fault}"
        watched = [signal_of(spec).name for spec in self.signals]
        if len(set(watched)) < len(watched):
            yield f"signals: says something twice: {', '.join(watched)}"
        for name, method in self.methods.items():
            yield from (f"methods.{name}.{fault}" for fault in method.faults(self.densities, self.train.epochs))
            trains = "how" if isinstance(method, DynamicMethod) else None
            for key in ("every", "levels"):
                trains = trains or (key if getattr(method, key, None) is not None else None)
            if trains and not self.trained:
                yield f"methods.{name}.{trains}: trains in between, and trained is false: set one or the other"
        for place, reported in enumerate(self.reported):
            if reported.method is not None and reported.method not in self.methods:
                hint = did_you_mean(reported.method, self.methods)
                yield f"reported.{place}.method: unknown method {reported.method!r}{hint}"
            if reported.density is not None and reported.density not in self.densities:
                known = ", ".join(map(str, self.densities))
                yield f"reported.{place}.density: {reported.density} is none of the densities {known}"


def _laid(change: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """A method's change on what is common; what the common way of pruning alone has is no concern of the other way."""
    known = fields_of(way(change)) if "how" in change and way(change) != way(common) else common
    return without_nulls(merge({name: value for name, value in common.items() if name in known}, change))
