"""The job of dynamic sparsity: a network that is sparse throughout, its mask moved on the way (RigL, SET)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from secateurs.core import Moment, TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import Regrown, regrow, sparse_from_the_start
from secateurs.studies.counted import left
from secateurs.studies.runs import RunConfig, load_data, located, one_epoch, to_the_end
from secateurs.studies.schema import RegrowthRecipe
from secateurs.train import pack
from secateurs.zoo import Dataset


class RegrowthConfig(RunConfig):
    """Everything that such a run follows from: no other run is needed for it."""

    regrowth: RegrowthRecipe

    def begun(self, data: Dataset, ctx: Context) -> TrainState:
        """The untrained network under its first mask."""
        return sparse_from_the_start(
            self.untrained(data, ctx.device), data, self.regrowth, pruning_seed=self.seeds.pruning
        )


@job("dynamic_run", version=1)
def dynamic_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Begin under a random mask, train, move the mask every so many steps, and train to the end when it stays.

    Metrics and summary are those of a pruned run, with a row for each update of the mask: the share of each layer's
    weights that was dropped and grown, how many were not there before, and the normalised Hamming distances to the
    mask before and to the first one. The summary has how often the mask moved, as far as the run came, and its
    distance to the first.
    """
    del inputs
    c = RegrowthConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state, scoring = c.restored(data, ctx), 0.0
    first = _mask(c.begun(data, ctx))
    if state is None:
        state = c.begun(data, ctx)
        ctx.log(left(state, data, c.model))
    updates = c.regrowth.updates(c.train.epochs, state.moment.steps_per_epoch)
    for moment, fraction in updates.items():
        if moment < state.moment:
            continue  # done in an earlier sitting: a run pauses when it has trained, and then moves the mask
        while state.moment < moment and state.diverged is None:
            state, scoring = one_epoch(state, data, _looking(c, state, moment), ctx, scoring=scoring, until=moment), 0.0
            ctx.pause_point(partial(pack, state))
        if state.diverged is None:
            begun = time.perf_counter()
            seeds = {"order_seed": c.seeds.order, "pruning_seed": c.seeds.pruning}
            state, done = regrow(state, data, c.regrowth, c.train, fraction, **seeds)
            scoring = time.perf_counter() - begun
            if state.diverged is None:
                ctx.log(_told(done, first))
    moved = sum(state.diverged is None or moment < state.diverged for moment in updates)
    told = {"updates": moved, "distance_to_first": first.distance(_mask(state))}
    return to_the_end(state, data, c, ctx, scoring=scoring) | told


def _mask(state: TrainState) -> Mask:
    return Mask(state.mask or {})


def _looking(c: RegrowthConfig, state: TrainState, until: Moment) -> RegrowthConfig:
    """The config of a part of an epoch: accuracies along the way are looked at where epochs end, and nowhere else."""
    whole = until.steps >= (state.moment.epoch + 1) * until.steps_per_epoch
    return c if whole else c.model_copy(update={"curves": False})


def _told(done: Regrown, first: Mask) -> dict[str, Any]:
    """An update of the mask as a row of metrics."""
    return {
        "moment": str(done.moment),
        "drop_fraction": done.fraction,
        "grown": done.grown,
        "distance_to_last": done.after.distance(done.before),
        "distance_to_first": done.after.distance(first),
    }
