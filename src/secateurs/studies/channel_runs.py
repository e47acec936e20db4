"""The jobs of methods that remove channels: which are kept, and the network without the others, trained.

Finding is a job of its own, as it is for masks: where nothing is to be trained, it is all there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from secateurs.core import Keep, TrainState
from secateurs.how import channel_groups
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import channel_facts, find_channels, prune
from secateurs.studies.found_runs import found_at, trained_with
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.runs import MomentConfig, located
from secateurs.studies.schema import ChoiceRecipe
from secateurs.zoo import Dataset


class ChoiceConfig(MomentConfig):
    """What a choice of channels follows from, beside the dense run if it is made ``at`` a later moment than step 0."""

    channels: ChoiceRecipe


@job("channels_run", version=1)
def channels_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Find channels to keep in the dense run's weights of a moment, or in the initial ones; nothing is trained.

    Tensors: ``channels``, bools by the name of the dense network's group. The summary has their facts, and how long
    scoring took. Where the dense run diverged before, there are none, and the summary says so.
    """
    c = ChoiceConfig.model_validate(located(config, ctx.where))

    def find(state: TrainState, data: Dataset) -> Keep:
        return find_channels(state.model, data, c.channels, pruning_seed=c.seeds.pruning)

    return found_at(c, inputs, ctx, "channels", find, lambda keep, model: (dict(keep), channel_facts(keep, model)))


@job("cut_run", version=1)
def cut_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Remove the channels that are not kept from the network of a moment, optimiser and all, and train what is left.

    Metrics and summary are those of a pruned run. Where the dense run diverged before the channels could
    be found or removed, nothing is trained, and the summary says only that.
    """
    return trained_with(config, inputs, ctx, "channels", _cut)


def _cut(state: TrainState, data: Dataset, c: PrunedConfig, tensors: Mapping[str, Tensor]) -> TrainState:
    keep = Keep(channel_groups(state.model, data.example), tensors)
    return prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning, channels=keep)
