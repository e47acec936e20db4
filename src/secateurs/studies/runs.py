"""What the jobs of all studies share: config, data, the way to a moment of the dense run and to the end, numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar

import torch
from pydantic import SerializerFunctionWrapHandler, model_serializer

from secateurs.core import Moment, Spec, TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry
from secateurs.measure import evaluate
from secateurs.procedures import channel_facts, judged, mask_facts, sound
from secateurs.studies.counted import counted
from secateurs.studies.looks import Looks
from secateurs.studies.schema import DataPart, LooksRecipe, ModelPart
from secateurs.train import Seeds, Settings, TrainSettings, begin, observe, pack, train, unpack
from secateurs.when import TrainLoss, Watch
from secateurs.zoo import DATASETS, Dataset, build_model

PRELOAD = ("secateurs.studies", "sklearn.datasets", "sklearn.model_selection")
"""Modules that every worker of a study needs: imported once, by the server that workers are forked from."""


class RunConfig(Settings):
    """What every run follows from; a job's own config says the rest.

    Attributes:
        curves: accuracy and loss on training and validation data are logged at each epoch's end.
        looks: loss and accuracy are logged every so many steps, as :class:`Looks` does.

    Only a config that says so has the last two: the keys of other jobs are what they would be without.
    """

    only_where_said: ClassVar[frozenset[str]] = frozenset({"curves", "looks"})

    model: ModelPart
    data: DataPart
    train: TrainSettings
    seeds: Seeds
    curves: bool = False
    looks: LooksRecipe | None = None

    @model_serializer(mode="wrap")
    def _seen_where_it_is_asked_for(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = whole(self)
        return {name: value for name, value in said.items() if value or name not in self.only_where_said}

    def untrained(self, data: Dataset, device: str | torch.device = "cpu") -> TrainState:
        """The network at step 0."""
        return begin(self.model, data, self.train, init_seed=self.seeds.init, device=device)

    def restored(self, data: Dataset, ctx: Context) -> TrainState | None:
        """The state as an earlier sitting left it; None where there was none."""
        if ctx.restored is None:
            return None
        return unpack(*ctx.restored, self.untrained(data, ctx.device), data.example)


class MomentConfig(RunConfig):
    """What a run follows from that begins ``at`` a moment of the dense run."""

    at: str

    def begun(self, data: Dataset, inputs: Mapping[str, Entry], ctx: Context) -> TrainState:
        """The dense run's state at the moment; at step 0 no run is needed for that."""
        state = self.untrained(data, ctx.device)
        at = Moment.parse(self.at, state.moment.steps_per_epoch)
        return dense_state(inputs["dense"], at, state, data, self) if at.steps else state


@lru_cache(maxsize=4)
def _load(name: str, options: tuple[tuple[str, Any], ...], device: str) -> Dataset:
    return DATASETS[name](**dict(options)).to(device)


def load_data(spec: Spec, device: str = "cpu") -> Dataset:
    """The data set that ``spec`` names, on ``device``; loaded once in each process."""
    return _load(spec.name, tuple(sorted(spec.options.items())), device)


_PLACES = frozenset({"folder", "root", "train", "test", "title"})


def identity_and_place(data: Spec) -> tuple[dict[str, Any], dict[str, Any]]:
    """A data set's options as what the results follow from, and as where it lies and what it is called.

    The second are in no job's key, which has the data's digest: files that are read as a whole may be moved or
    renamed. Of a folder that is streamed the digest is names, sizes and times of its files: it may be moved as it is.

    >>> identity_and_place(Spec("cifar10", {"folder": "here", "train_examples": 5000}))
    ({'name': 'cifar10', 'train_examples': 5000}, {'folder': 'here'})
    """
    places = {name: value for name, value in data.options.items() if name in _PLACES}
    return {"name": data.name, **{k: v for k, v in data.options.items() if k not in places}}, places


def located(config: Mapping[str, Any], where: Mapping[str, Any]) -> dict[str, Any]:
    """A job's config with the places of its data put back in."""
    return {**config, "data": {**config["data"], **where}}


def dense_state(dense: Entry, at: Moment, blank: TrainState, data: Dataset, c: RunConfig) -> TrainState:
    """The dense run's state at a moment, to the same bits; ``blank`` is consumed.

    Where the moment is no checkpoint, the steps from the nearest one before it are trained again. What
    the steps just before the moment broke has diverged, though no training loss was there to show it.
    """
    state = nearest_checkpoint(dense, at, blank)
    return arrived(train(state, data, c.train, until=at, order_seed=c.seeds.order), dense, at)


def nearest_checkpoint(dense: Entry, at: Moment, blank: TrainState) -> TrainState:
    """The last state before a moment, or at it, that the dense run kept; ``blank`` is consumed."""
    checkpoints = dense.summary["checkpoints"]
    known = {name: Moment.parse(name, at.steps_per_epoch) for name in checkpoints}
    nearest = max((name for name in known if known[name] <= at), key=lambda name: known[name])
    return unpack(dense.tensors(nearest), checkpoints[nearest], blank)


def arrived(state: TrainState, dense: Entry, at: Moment) -> TrainState:
    """The dense run's state at a moment, marked where the run had diverged by then; consumes it."""
    told = dense.summary["diverged"]
    broken = told is not None and Moment.parse(told, at.steps_per_epoch) <= at
    return state.take(diverged=at) if broken and state.diverged is None else judged(state)


