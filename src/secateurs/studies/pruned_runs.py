"""The pruned run of P0's study: it starts from the dense run, is pruned at its moment, and trained to the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateurs.core import Moment
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import prune
from secateurs.studies.runs import RunConfig, dense_state, load_data, located, to_the_end
from secateurs.studies.schema import PruneRecipe
from secateurs.train import unpack


class PrunedConfig(RunConfig):
    """Everything that a run follows from which is pruned ``at`` a moment, beside the dense run and the mask it gets."""

    prune: PruneRecipe
    at: str


@job("pruned_run", version=1)
def pruned_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Start from the dense run's nearest checkpoint, go on densely to the moment, prune, train to the end.

    Where the moment is no checkpoint, the dense epochs between are trained again, to the same bits.
    """
    c = PrunedConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state = c.untrained(data, ctx.device)
    if ctx.restored is None:
        at = Moment.parse(c.at, state.moment.steps_per_epoch)
        state = dense_state(inputs["dense"], at, state, data, c)
        if state.diverged is None:
            state = prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning, model=c.model)
    else:
        state = unpack(*ctx.restored, state)
    return to_the_end(state, data, c, ctx)
