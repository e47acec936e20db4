"""The importance run: a dense run that is trained to the end, with P3's measures taken on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from torch import Tensor

from secateurs.core import Batch, Signal, TrainState, generator_for, prunable, under
from secateurs.jobs import Context, Entry, job
from secateurs.studies.importance_measures import Looked, change, flow, kept_back
from secateurs.studies.runs import RunConfig, final_numbers, load_data, located, one_epoch
from secateurs.studies.schema.importance import Unit
from secateurs.train import pack, unpack
from secateurs.what import filter_weights, loss_products, scales_after
from secateurs.when import GradientNorms, TrainLoss, Watch
from secateurs.zoo import Dataset


class ImportanceConfig(RunConfig):
    """Everything that an importance run follows from; moments are whole epochs.

    Attributes:
        units: what is compared.
        changes: epochs at the end of which the change over them is looked at.
        scatters: epochs after which theta' Hg is compared with theta' g.

    The others are those of :class:`~secateurs.studies.schema.Importance`.
    """

    units: tuple[Unit, ...]
    changes: tuple[int, ...]
    scatters: tuple[int, ...]
    mask_density: float
    points: int
    examples_per_class: int
    micro_batch: int
    depthwise: bool
    exclude: tuple[str, ...]
    gradient_norms: bool


@job("importance_run", version=1)
def importance_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train a dense network to the end and measure on the way; measuring changes nothing of the run.

    Metrics: one row for each epoch, with ``gradient_norms`` (each layer's, of the loss that is trained on,
    in the mean over the epoch's steps), and one for each moment, unit and measure (``measured`` is
    "change" or "flow"). Tensors: ``scatter-<epoch>ep``, pairs by unit. The summary has the layers.
    """
    del inputs
    c = ImportanceConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    state = c.untrained(data, ctx.device)
    looked = _looked(c, state, data)
    signals: list[Signal] = [TrainLoss()]
    if c.gradient_norms:
        signals.append(GradientNorms(layerwise=True))
    watch = Watch(signals, state.model)
    before: dict[str, Tensor] = {}
    if ctx.restored is not None:
        tensors, meta = ctx.restored
        state = unpack(under("state", tensors), meta["state"], state)
        watch.restore(under("watch", tensors), meta["watch"])
        before = {name: each.to(ctx.device) for name, each in under("before", tensors).items()}

    def paused() -> tuple[dict[str, Tensor], dict[str, Any]]:
        (tensors, meta), (seen, plain) = pack(state), watch.state()
        parts = {"state": tensors, "watch": seen, "before": before}
        named = {f"{part}/{name}": each for part, held in parts.items() for name, each in held.items()}
        return named, {"state": meta, "watch": plain}

    examples = _examples(c, data)
    while state.diverged is None and _finite(state):
        epoch = state.moment.epoch
        for row in _measured(c, state, data, looked, before, examples, ctx):
            ctx.log({"epoch": epoch, "moment": str(state.moment), "epochs": c.train.epochs, **row})
        if epoch >= c.train.epochs:
            break
        before = kept_back(state.model, looked, c.units) if epoch + 1 in c.changes else {}
        state = one_epoch(state, data, c, ctx, watch)
        ctx.pause_point(paused)
    layers = prunable(state.model)
    return final_numbers(state, data) | {
        "layers": [*layers],
        "widths": [len(weight) for weight in layers.values()],
        "looked_at": [*looked.weights],
        "steps_per_epoch": state.moment.steps_per_epoch,
    }


def _measured(
    c: ImportanceConfig,
    state: TrainState,
    data: Dataset,
    looked: Looked,
    before: Mapping[str, Tensor],
    examples: Sequence[Batch],
    ctx: Context,
) -> Iterator[dict[str, Any]]:
    """What is due at the end of an epoch, one row for each unit and measure; pairs go to a file of their own."""
    epoch = state.moment.epoch
    names = [*prunable(state.model, c.exclude)]
    of = partial(loss_products, state.model, data.task, examples, micro_batch=c.micro_batch)
    if epoch in c.changes:
        now = kept_back(state.model, looked, c.units)
        found = of(list(dict.fromkeys((*names, *now))), second=False)
        for unit in c.units:
            yield {
                **{"measured": "change", "unit": unit},
                **asdict(change(before, now, found, looked, unit, c.mask_density)),
            }
    if epoch in c.scatters:
        found = of(names)
        pairs: dict[str, Tensor] = {}
        for unit in c.units:
            flowed = flow(found, looked, unit, c.points, c.seeds.pruning)
            pairs[unit] = flowed.points
            yield {"measured": "flow", "unit": unit, "correlation": flowed.correlation, "entries": flowed.entries}
        ctx.save(pairs, name=f"scatter-{epoch}ep")


def _looked(c: ImportanceConfig, state: TrainState, data: Dataset) -> Looked:
    weights = filter_weights(state.model, depthwise=c.depthwise, exclude=c.exclude)
    return Looked(weights, scales_after(state.model, data.example) if "channels" in c.units else {})


def _examples(c: ImportanceConfig, data: Dataset) -> list[Batch]:
    """Training examples, the same at every moment."""
    return [*data.train.balanced(c.examples_per_class, generator_for("importance", c.seeds.pruning))]


def _finite(state: TrainState) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in state.model.parameters())
