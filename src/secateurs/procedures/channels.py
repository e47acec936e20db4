"""Which channels are kept: score the network that is left, drop the worst, and again, as a schedule says (P1, P3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import nn

from secateurs import what
from secateurs.core import Keep, PruningError, Spec, generator_for
from secateurs.how import (
    between,
    channel_groups,
    expanded,
    groups_left,
    in_units_of,
    keep_top_channels,
    limited,
    remove_channels,
)
from secateurs.procedures.masks import DrawnOnce
from secateurs.procedures.settings import Examined, InSteps, Score
from secateurs.what import ChannelScoreFn, channel_score
from secateurs.zoo import Dataset


class ChannelSettings(Examined, InSteps):
    """How channels to keep are found. Every field is resolved: dumps say what is done, and load again to the same.

    Attributes:
        density: share that is left of what is ``counted``, at most: the choice ends at or below it.
        scope: ``"global"`` ranks all units together, ``"layer"`` keeps the same share of each group.
        score: which channels matter, a name of :data:`~secateurs.what.CHANNEL_SCORES`.
        schedule: how the density falls from step to step; CroPit and EarlyCroP take ``"early_crop"``, EarlyCroP-S
            ``"one_shot"``. When it is left out it is the score's own.
        steps: how many, as in :class:`MaskSettings`.
        examples_per_class: training examples for scores that need data, drawn once, the same at every step.
        exclude: names of modules that make and read no channel that goes.
        counted: ``"weights"``: of the prunable weights (P1's weight sparsity); ``"channels"``: of the channels.
        minimum: channels that each layer keeps at least: a number, or a share of its own in (0, 1).
        multiple_of: the number of channels of each layer that is cut is a multiple of this.

    >>> ChannelSettings(score="crop_gate", schedule="early_crop", density=0.2, steps=1).densities()
    (0.5, 0.35, 0.2)
    """

    scope: Literal["global", "layer"] = "global"
    score: Score = Spec("filter_norm")
    counted: Literal["weights", "channels"] = "weights"
    minimum: int | float = Field(1, gt=0)
    multiple_of: int = Field(1, ge=1)

    @field_validator("minimum")
    @classmethod
    def _number_or_share(cls, minimum: float) -> float:
        if minimum > 1 and minimum != int(minimum):
            raise ValueError(
                f"expected a whole number of channels, or a share of each layer's in (0, 1), got {minimum}"
            )
        return int(minimum) if minimum >= 1 else minimum

    @field_validator("score")
    @classmethod
    def _score_takes_its_options(cls, score: Spec) -> Spec:
        if score.name in what.CHANNEL_SCORES:  # a function of one's own may go by any name
            try:
                what.check_channel_score(score, "")
            except PruningError as error:
                raise ValueError(str(error)) from error
        return score


def find_channels(
    model: nn.Module,
    data: Dataset,
    settings: ChannelSettings,
    *,
    pruning_seed: int = 0,
    score: ChannelScoreFn | None = None,
    densities: Sequence[float] | None = None,
    within: Keep | None = None,
    generator: torch.Generator | None = None,
) -> Keep:
    """The channels that ``settings`` keep of a dense ``model``; it is left untouched.

    At each step a copy without the channels that are gone is scored, and the worst of the rest are dropped, until
    what is left of the dense network is at or below the step's density. Nothing comes back. Only training examples are
    looked at. Randomness follows from ``pruning_seed``. A step that would drop nothing is left out.

    Args:
        score: a function of one's own, instead of the settings' score.
        densities: after each step, of the dense network, instead of those of the settings.
        within: what is left of the dense network in ``model``, to go on from it. It carries all groups of the dense
            network; densities count of that.
        generator: a CPU generator that the score draws from; examples are drawn by ``pruning_seed`` all the same.

    Returns:
        In units of the dense network, with all its groups.

    Raises:
        PruningError: when there is nothing to remove, a density cannot be reached, or the score cannot be computed.
        DataError: when a class has too few training examples.

    >>> from secateurs.zoo import build_model, digits
    >>> net = build_model(Spec("lenet_300_100", {"hidden": (16, 8)}), (1, 8, 8), 10, seed=0)
    >>> find_channels(net, digits(), ChannelSettings(density=0.25, counted="channels", scope="layer", steps=1))
    Keep(1: 4 of 16, 3: 2 of 8)
    """
    own = generator_for("pruning", pruning_seed)
    examples = DrawnOnce(data.train.balanced(settings.examples_per_class, own))
    generator = own if generator is None else generator
    dense = Keep(channel_groups(model, data.example), {}) if within is None else within
    keep = dense
    if settings.exclude:
        keep = limited(dense, channel_groups(model, data.example, exclude=settings.exclude))
    begun = keep
    for density in settings.densities() if densities is None else densities:
        choose = partial(
            keep_top_channels,
            keep.groups,
            density=density,
            counted=settings.counted,
            scope=settings.scope,
            minimum=settings.minimum,
            multiple_of=settings.multiple_of,
            within=keep,
        )
        if choose(scores={group.name: torch.zeros(group.units) for group in keep.groups}) == keep:
            continue  # whatever the scores
        small = model if keep is begun else remove_channels(model, between(begun, keep))
        groups = groups_left(keep.groups, keep)
        scores = channel_score(small, data.task, examples, groups, name=score or settings.score, generator=generator)
        keep = choose(scores=expanded(scores, keep))
    return in_units_of(dense.groups, keep) if settings.exclude else keep
