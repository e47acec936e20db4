"""The job of pruning in rounds: train a little, prune one step of the schedule, and again (P3 section 4)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from secateurs.core import Moment, TrainingError
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import prune_step
from secateurs.studies.counted import left
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.runs import dense_state, load_data, located, one_epoch, to_the_end
from secateurs.studies.schema import ChannelRecipe, PruneRecipe
from secateurs.train import pack


class RoundsConfig(PrunedConfig):
    """What rounds follow from that begin ``at`` a moment, beside the dense run: there are ``every`` so many steps."""

    every: str


def moments_of_rounds(
    at: Moment, every: str | int, settings: PruneRecipe | ChannelRecipe, epochs: int, where: str
) -> tuple[Moment, ...]:
    """When each step of the settings' schedule prunes: first after ``at`` + ``every``.

    Raises:
        TrainingError: when the last one lies outside the run of so many epochs, with ``where`` the recipe says it.

    >>> [str(m) for m in moments_of_rounds(Moment(0, 10), "5it", PruneRecipe(schedule="rounds", steps=3), 2, "every")]
    ['0ep5it', '1ep', '1ep5it']
    """
    steps, rounds = Moment.parse(every, at.steps_per_epoch).steps, len(settings.densities())
    last = at + rounds * steps
    if last.steps > epochs * at.steps_per_epoch:
        raise TrainingError(
            f"{where}: {rounds} rounds of {every} from {at} on end at {last}, outside the run of {epochs} epochs: "
            "prune in fewer steps, or train less between them"
        )
    return tuple(at + number * steps for number in range(1, rounds + 1))


@job("rounds_run", version=2)
def rounds_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Go on from the dense run at the first round's moment: prune, train to the next, and so on; then to the end.

    Nothing comes back. The learning rate goes on from max(Lambda, LR(t)) at the first round, as after any
    pruning, and runs on through the others. Metrics and summary are those of a pruned run, with a row for each
    round that says what is left; ``rounds`` are the moments and the densities that were asked for. A run that
    diverges is pruned no further.
    """
    c = RoundsConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    blank = c.untrained(data, ctx.device)
    at = Moment.parse(c.at, blank.moment.steps_per_epoch)
    moments = moments_of_rounds(at, c.every, c.prune, c.train.epochs, "every")
    state, scoring = c.restored(data, ctx), 0.0
    if state is None:
        state = dense_state(inputs["dense"], moments[0], blank, data, c)
        if state.diverged is not None:
            return {"diverged": str(state.diverged)}
    asked = dict(zip(moments, c.prune.densities(), strict=True))
    for moment in moments:
        if moment < state.moment:
            continue  # pruned in an earlier sitting: a run pauses when it has trained, and then prunes
        while state.moment < moment and state.diverged is None:
            state, scoring = one_epoch(state, data, c, ctx, scoring=scoring, until=moment), 0.0
            ctx.pause_point(partial(pack, state))
        if state.diverged is None:
            begun = time.perf_counter()
            seed = c.seeds.pruning
            state = prune_step(state, data, c.prune, c.train, density=asked[moment], pruning_seed=seed)
            scoring = time.perf_counter() - begun
            ctx.log(left(state, data, c.model))
    told = {"rounds": [[str(moment), density] for moment, density in asked.items()]}
    return to_the_end(state, data, c, ctx, scoring=scoring) | told
