"""The two ways to prune, as recipes say them: a mask over the weights, or channels that are removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from secateurs.core import Spec, version_of
from secateurs.procedures import ChannelSettings, MaskSettings, PruneChannelSettings, PruneSettings
from secateurs.studies.parts import Options, Part, parameters_of
from secateurs.what import CHANNEL_SCORES, SCORES, check_channel_score
from secateurs.what.channels import Reduced
from secateurs.when import SIGNALS

_GIVEN = ("model", "task", "batches", "groups", "names", "mask", "generator", "revive")  # prune.revive says the last
MASKS, CHANNELS = "masks", "channels"


def _options(function: Callable[..., Any]) -> Options:
    """Of a channel score; a weight score that is reduced to channels has its own options beside those of reducing."""
    found = parameters_of(function)
    if isinstance(function, Reduced):
        found["absolute"] = (found["absolute"][0], function.absolute)
        found = {**parameters_of(SCORES[function.name]), **found}
    return found


def _check(spec: Spec) -> None:
    check_channel_score(spec, "")


ScorePart = Annotated[Spec, Part(SCORES, given=_GIVEN)]
ChannelScorePart = Annotated[Spec, Part(CHANNEL_SCORES, given=_GIVEN, build=_check, options=_options)]


class MaskRecipe(MaskSettings):
    """How a mask is found, with a score that is checked against the table of scores."""

    score: ScorePart = Field(Spec("magnitude"), validate_default=True)


class PruneRecipe(PruneSettings):
    """How a mask is found and what then happens, with a score that is checked against the table of scores.

    A recipe may say ``how: masks``; what is written down does not, so that jobs of masks keep their keys.
    """

    tag: ClassVar[str] = MASKS
    score: ScorePart = Field(Spec("magnitude"), validate_default=True)

    @property
    def mask(self) -> MaskRecipe:
        """What the mask follows from, without what then happens."""
        return MaskRecipe.model_validate({name: getattr(self, name) for name in MaskRecipe.model_fields})

    @model_validator(mode="before")
    @classmethod
    def _how_is_understood(cls, said: Any) -> Any:
        if isinstance(said, Mapping) and said.get("how") == MASKS:
            return {name: value for name, value in said.items() if name != "how"}
        return said


class ChoiceRecipe(ChannelSettings):
    """How channels are chosen, with a score that is checked against the table of channel scores."""

    score: ChannelScorePart = Field(Spec("filter_norm"), validate_default=True)


class ChannelRecipe(PruneChannelSettings):
    """How channels are chosen and what then happens, with a score that is checked against the table of channel scores.

    Attributes:
        how: stands in everything that is written down: other jobs than those of masks.
    """

    tag: ClassVar[str] = CHANNELS
    how: Literal["channels"] = "channels"
    score: ChannelScorePart = Field(Spec("filter_norm"), validate_default=True)

    @property
    def choice(self) -> ChoiceRecipe:
        """What the channels follow from, without what then happens."""
        return ChoiceRecipe.model_validate({name: getattr(self, name) for name in ChoiceRecipe.model_fields})


def way(said: Any) -> str:
    """The way to prune that is said: ``"masks"`` unless it is another.

    >>> way({"density": 0.1}), way({"how": "channels"}), way(PruneRecipe())
    ('masks', 'channels', 'masks')
    """
    return str(said.get("how", MASKS)) if isinstance(said, Mapping) else str(getattr(said, "tag", MASKS))


PrunePart = Annotated[Annotated[PruneRecipe, Tag(MASKS)] | Annotated[ChannelRecipe, Tag(CHANNELS)], Discriminator(way)]
"""Either way, as ``how`` says."""


def score_parts(pruning: MaskSettings | ChannelSettings) -> dict[str, int]:
    """The version of the score that a job prunes by, for its key.

    >>> score_parts(PruneRecipe()), score_parts(ChannelRecipe())
    ({'score/magnitude': 1}, {'channel_score/filter_norm': 1})
    """
    name = pruning.score.name
    if isinstance(pruning, ChannelSettings):
        return {f"channel_score/{name}": _version_of_channel_score(name)}
    return {f"score/{name}": version_of(SCORES[name])}


def _version_of_channel_score(name: str) -> int:
    """Where a weight score is reduced to channels, it rises with either."""
    score = CHANNEL_SCORES[name]
    return version_of(score) + (version_of(SCORES[score.name]) - 1 if isinstance(score, Reduced) else 0)


def signal_parts(signals: Iterable[Spec]) -> dict[str, int]:
    """The versions of signals that a job watches, and of the scores among their options, for its key.

    >>> signal_parts([Spec("loss"), Spec("mask_distance", {"score": Spec("snip")})])
    {'signal/loss': 1, 'signal/mask_distance': 1, 'score/snip': 1}
    """
    listed = tuple(signals)
    scores = [option for spec in listed for option in spec.options.values() if isinstance(option, Spec)]
    parts = {f"signal/{spec.name}": version_of(SIGNALS[spec.name]) for spec in listed}
    return parts | {f"score/{spec.name}": version_of(SCORES[spec.name]) for spec in scores}
