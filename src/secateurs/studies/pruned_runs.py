"""The pruned run of P0's study: it starts from the dense run, is pruned at its moment, and trained to the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from secateurs.jobs import Context, Entry, job
from secateurs.procedures import prune
from secateurs.studies.runs import MomentConfig, load_data, located, to_the_end
from secateurs.studies.schema import PrunePart


class PrunedConfig(MomentConfig):
    """What a run follows from that is pruned ``at`` a moment, beside the dense run and the mask or channels it gets."""

    prune: PrunePart


@job("pruned_run", version=1)
def pruned_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Start from the dense run's nearest checkpoint, go on densely to the moment, prune, train to the end.

    Where the moment is no checkpoint, the dense epochs between are trained again, to the same bits.
    """
    c = PrunedConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state, scoring = c.restored(data, ctx), 0.0
    if state is None:
        state = c.begun(data, inputs, ctx)
        if state.diverged is None:
            begun = time.perf_counter()
            state = prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning, model=c.model)
            scoring = time.perf_counter() - begun
    return to_the_end(state, data, c, ctx, scoring=scoring)
