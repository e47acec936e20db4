"""The recipe of P2 chapter 5: methods of pruning x densities x moments x seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    PrivateAttr,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from secateurs.core import did_you_mean
from secateurs.studies.merging import merge, without_nulls
from secateurs.studies.schema.common import (
    END,
    MomentOrEnd,
    PruneRecipe,
    StudyRecipe,
    no_moment_twice,
    no_repeats,
    outside,
)
from secateurs.train import Settings
from secateurs.train.frozen import MomentText


class MethodRecipe(PruneRecipe):
    """A method of pruning. Its density is the study's to say.

    It is written down again as it was written, without what it inherited and what was filled in: a
    setting that changes the study's ``prune`` then changes every method that does not say otherwise.

    Attributes:
        at: it is pruned there, instead of at each of the study's moments; ``"end"``: after training.
        scored_at: the mask is found in the dense run's weights of that moment, and laid on those of
            the moment of pruning. ``"end"`` is lottery ticket rewinding (P2 section 5.2).
    """

    at: MomentOrEnd | None = None
    scored_at: MomentOrEnd | None = None
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    def at_density(self, density: float) -> PruneRecipe:
        """The method at one density, as jobs take it."""
        said = {name: getattr(self, name) for name in PruneRecipe.model_fields}
        return PruneRecipe.model_validate({**said, "density": density})

    @field_validator("density", mode="before")
    @classmethod
    def _density_is_the_study_s(cls, density: Any) -> Any:
        raise ValueError(f"densities are the study's: put {density} among its densities")

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return self._written


class Reported(Settings):
    """An accuracy (a fraction) that a ``source`` reports, to stand beside what was measured.

    Without ``method`` it is the dense network's.
    """

    source: str
    accuracy: float = Field(ge=0, le=1)
    method: str | None = None
    density: float | None = None


class Methods(StudyRecipe):
    """P2 chapter 5: each method prunes to each density at each moment, and what is left is trained.

    Attributes:
        prune: what the methods have in common.
        methods: by name, each a change that is laid on ``prune``.
        densities: kept / total over prunable weights, in (0, 1].
        moments: when the methods prune that do not say it themselves.
        trained: false finds the masks and trains nothing.
        reported: what others report.
    """

    laid: ClassVar[Mapping[str, str]] = {"methods": "prune"}

    study: Literal["methods"] = "methods"
    prune: MethodRecipe = MethodRecipe()
    methods: dict[str, MethodRecipe] = Field(min_length=1)
    densities: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1)
    moments: tuple[MomentText, ...] = Field((0,), min_length=1)
    trained: bool = True
    reported: tuple[Reported, ...] = ()

    _no_density_twice = field_validator("densities")(no_repeats)
    _no_moment_twice = field_validator("moments")(no_moment_twice)

    @field_validator("prune", mode="wrap")
    @classmethod
    def _prune_as_written(cls, prune: Any, validated: ValidatorFunctionWrapHandler) -> MethodRecipe:
        return _remember(validated(prune), prune)

    @field_validator("methods", mode="wrap")
    @classmethod
    def _methods_are_laid_on_prune(
        cls, methods: Any, validated: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> dict[str, MethodRecipe]:
        if "prune" not in info.data:
            return {}  # A faulty prune is told; what is laid on it can only be judged once it is right.
        if not isinstance(methods, Mapping) or not all(isinstance(change, Mapping) for change in methods.values()):
            return validated(methods)  # type: ignore[no-any-return]
        if not all(isinstance(name, str) and name.strip() for name in methods):
            raise ValueError("a method has no name: give it one")
        common = info.data["prune"].model_dump()
        made = validated({name: without_nulls(merge(common, change)) for name, change in methods.items()})
        return {name: _remember(method, methods[name]) for name, method in made.items()}

    def faults(self) -> Iterator[str]:
        """Moments outside the run, and reported numbers of what the study has not."""
        for moment in self.moments:
            if fault := outside(moment, self.train.epochs):
                yield f"moments: {fault}"
        for name, method in self.methods.items():
            at_end = method.at in (END, self.train.epochs, f"{self.train.epochs}ep")
            if method.ablation == "reinitialise" and method.after == "continue" and at_end:
                yield (
                    f"methods.{name}.ablation: weights that are drawn anew at the run's end have no epochs left to be "
                    "trained: set after to replay, or at to an earlier moment"
                )
            for key, moment_or_end in (("at", method.at), ("scored_at", method.scored_at)):
                if fault := outside(moment_or_end, self.train.epochs):
                    yield f"methods.{name}.{key}: {fault}"
        for place, reported in enumerate(self.reported):
            if reported.method is not None and reported.method not in self.methods:
                hint = did_you_mean(reported.method, self.methods)
                yield f"reported.{place}.method: unknown method {reported.method!r}{hint}"
            if reported.density is not None and reported.density not in self.densities:
                known = ", ".join(map(str, self.densities))
                yield f"reported.{place}.density: {reported.density} is none of the densities {known}"


def _remember(method: MethodRecipe, written: Any) -> MethodRecipe:
    if isinstance(written, Mapping):
        method._written = dict(written)
    return method
