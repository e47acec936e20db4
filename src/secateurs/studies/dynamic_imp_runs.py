"""The jobs of one-shot dynamic IMP: the phases of training, densely and sparsely, and the masks between them.

The first phase is trained densely by the dense run itself, whose mask is a mask run's. Variants share what they have
in common: the first phase, and the dense training of the others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from secateurs.core import Moment, TrainState, under
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import all_grown, judged, laid_on, mask_facts, phase_mask
from secateurs.studies.counted import counted
from secateurs.studies.runs import RunConfig, load_data, located, one_epoch, to_the_end
from secateurs.studies.schema import DynamicImpRecipe
from secateurs.train import pack, unpack

_STATE = "end"
"""The tensors of a phase's last state."""


class PhaseConfig(RunConfig):
    """A phase is trained from one moment to another; whether sparsely, its inputs say.

    Attributes:
        again: what is grown is drawn once more, as it is for a sparse phase whose dense one had another draw.
    """

    at: str
    until: str
    again: bool = False


class PhaseMaskConfig(RunConfig):
    """How the mask of a later phase comes about."""

    dynamic: DynamicImpRecipe


@job("dynamic_phase", version=1)
def dynamic_phase(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train one phase: from the initial weights or the end of ``earlier``, all grown; under ``mask``, if there is one.

    Metrics are those of a pruned run, and so is the summary of a phase that ends with the run, with the share of the
    mask that was in the one before (``overlap``). Other phases keep their last state as tensors ``end``, and their
    summary has the rest of it, and what can be counted of the network. Where a phase before diverged, nothing is
    trained, and the summary says only that.
    """
    c = PhaseConfig.model_validate(located(config, ctx.where))
    for name in ("earlier", "mask"):
        if name in inputs and inputs[name].summary["diverged"] is not None:
            return {"diverged": inputs[name].summary["diverged"]}
    data = load_data(c.data, str(ctx.device))
    state = c.restored(data, ctx)
    if state is None:
        state = c.untrained(data, ctx.device)
        if "earlier" in inputs:
            state = all_grown(_ended(inputs["earlier"], state), data, c.train, c.model, c.seeds.pruning, again=c.again)
        if "mask" in inputs:
            state = laid_on(state, Mask.from_tensors(inputs["mask"].tensors("mask")))
    until = Moment.parse(c.until, state.moment.steps_per_epoch)
    if state.mask is not None and until.epochs == c.train.epochs:
        overlap = inputs["mask"].summary.get("overlap")
        return to_the_end(state, data, c, ctx) | {"overlap": overlap}
    while state.moment < until and state.diverged is None:
        state = one_epoch(state, data, c, ctx, until=until)
        ctx.pause_point(partial(pack, state))
    state = judged(state)
    tensors, meta = pack(state)
    ctx.save(tensors, name=_STATE)
    diverged = None if state.diverged is None else str(state.diverged)
    return {"diverged": diverged, "state": meta, "costs": counted(state, data, c.model)}


@job("phase_mask", version=1)
def phase_mask_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Find the mask of a phase in the end of its ``dense`` training; ``earlier`` is the sparse phase before.

    Tensors: ``mask``. The summary is that of a mask run, with ``overlap``, the share of the mask that was in the one
    before. Where a phase diverged, there is no mask, and the summary says so.
    """
    c = PhaseMaskConfig.model_validate(located(config, ctx.where))
    for name in ("earlier", "dense"):
        if inputs[name].summary["diverged"] is not None:
            return {"diverged": inputs[name].summary["diverged"]}
    data = load_data(c.data, str(ctx.device))
    before = _ended(inputs["earlier"], c.untrained(data, ctx.device))
    dense = c.untrained(data, ctx.device).model
    dense.load_state_dict(under("model", inputs["dense"].tensors(_STATE)))
    begun = time.perf_counter()
    mask = phase_mask(dense, before, data, c.dynamic, c.train, c.seeds)
    if mask is None:
        return {"diverged": str(before.moment)}
    seconds = time.perf_counter() - begun
    ctx.save(mask.to_tensors(), name="mask")
    overlap = (mask & Mask(before.mask or {})).kept / mask.kept
    return {"diverged": None, **mask_facts(mask, dense), "overlap": overlap, "seconds/scoring": seconds}


def _ended(phase: Entry, blank: TrainState) -> TrainState:
    """The state that a phase ended with."""
    return unpack(phase.tensors(_STATE), phase.summary["state"], blank)


__all__ = ["PhaseConfig", "PhaseMaskConfig", "dynamic_phase", "phase_mask_run"]
