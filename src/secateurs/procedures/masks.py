"""How a mask is found: score, keep the top, and again, as often as a density schedule says (P2 sections 5.2, 5.8.1)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal, cast

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from secateurs import what
from secateurs.core import Batch, PruningError, ScoreFn, Scores, Spec, generator_for, prunable
from secateurs.how import Mask, keep_in_steps
from secateurs.procedures.settings import SEVERAL, Examined, InSteps, Score
from secateurs.zoo import Dataset


class _OfWeights(InSteps):
    """The part of the settings that is of weights alone; it stands before what is looked at in every dump."""

    scope: Literal["global", "layer", "erk"] = "global"
    score: Score = Spec("magnitude")
    revive: bool = Field(False, validate_default=True)
    invert: bool = False

    @field_validator("score")
    @classmethod
    def _score_takes_its_options(cls, score: Spec) -> Spec:
        if score.name in what.SCORES:  # a function of one's own may go by any name
            try:
                what.check_score(score, "")
            except PruningError as error:
                raise ValueError(str(error)) from error
        return score

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
            raise ValueError(f"in one_shot nothing can come back: choose prune.schedule among {SEVERAL}")
        if revive and score.name in what.SCORES and not _has_revive(what.SCORES[score.name]):
            able = ", ".join(name for name, function in what.SCORES.items() if _has_revive(function))
            raise ValueError(f"score {score.name!r} cannot say what a dropped weight is worth; those that can: {able}")
        return revive


class MaskSettings(Examined, _OfWeights):
    """How a mask is found. Every field is resolved: dumps say what is done, and load again to the same.

    Attributes:
        density: kept / total over prunable weights.
        scope: where weights compete, as :func:`~secateurs.how.keep_top` has it.
        score: which weights matter.
        schedule: how the density falls from step to step, by its name in ``how``. When it is left out
            it is the score's own: SynFlow takes exponential steps, the others are taken once.
        steps: how many; ``n`` of the schedule (EarlyCroP's ``n`` makes n + 2 steps). 1 for one_shot, 5 for
            early_crop and rounds, else 100 when it is left out.
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


def find_mask(
    model: nn.Module,
    data: Dataset,
    settings: MaskSettings,
    *,
    pruning_seed: int = 0,
    score: ScoreFn | None = None,
    densities: Sequence[float] | None = None,
    within: Mask | None = None,
    generator: torch.Generator | None = None,
) -> Mask:
    """The mask that ``settings`` find in a dense ``model``, at initialisation or after training; it is left untouched.

    At each step the weights that are left are scored, with the others at zero, and the top is kept.
    Only training examples are looked at. Randomness follows from ``pruning_seed``. A step after the
    first that would drop nothing is left out: without ``revive`` it cannot change the mask.

    Args:
        score: a function of one's own, instead of the settings' score.
        densities: after each step, instead of those of the settings.
        within: a mask to go on from: what it dropped is scored at zero and, without ``revive``, stays out.
        generator: a CPU generator that the score draws from; examples are drawn by ``pruning_seed`` all the same.

    Raises:
        PruningError: when there is nothing to prune, or the score cannot be computed.
        DataError: when a class has too few training examples.

    >>> from secateurs.zoo import build_model, digits
    >>> net = build_model(Spec("lenet_300_100", {"hidden": (16, 8)}), (1, 8, 8), 10, seed=0)
    >>> find_mask(net, digits(), MaskSettings(score="random", schedule="exponential", steps=4, density=0.25))
    Mask(density=0.25, kept=308, total=1232, layers=3)
    """
    own = generator_for("pruning", pruning_seed)
    generator = own if generator is None else generator
    names = list(prunable(model, settings.exclude))
    examples = DrawnOnce(data.train.balanced(settings.examples_per_class, own))
    criterion = _criterion(settings, score)

    def scored(mask: Mask | None) -> Scores:
        return what.score(criterion, model, data.task, examples, names=names, mask=mask, generator=generator)

    steps = settings.densities() if densities is None else densities
    return keep_in_steps(
        scored, steps, scope=settings.scope, revive=settings.revive, invert=settings.invert, within=within
    )


class DrawnOnce:
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