def to_the_end(
    state: TrainState,
    data: Dataset,
    c: RunConfig,
    ctx: Context,
    *,
    scoring: float = 0.0,
    kept: Collection[str] = ("model", "optimizer", "mask", "channels"),
) -> dict[str, Any]:
    """Train to the run's end, pausing after every epoch; keep the final state, and say what came of it.

    Args:
        scoring: seconds that finding what to prune took, in this sitting; the next row has them.
        kept: the parts of the final state that are kept, as :func:`~secateurs.train.pack` names them; without any
            there are no tensors.
    """
    look_first(state, data, c, ctx)
    if scoring and state.moment.steps == c.train.epochs * state.moment.steps_per_epoch:
        ctx.log({"moment": str(state.moment), "seconds/scoring": scoring})  # no epoch is left to have a row
    while state.moment.steps < c.train.epochs * state.moment.steps_per_epoch and state.diverged is None:
        state, scoring = one_epoch(state, data, c, ctx, scoring=scoring), 0.0
        ctx.pause_point(partial(pack, state))
    if kept:
        tensors = pack(state)[0]
        ctx.save({name: tensor for name, tensor in tensors.items() if name.split("/")[0] in kept}, name="final")
    return final_numbers(state, data) | facts_of(state, data, c.model) | {"costs": counted(state, data, c.model)}


def facts_of(state: TrainState, data: Dataset, model: Spec) -> dict[str, Any]:
    """What to report of a state's mask or channels, and under a mask how many weights are not zero (``alive``)."""
    if state.channels is not None:
        with torch.device("meta"):  # takes no memory
            dense = build_model(model, data.input_shape, data.num_classes, seed=0)
        return channel_facts(state.channels, dense)
    if state.mask is None:
        return {}
    named = state.model.named_parameters(remove_duplicate=False)  # a mask may have either name of a tied weight
    alive = sum(int((p != 0).sum()) for n, p in named if n in state.mask)
    return {**mask_facts(Mask(state.mask), state.model), "alive": alive}


def one_epoch(
    state: TrainState,
    data: Dataset,
    c: RunConfig,
    ctx: Context,
    watch: Watch | None = None,
    *,
    scoring: float = 0.0,
    until: Moment | None = None,
) -> TrainState:
    """Train to the end of the current epoch and log its row; with a watch, validation accuracy too.

    Of an epoch that ``until`` cuts in two, each part has a row.

    The row's ``seconds`` are those of everything; ``seconds/<signal>``, ``seconds/scoring``,
    ``seconds_validation`` and ``seconds_looks`` say what part of them each took.
    """
    watching = watch or Watch([TrainLoss()], state.model)
    looks = [] if c.looks is None else [Looks(c.looks, data, c.train.epochs, ctx.log)]
    lr = c.train.lr_at(state.moment, state.schedule_start, state.max_lr)
    begun = time.perf_counter()
    end = Moment.parse(state.moment.epoch + 1, state.moment.steps_per_epoch)
    until = end if until is None else min(end, until)
    state = train(state, data, c.train, until=until, order_seed=c.seeds.order, observers=[watching, *looks])
    if until < end and state.diverged is None:
        observe(state, data, [watching])
    row = {"epoch": state.moment.epoch, "moment": str(state.moment)} if state.diverged else watching.rows[-1]
    row = {**row, "lr": lr, "epochs": c.train.epochs}
    if scoring:
        row["seconds/scoring"] = scoring
    if watch is not None or c.curves:
        looking = time.perf_counter()
        row |= _seen(state, data, c.curves)
        row["seconds_validation"] = time.perf_counter() - looking
    if looks:
        row["seconds_looks"] = looks[0].seconds
    ctx.log({**row, "seconds": time.perf_counter() - begun + scoring})
    return state


def look_first(state: TrainState, data: Dataset, c: RunConfig, ctx: Context) -> None:
    """Log the look at a state that training begins with, where looks are asked for."""
    if c.looks is not None and ctx.restored is None:
        Looks(c.looks, data, c.train.epochs, ctx.log).look(state.model, state.moment)


def _seen(state: TrainState, data: Dataset, curves: bool) -> dict[str, float]:
    """What is seen of a network at an epoch's end: accuracy on validation data, or more. Test data wait for the end."""
    validation = evaluate(state.model, data.task, data.validation)
    if not curves:
        return {"validation_accuracy": validation["accuracy"]}
    seen = {"train": evaluate(state.model, data.task, data.train), "validation": validation}
    return {f"{part}_{name}": value for part, measured in seen.items() for name, value in measured.items()}


def final_numbers(state: TrainState, data: Dataset) -> dict[str, Any]:
    """What a run came to: test data are looked at here, once, and nowhere else."""
    summary: dict[str, Any] = {"diverged": None if state.diverged is None else str(state.diverged)}
    for part in ("train", "validation", "test"):
        measured = evaluate(state.model, data.task, getattr(data, part))
        summary |= {f"{part}_{name}": value for name, value in measured.items()}
    if state.diverged is None and not (math.isfinite(summary["train_loss"]) and sound(state.model)):
        summary["diverged"] = str(state.moment)  # The very last steps did it: no loss of training was there to show it.
    return summary
