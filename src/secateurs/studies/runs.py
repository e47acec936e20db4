"""The two jobs of the early-period study: a dense run with its checkpoints, and a pruned run that starts from one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from secateurs.core import Moment, Spec, TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.measure import evaluate
from secateurs.procedures import mask_facts, prune
from secateurs.studies.recipe import DataPart, ModelPart, PruneRecipe, SignalPart
from secateurs.train import Seeds, Settings, TrainSettings, begin, observe, pack, train, unpack
from secateurs.when import TrainLoss, Watch, signal_of
from secateurs.zoo import DATASETS, Dataset

PRELOAD = ("secateurs.studies.runs", "sklearn.datasets", "sklearn.model_selection")
"""Modules that every worker of a study needs: imported once, by the server that workers are forked from."""


class DenseConfig(Settings):
    """Everything that a dense run follows from."""

    model: ModelPart
    data: DataPart
    train: TrainSettings
    seeds: Seeds
    signals: tuple[SignalPart, ...]
    checkpoint_every: int


class PrunedConfig(Settings):
    """Everything that a pruned run follows from, beside the dense run it starts from."""

    model: ModelPart
    data: DataPart
    train: TrainSettings
    seeds: Seeds
    prune: PruneRecipe
    at: str


@lru_cache(maxsize=4)
def _load(name: str, options: tuple[tuple[str, Any], ...], device: str) -> Dataset:
    return DATASETS[name](**dict(options)).to(device)


def load_data(spec: Spec, device: str = "cpu") -> Dataset:
    """The data set that ``spec`` names, on ``device``; loaded once in each process."""
    return _load(spec.name, tuple(sorted(spec.options.items())), device)


_PLACES = frozenset({"folder", "root", "train", "test", "title"})


def identity_and_place(data: Spec) -> tuple[dict[str, Any], dict[str, Any]]:
    """A data set's options as what the results follow from, and as where it lies and what it is called.

    The second are in no job's key, which has the data's digest: files may be moved or renamed.

    >>> identity_and_place(Spec("cifar10", {"folder": "here", "train_examples": 5000}))
    ({'name': 'cifar10', 'train_examples': 5000}, {'folder': 'here'})
    """
    places = {name: value for name, value in data.options.items() if name in _PLACES}
    return {"name": data.name, **{k: v for k, v in data.options.items() if k not in places}}, places


def located(config: Mapping[str, Any], where: Mapping[str, Any]) -> dict[str, Any]:
    """A job's config with the places of its data put back in."""
    return {**config, "data": {**config["data"], **where}}


@job("dense_run", version=1)
def dense_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train the dense network to the end with its signals watched; keep a checkpoint every few epochs.

    Metrics: one row for each epoch, the untrained network's first. The summary's
    ``checkpoints`` say which moments can be started from.
    """
    del inputs
    c = DenseConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state = begin(c.model, data, c.train, init_seed=c.seeds.init, device=ctx.device)
    probe = data.train.probe(len(data.train), c.seeds.order)
    watch = Watch([signal_of(spec) for spec in c.signals], state.model, probe=probe, seed=c.seeds.order)
    checkpoints: dict[str, Any] = {}
    if ctx.restored is None:
        observe(state, data, [watch])
        ctx.log(watch.rows[-1])
    else:
        tensors, meta = ctx.restored
        state = unpack(_under("state", tensors), meta["state"], state)
        watch.restore(_under("watch", tensors), meta["watch"])
        checkpoints = meta["checkpoints"]

    def paused() -> tuple[dict[str, Tensor], dict[str, Any]]:
        (tensors, meta), (seen, plain) = pack(state), watch.state()
        named = {f"state/{k}": v for k, v in tensors.items()} | {f"watch/{k}": v for k, v in seen.items()}
        return named, {"state": meta, "watch": plain, "checkpoints": checkpoints}

    while state.moment.epoch < c.train.epochs and state.diverged is None:
        if state.moment.epoch % c.checkpoint_every == 0:
            tensors, checkpoints[str(state.moment)] = pack(state)
            ctx.save(tensors, name=str(state.moment))
        state = _one_epoch(state, data, c.train, c.seeds, ctx, watch)
        ctx.pause_point(paused)
    return _summary(state, data) | {"checkpoints": checkpoints, "steps_per_epoch": state.moment.steps_per_epoch}


@job("pruned_run", version=1)
def pruned_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Start from the dense run's nearest checkpoint, go on densely to the moment, prune, train to the end.

    Where the moment is no checkpoint, the dense epochs between are trained again, to the same bits.
    """
    c = PrunedConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    dense = inputs["dense"]
    state = begin(c.model, data, c.train, init_seed=c.seeds.init, device=ctx.device)
    at = Moment.parse(c.at, state.moment.steps_per_epoch)
    facts: dict[str, Any] = {}
    if ctx.restored is None:
        known = {name: Moment.parse(name, at.steps_per_epoch) for name in dense.summary["checkpoints"]}
        nearest = max((name for name in known if known[name] <= at), key=lambda name: known[name])
        state = unpack(dense.tensors(nearest), dense.summary["checkpoints"][nearest], state)
        state = train(state, data, c.train, until=at, order_seed=c.seeds.order)
        if state.diverged is None:
            state = prune(state, data, c.prune, c.train, pruning_seed=c.seeds.pruning)
    else:
        state = unpack(*ctx.restored, state)
    while state.moment.steps < c.train.epochs * at.steps_per_epoch and state.diverged is None:
        state = _one_epoch(state, data, c.train, c.seeds, ctx)
        ctx.pause_point(partial(pack, state))
    if state.mask is not None:
        facts = mask_facts(Mask(state.mask), state.model)
        facts["alive"] = sum(int((p != 0).sum()) for n, p in state.model.named_parameters() if n in state.mask)
    ctx.save(pack(state)[0], name="final")
    return _summary(state, data) | facts


def _one_epoch(
    state: TrainState, data: Dataset, settings: TrainSettings, seeds: Seeds, ctx: Context, watch: Watch | None = None
) -> TrainState:
    """Train to the end of the current epoch and log its row; with a watch, validation accuracy too."""
    watching = watch or Watch([TrainLoss()], state.model)
    lr = settings.lr_at(state.moment, state.schedule_start, state.max_lr)
    begun = time.perf_counter()
    state = train(state, data, settings, until=state.moment.epoch + 1, order_seed=seeds.order, observers=[watching])
    row = {"epoch": state.moment.epoch, "moment": str(state.moment)} if state.diverged else watching.rows[-1]
    row = {**row, "lr": lr, "epochs": settings.epochs}
    if watch is not None:
        row["validation_accuracy"] = evaluate(state.model, data.task, data.validation)["accuracy"]
    ctx.log({**row, "seconds": time.perf_counter() - begun})
    return state


def _summary(state: TrainState, data: Dataset) -> dict[str, Any]:
    """The final numbers: test data are looked at here, once, and nowhere else."""
    summary: dict[str, Any] = {"diverged": None if state.diverged is None else str(state.diverged)}
    for part in ("train", "validation", "test"):
        measured = evaluate(state.model, data.task, getattr(data, part))
        summary |= {f"{part}_{name}": value for name, value in measured.items()}
    if state.diverged is None and not math.isfinite(summary["train_loss"]):
        summary["diverged"] = str(state.moment)  # The very last steps did it: no loss of training was there to show it.
    return summary


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, torch.Tensor]:
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
