"""The jobs of lottery tickets: the state at k, a level's mask, and a subnetwork that is trained."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from secateurs.core import Moment, TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.measure import l2_distance
from secateurs.procedures import copy_of, mask_facts, shuffled, sound
from secateurs.procedures.instability import After
from secateurs.procedures.tickets import redrawn, replayed, rewound
from secateurs.studies.ended import end_of, mask_within, placed
from secateurs.studies.runs import (
    MomentConfig,
    RunConfig,
    arrived,
    final_numbers,
    load_data,
    located,
    nearest_checkpoint,
    to_the_end,
)
from secateurs.studies.schema import MaskRecipe
from secateurs.train import pack, train, unpack
from secateurs.zoo import Dataset

_KEPT = ("model", "mask")  # whoever goes on from the end of a subnetwork takes a fresh optimiser


@job("state_at", version=1)
def state_at(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """The dense run's state W_k with its optimiser, so that nobody else trains the way to k again.

    Tensors: ``state``. The summary has what unpacks them (``state``), the accuracies and losses of W_k, and its L2
    distance from the initial weights. Where the dense run diverged before k, it says only that.
    """
    c = MomentConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    untrained = c.untrained(data, ctx.device)
    at = Moment.parse(c.at, untrained.moment.steps_per_epoch)
    state = c.restored(data, ctx) or untrained.fork()
    if at.steps:
        if ctx.restored is None:
            state = nearest_checkpoint(inputs["dense"], at, state)
        while state.moment < at and state.diverged is None:
            until = min(at, Moment.parse(state.moment.epoch + 1, at.steps_per_epoch))
            state = train(state, data, c.train, until=until, order_seed=c.seeds.order)
            ctx.progress(epoch=state.moment.epochs, epochs=at.epochs)
            ctx.pause_point(partial(pack, state))
        state = arrived(state, inputs["dense"], at)
    if state.diverged is not None:
        return {"diverged": str(state.diverged)}
    tensors, meta = pack(state)
    ctx.save(tensors, name="state")
    far = l2_distance(untrained.model, untrained, state)
    return {"state": meta, **final_numbers(state, data), "l2_from_initialisation": far}


class LevelMaskConfig(RunConfig):
    """What a level's mask follows from, beside the run at whose end it is found, if it is found at one."""

    mask: MaskRecipe


@job("ticket_mask", version=1)
def ticket_mask(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Find a level's mask at the end of ``earlier``, within its mask; or without such a run, in the untrained network.

    Tensors: ``mask``. The summary has the mask's facts, and how long scoring took. Where the run before diverged,
    it says only that; so does it where that run's very last step broke the network, with no loss left to show it.
    """
    c = LevelMaskConfig.model_validate(located(config, ctx.where))
    if gone := diverged_before(inputs.values()):
        return gone
    data = load_data(c.data, str(ctx.device))
    begun = time.perf_counter()
    state = c.untrained(data, ctx.device)
    if "earlier" in inputs:
        state = placed(end_of(inputs["earlier"]), state, data)
        if not sound(state.model):
            return {"diverged": str(Moment.parse(c.train.epochs, state.moment.steps_per_epoch))}
    mask = mask_within(state, data, c.mask, c.seeds.pruning)
    seconds = time.perf_counter() - begun
    ctx.save(mask.to_tensors(), name="mask")
    return {"diverged": None, **mask_facts(mask, state.model), "seconds/scoring": seconds}


def diverged_before(inputs: Iterable[Entry]) -> dict[str, Any]:
    """All that a summary can say where something that was needed diverged; else empty."""
    told = (each.summary["diverged"] for each in inputs)
    return next(({"diverged": moment} for moment in told if moment is not None), {})


class TicketConfig(RunConfig):
    """What the training of a subnetwork follows from, beside the state, the mask and the run that it starts from.

    Attributes:
        weights: those of the state at k, others that are drawn anew, or those that the run ``earlier`` ended with.
        shuffled: the mask is shuffled within its layers first.
        after: what is left of the run from k on is trained, or all of it from step 0 on.
        numbers_only: of the network that it ends with nothing is kept; only a config that says so has it.
    """

    only_where_said: ClassVar[frozenset[str]] = RunConfig.only_where_said | {"numbers_only"}

    weights: Literal["rewound", "redrawn", "trained"] = "rewound"
    shuffled: bool = False
    after: After = "continue"
    numbers_only: bool = False

    def begun(self, data: Dataset, inputs: Mapping[str, Entry], ctx: Context) -> TrainState:
        """The network as its training begins; a dense one, where there is no mask, with the optimiser of k."""
        blank = self.untrained(data, ctx.device)
        mask = Mask.from_tensors(inputs["mask"].tensors("mask")) if "mask" in inputs else None
        if mask is not None and self.shuffled:
            mask = shuffled(mask, self.seeds.pruning)
        if mask is not None and self.weights == "trained":
            return replayed(placed(end_of(inputs["earlier"]), blank, data), mask, self.train)
        start = inputs["start"]
        state = unpack(start.tensors("state"), start.summary["state"], blank)
        if mask is not None:
            state = (
                redrawn(state, mask, data, self.train, self.model, self.seeds.pruning)
                if self.weights == "redrawn"
                else rewound(state, mask, self.train)
            )
        return copy_of(state, self.train, self.after)


@job("ticket_run", version=1)
def ticket_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train a subnetwork to the end, or without a mask a copy of the dense network at k.

    Metrics and summary are those of a pruned run; tensors: ``final``, network and mask, unless only numbers are asked
    for. Where the dense run or a
    level before diverged, nothing is trained, and the summary says only that.
    """
    c = TicketConfig.model_validate(located(config, ctx.where))
    if gone := diverged_before(inputs.values()):
        return gone
    data = load_data(c.data, str(ctx.device))
    state = c.restored(data, ctx) or c.begun(data, inputs, ctx)
    return to_the_end(state, data, c, ctx, kept=() if c.numbers_only else _KEPT)
