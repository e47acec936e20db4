"""How a mask is found: score, keep the top, and again, as often as a density schedule says (P2 sections 5.2, 5.8.1)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from torch import nn

from secateurs import what
from secateurs.core import Batch, PruningError, ScoreFn, Scores, SecateursError, Spec, generator_for, prunable
from secateurs.how import DENSITIES, Mask, keep_in_steps
from secateurs.train import Settings
from secateurs.zoo import Dataset

Schedule = Literal["one_shot", "linear", "exponential", "early_crop", "cubic", "harmonic"]

ITERATED: dict[str, tuple[Schedule, int]] = {"synflow": ("exponential", 100)}
"""How a score is iterated when nobody says it; a score that is not here is taken once."""

_STEPS: dict[Schedule, int] = {
    "one_shot": 1,
    "linear": 100,
    "exponential": 100,
    "early_crop": 5,
    "cubic": 100,
    "harmonic": 100,
}
_SEVERAL = ", ".join(name for name in get_args(Schedule) if name != "one_shot")
_ITS_OWN: Any = None  # A validator puts in what follows from the score.


class MaskSettings(Settings):
    """How a mask is found. Every field is resolved: dumps say what is done, and load again to the same.

    Attributes:
        density: kept / total over prunable weights.
        scope: where weights compete, as :func:`~secateurs.how.keep_top` has it.
        score: which weights matter.
        schedule: how the density falls from step to step, by its name in ``how``. When it is left out
            it is the score's own: SynFlow takes exponential steps, the others are taken once.
        steps: how many; ``n`` of the schedule (EarlyCroP's ``n`` makes n + 2 steps). 1 for one_shot, 5 for
            early_crop, else 100 when it is left out.
        revive: a weight that an earlier step dropped may come back if its score, were it there, is high
            enough (de Jorge et al. 2021, FORCE); for scores that have the option.
        invert: the top is pruned, at every step (P2 section 5.7.3).
        examples_per_class: training examples for scores that need data, drawn once, the same at every step.
        exclude: names of modules or parameters that are left alone.

    >>> MaskSettings(score="synflow").schedule, MaskSettings(score="synflow").steps
    ('exponential', 100)
    >>> MaskSettings(score="magnitude", schedule="linear", density=0.4, steps=3).densities()
    (0.8, 0.6, 0.4)
    """

    refusal: ClassVar[type[SecateursError]] = PruningError

    density: float = Field(0.1, gt=0, le=1)
    scope: Literal["global", "layer", "erk"] = "global"
    score: Annotated[Spec, BeforeValidator(lambda name: Spec(name) if isinstance(name, str) else name)] = Spec(
        "magnitude"
    )
    schedule: Schedule = Field(_ITS_OWN, validate_default=True)
    steps: int = Field(_ITS_OWN, gt=0, validate_default=True)
    revive: bool = Field(False, validate_default=True)
    invert: bool = False
    examples_per_class: int = Field(10, gt=0)
    exclude: tuple[str, ...] = ()

    def densities(self) -> tuple[float, ...]:
        """The density after each step, of the original total; the last is ``density``."""
        own = DENSITIES[self.schedule]
        return own(self.density) if self.schedule == "one_shot" else own(self.density, self.steps)

    @field_validator("score")
    @classmethod
    def _score_takes_its_options(cls, score: Spec) -> Spec:
        if score.name in what.SCORES:  # a function of one's own may go by any name
            try:
                what.check_score(score, "")
            except PruningError as error:
                raise ValueError(str(error)) from error
        return score

    @field_validator("schedule", mode="before")
    @classmethod
    def _score_s_own_schedule(cls, schedule: Any, info: ValidationInfo) -> Any:
        return _own_way(info)[0] if schedule is None else schedule

    @field_validator("steps", mode="before")
    @classmethod
    def _schedule_s_own_steps(cls, steps: Any, info: ValidationInfo) -> Any:
        if steps is not None:
            return steps
        schedule, (own, number) = info.data.get("schedule", "one_shot"), _own_way(info)
        return number if schedule == own else _STEPS[cast(Schedule, schedule)]

    @field_validator("steps")
    @classmethod
    def _one_shot_is_one_step(cls, steps: int, info: ValidationInfo) -> int:
        if info.data.get("schedule") == "one_shot" and steps != 1:
            raise ValueError(f"schedule one_shot has 1 step, got {steps}: choose prune.schedule among {_SEVERAL}")
        return steps

    @field_validator("revive")
    @classmethod
    def _can_revive(cls, revive: bool, info: ValidationInfo) -> bool:
        if "score" not in info.data or "schedule" not in info.data:
            return revive  # What is wrong there is told there.
        score: Spec = info.data["score"]
        if not revive and score.options.get("revive"):
            raise ValueError(
                "the score is told to revive, the pruning is not: set prune.revive, not prune.score.revive"
            )
        if revive and info.data["schedule"] == "one_shot":
            raise ValueError(f"in one_shot nothing can come back: choose prune.schedule among {_SEVERAL}")
        if revive and score.name in what.SCORES and not _has_revive(what.SCORES[score.name]):
            able = ", ".join(name for name, function in what.SCORES.items() if _has_revive(function))
            raise ValueError(f"score {score.name!r} cannot say what a dropped weight is worth; those that can: {able}")
        return revive


def find_mask(
    model: nn.Module, data: Dataset, settings: MaskSettings, *, pruning_seed: int = 0, score: ScoreFn | None = None
) -> Mask:
    """The mask that ``settings`` find in a dense ``model``, at initialisation or after training; it is left untouched.

    At each step the weights that are left are scored, with the others at zero, and the top is kept.
    Only training examples are looked at. Randomness follows from ``pruning_seed``. A step after the
    first that would drop nothing is left out: without ``revive`` it cannot change the mask.

    Args:
        score: a function of one's own, instead of the settings' score.

    Raises:
        PruningError: when there is nothing to prune, or the score cannot be computed.
        DataError: when a class has too few training examples.

    >>> from secateurs.zoo import build_model, digits
    >>> net = build_model(Spec("lenet_300_100", {"hidden": (16, 8)}), (1, 8, 8), 10, seed=0)
    >>> find_mask(net, digits(), MaskSettings(score="random", schedule="exponential", steps=4, density=0.25))
    Mask(density=0.25, kept=308, total=1232, layers=3)
    """
    generator = generator_for("pruning", pruning_seed)
    names = list(prunable(model, settings.exclude))
    examples = _DrawnOnce(data.train.balanced(settings.examples_per_class, generator))
    criterion = _criterion(settings, score)

    def scored(mask: Mask | None) -> Scores:
        return what.score(criterion, model, data.task, examples, names=names, mask=mask, generator=generator)

    return keep_in_steps(
        scored, settings.densities(), scope=settings.scope, revive=settings.revive, invert=settings.invert
    )


class _DrawnOnce:
    """Examples that are drawn when a score first asks for them, and are the same ever after.

    Not before: a score without data must neither fail for lack of them nor find its generator used.
    """

    def __init__(self, draw: Iterator[Batch]) -> None:
        self._draw = draw
        self._batches: list[Batch] = []

    def __iter__(self) -> Iterator[Batch]:
        self._batches.extend(self._draw)
        return iter(self._batches)


def _criterion(settings: MaskSettings, score: ScoreFn | None) -> Spec | ScoreFn:
    if not settings.revive:
        return score or settings.score
    if score is None:
        return Spec(settings.score.name, {**settings.score.options, "revive": True})
    if not _has_revive(score):
        raise PruningError("prune.revive: the score function has no argument revive: give it one, or leave revive out")
    return cast(ScoreFn, partial(cast(Any, score), revive=True))


def _has_revive(function: ScoreFn) -> bool:
    return "revive" in inspect.signature(function).parameters


def _own_way(info: ValidationInfo) -> tuple[Schedule, int]:
    """Schedule and steps of the score; of a score that could not be read, any will do."""
    score = info.data.get("score")
    return ITERATED.get(score.name, ("one_shot", 1)) if score is not None else ("one_shot", 1)
