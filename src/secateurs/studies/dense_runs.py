"""The dense run, which every study starts from: trained to the end with its signals watched, checkpoints kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from secateurs.core import Moment, under
from secateurs.jobs import Context, Entry, job
from secateurs.studies.counted import counted
from secateurs.studies.runs import RunConfig, final_numbers, load_data, located, look_first, one_epoch
from secateurs.studies.schema import SignalPart
from secateurs.train import observe, pack, unpack
from secateurs.when import Watch, signal_of


class DenseConfig(RunConfig):
    """Everything that a dense run follows from.

    Attributes:
        until: the moment that it ends at, within an epoch, too; None: when all epochs of ``train`` are over. The
            schedule is that of ``train``, whatever is left of it. Only a config that says so has it.
    """

    only_where_said: ClassVar[frozenset[str]] = RunConfig.only_where_said | {"until"}

    signals: tuple[SignalPart, ...]
    checkpoint_every: int
    until: str | None = None


@job("dense_run", version=2)
def dense_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train the dense network to its end with its signals watched; keep a checkpoint every few epochs, and the last.

    Metrics: one row for each epoch, the untrained network's first. The summary's
    ``checkpoints`` say which moments can be started from.
    """
    del inputs
    c = DenseConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state = c.untrained(data, ctx.device)
    probe = data.train.probe(len(data.train), c.seeds.order)
    watch = Watch([signal_of(spec) for spec in c.signals], state.model, probe=probe, seed=c.seeds.order)
    end = Moment.parse(c.until or c.train.epochs, state.moment.steps_per_epoch)
    checkpoints: dict[str, Any] = {}
    if ctx.restored is None:
        observe(state, data, [watch])
        ctx.log(watch.rows[-1])
        look_first(state, data, c, ctx)
    else:
        tensors, meta = ctx.restored
        state = unpack(under("state", tensors), meta["state"], state)
        watch.restore(under("watch", tensors), meta["watch"])
        checkpoints = meta["checkpoints"]

    def keep() -> None:
        tensors, checkpoints[str(state.moment)] = pack(state)
        ctx.save(tensors, name=str(state.moment))

    def paused() -> tuple[dict[str, Tensor], dict[str, Any]]:
        (tensors, meta), (seen, plain) = pack(state), watch.state()
        named = {f"state/{k}": v for k, v in tensors.items()} | {f"watch/{k}": v for k, v in seen.items()}
        return named, {"state": meta, "watch": plain, "checkpoints": checkpoints}

    while state.moment < end and state.diverged is None:
        if state.moment.epoch % c.checkpoint_every == 0:
            keep()
        state = one_epoch(state, data, c, ctx, watch, until=end)
        ctx.pause_point(paused)
    if state.diverged is None:
        keep()
    told = {"checkpoints": checkpoints, "steps_per_epoch": state.moment.steps_per_epoch}
    return final_numbers(state, data) | told | {"costs": counted(state, data, c.model)}
