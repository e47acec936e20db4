"""What settings of pruning share, whether masks or channels: how the density falls, what is looked at, what follows."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, cast, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from secateurs.core import PruningError, SecateursError, Spec
from secateurs.how import DENSITIES
from secateurs.train import Settings

Schedule = Literal["one_shot", "linear", "exponential", "early_crop", "cubic", "harmonic", "rounds"]

Score = Annotated[Spec, BeforeValidator(lambda name: Spec(name) if isinstance(name, str) else name)]

ITERATED: dict[str, tuple[Schedule, int]] = {"synflow": ("exponential", 100)}
"""How a score is iterated when nobody says it; a score that is not here is taken once."""

_STEPS: dict[Schedule, int] = {
    "one_shot": 1,
    "linear": 100,
    "exponential": 100,
    "early_crop": 5,
    "cubic": 100,
    "harmonic": 100,
    "rounds": 5,
}
SEVERAL = ", ".join(name for name in get_args(Schedule) if name != "one_shot")
_ITS_OWN: Any = None  # A validator puts in what follows from the score.


class InSteps(Settings):
    """How far is pruned, by what, and in how many steps. Every field is resolved: dumps say what is done."""

    refusal: ClassVar[type[SecateursError]] = PruningError

    density: float = Field(0.1, gt=0, le=1)
    scope: str = "global"
    score: Score = Spec("magnitude")
    schedule: Schedule = Field(_ITS_OWN, validate_default=True)
    steps: int = Field(_ITS_OWN, gt=0, validate_default=True)

    def densities(self) -> tuple[float, ...]:
        """The density after each step, of the original total; the last is ``density``."""
        own = DENSITIES[self.schedule]
        return own(self.density) if self.schedule == "one_shot" else own(self.density, self.steps)

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
            raise ValueError(f"schedule one_shot has 1 step, got {steps}: choose prune.schedule among {SEVERAL}")
        return steps


class Examined(Settings):
    """What is looked at, and what is left alone."""

    examples_per_class: int = Field(10, gt=0)
    exclude: tuple[str, ...] = ()


class Afterwards(Settings):
    """What happens once the network is pruned.

    Attributes:
        after: ``"continue"`` trains what is left of the budget (P0); ``"replay"`` trains all of it again,
            the whole schedule with its warm-up from step 0 (P2 section 5.2, "re-training").
        min_lr: P0's Lambda, for ``"continue"``.
        fresh_optimizer: drop momentum instead of carrying it over.
    """

    after: Literal["continue", "replay"] = "continue"
    min_lr: float = Field(0.001, ge=0)
    fresh_optimizer: bool = False


def _own_way(info: ValidationInfo) -> tuple[Schedule, int]:
    """Schedule and steps of the score; of a score that could not be read, any will do."""
    score = info.data.get("score")
    return ITERATED.get(score.name, ("one_shot", 1)) if score is not None else ("one_shot", 1)
