"""The jobs of the study of methods: a mask that is found, maybe shuffled, and a masked network that is trained.

Finding is a job of its own, so that a method, its shuffle and its re-initialisation share the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from secateurs.core import TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import find_mask, mask_facts, prune, shuffled
from secateurs.studies.found_runs import found_at, trained_with
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.runs import MomentConfig, load_data, located
from secateurs.studies.schema import MaskRecipe
from secateurs.zoo import Dataset


class MaskConfig(MomentConfig):
    """Everything that a mask follows from, beside the dense run if it is found ``at`` a later moment than step 0."""

    mask: MaskRecipe


@job("mask_run", version=1)
def mask_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Find a mask in the dense run's weights of a moment, or in the initial ones; nothing is trained with it.

    Tensors: ``mask``. The summary has the mask's facts, and how long scoring took.
    Where the dense run diverged before, there is no mask, and the summary says so.
    """
    c = MaskConfig.model_validate(located(config, ctx.where))

    def find(state: TrainState, data: Dataset) -> Mask:
        return find_mask(state.model, data, c.mask, pruning_seed=c.seeds.pruning)

    return found_at(c, inputs, ctx, "mask", find, lambda mask, model: (mask.to_tensors(), mask_facts(mask, model)))


@job("shuffled_mask", version=1)
def shuffled_mask(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Shuffle a mask within its layers, where masks are all that is asked for; a masked run does it by itself.

    Tensors and summary are those of a mask run. Where there is no mask, the summary says why.
    """
    c = PrunedConfig.model_validate(located(config, ctx.where))
    found = inputs["mask"]
    if found.summary["diverged"] is not None:
        return {"diverged": found.summary["diverged"]}
    mask = shuffled(Mask.from_tensors(found.tensors("mask")), c.seeds.pruning)
    data = load_data(c.data)
    model = c.untrained(data).model
    ctx.save(mask.to_tensors(), name="mask")
    return {"diverged": None, **mask_facts(mask, model)}


@job("masked_run", version=1)
def masked_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Lay a mask on the weights of a moment, and train what is left.

    Metrics and summary are those of a pruned run. Where the dense run diverged before the mask could
    be found or laid on, nothing is trained, and the summary says only that.
    """
    return trained_with(config, inputs, ctx, "mask", _masked)


def _masked(state: TrainState, data: Dataset, c: PrunedConfig, tensors: Mapping[str, Tensor]) -> TrainState:
    mask = Mask.from_tensors(tensors)
    return prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning, mask=mask, model=c.model)
