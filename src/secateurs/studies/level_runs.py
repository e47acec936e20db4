"""The job of retraining level by level: a mask from the end of the level before, on weights from early in training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import prune
from secateurs.studies.ended import mask_within, placed
from secateurs.studies.runs import MomentConfig, load_data, located, to_the_end
from secateurs.studies.schema import PruneRecipe
from secateurs.zoo import Dataset


class LevelConfig(MomentConfig):
    """What a level follows from, beside the level before it and the dense run whose weights ``at`` a moment it takes.

    Attributes:
        prune: with the level's own density.
        ended: the checkpoint that the run before ended with, if that is the dense run; None after the first level.
    """

    prune: PruneRecipe
    ended: str | None


@job("level_run", version=1)
def level_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """One level of lottery ticket rewinding: find the mask at the end of ``earlier``, rewind, train to the end.

    Weights that the earlier level dropped stay dropped. Metrics and summary are those of a pruned run. Where the run
    before diverged, nothing is trained, and the summary says only that.
    """
    c = LevelConfig.model_validate(located(config, ctx.where))
    earlier = inputs["earlier"]
    if earlier.summary["diverged"] is not None:
        return {"diverged": earlier.summary["diverged"]}
    data = load_data(c.data, str(ctx.device))
    state, scoring = c.restored(data, ctx), 0.0
    if state is None:
        begun = time.perf_counter()
        mask = _next_mask(earlier, c, data, ctx)
        scoring = time.perf_counter() - begun
        state = c.begun(data, inputs, ctx)
        if state.diverged is not None:
            return {"diverged": str(state.diverged)}
        state = prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning, mask=mask)
    return to_the_end(state, data, c, ctx, scoring=scoring)


def _next_mask(earlier: Entry, c: LevelConfig, data: Dataset, ctx: Context) -> Mask:
    """The level's mask, found in the weights that the run before ended with, within its mask."""
    ended = placed(earlier.tensors(c.ended or "final"), c.untrained(data, ctx.device), data)
    return mask_within(ended, data, c.prune, c.seeds.pruning)
