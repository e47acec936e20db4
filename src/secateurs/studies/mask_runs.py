"""The jobs of the study of methods: a mask that is found, maybe shuffled, and a masked network that is trained.

Finding is a job of its own, so that a method, its shuffle and its re-initialisation share the mask.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from secateurs.core import Moment, TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import find_mask, mask_facts, prune, shuffled
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.runs import RunConfig, dense_state, load_data, located, to_the_end
from secateurs.studies.schema import MaskRecipe
from secateurs.train import unpack
from secateurs.zoo import Dataset


class MaskConfig(RunConfig):
    """Everything that a mask follows from, beside the dense run if it is found ``at`` a later moment than step 0."""

    mask: MaskRecipe
    at: str


@job("mask_run", version=1)
def mask_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Find a mask in the dense run's weights of a moment, or in the initial ones; nothing is trained with it.

    Tensors: ``mask``. The summary has the mask's facts, and how long scoring took.
    Where the dense run diverged before, there is no mask, and the summary says so.
    """
    c = MaskConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state = _state_at(c, data, inputs, ctx)
    if state.diverged is not None:
        return {"diverged": str(state.diverged)}
    begun = time.perf_counter()
    mask = find_mask(state.model, data, c.mask, pruning_seed=c.seeds.pruning)
    seconds = time.perf_counter() - begun
    ctx.save(mask.to_tensors(), name="mask")
    return {"diverged": None, **mask_facts(mask, state.model), "seconds/scoring": seconds}


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
    c = PrunedConfig.model_validate(located(config, ctx.where))
    found = inputs["mask"]
    if found.summary["diverged"] is not None:
        return {"diverged": found.summary["diverged"]}
    data = load_data(c.data, str(ctx.device))
    if ctx.restored is None:
        state = _state_at(c, data, inputs, ctx)
        if state.diverged is not None:
            return {"diverged": str(state.diverged)}
        mask = Mask.from_tensors(found.tensors("mask"))
        state = prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning, mask=mask, model=c.model)
    else:
        state = unpack(*ctx.restored, c.untrained(data, ctx.device))
    return to_the_end(state, data, c, ctx)


def _state_at(c: MaskConfig | PrunedConfig, data: Dataset, inputs: Mapping[str, Entry], ctx: Context) -> TrainState:
    """The dense run's state at the config's moment; at step 0 no run is needed for that."""
    state = c.untrained(data, ctx.device)
    at = Moment.parse(c.at, state.moment.steps_per_epoch)
    return dense_state(inputs["dense"], at, state, data, c) if at.steps else state
