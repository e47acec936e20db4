"""What the jobs of masks and of channels share: finding what goes is one job, training what is left another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from secateurs.core import TrainState
from secateurs.jobs import Context, Entry
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.runs import MomentConfig, load_data, located, to_the_end
from secateurs.zoo import Dataset

Found = TypeVar("Found")

_FOUND_ELSEWHERE = {"seconds/scoring": 0.0}
"""Said by runs that are given what they prune, so that one with nothing left to train is charged with nothing."""


def found_at(
    c: MomentConfig,
    inputs: Mapping[str, Entry],
    ctx: Context,
    name: str,
    find: Callable[[TrainState, Dataset], Found],
    told: Callable[[Found, nn.Module], tuple[Mapping[str, Tensor], Mapping[str, Any]]],
) -> dict[str, Any]:
    """Find what goes in the weights of the config's moment, and keep it as the tensors ``name``.

    The summary has the facts and how long finding took; where the dense run diverged before, only that.

    Args:
        find: what is timed.
        told: what was found as tensors, and its facts.
    """
    data = load_data(c.data, str(ctx.device))
    state = c.begun(data, inputs, ctx)
    if state.diverged is not None:
        return {"diverged": str(state.diverged)}
    begun = time.perf_counter()
    found = find(state, data)
    seconds = time.perf_counter() - begun
    tensors, facts = told(found, state.model)
    ctx.save(tensors, name=name)
    return {"diverged": None, **facts, "seconds/scoring": seconds}


def trained_with(
    config: Mapping[str, Any],
    inputs: Mapping[str, Entry],
    ctx: Context,
    name: str,
    lay: Callable[[TrainState, Dataset, PrunedConfig, Mapping[str, Tensor]], TrainState],
) -> dict[str, Any]:
    """Prune the state of the config's moment by the tensors ``name`` of the input ``name``, and train to the end.

    Metrics and summary are those of a pruned run, and ``seconds/scoring`` is 0. Where the dense run diverged before
    these could be found or laid on, nothing is trained, and the summary says only that.

    Args:
        lay: prunes the state by these tensors.
    """
    c = PrunedConfig.model_validate(located(config, ctx.where))
    found = inputs[name]
    if found.summary["diverged"] is not None:
        return {"diverged": found.summary["diverged"], **_FOUND_ELSEWHERE}
    data = load_data(c.data, str(ctx.device))
    state = c.restored(data, ctx)
    if state is None:
        state = c.begun(data, inputs, ctx)
        if state.diverged is not None:
            return {"diverged": str(state.diverged), **_FOUND_ELSEWHERE}
        state = lay(state, data, c, found.tensors(name))
    return to_the_end(state, data, c, ctx) | _FOUND_ELSEWHERE
