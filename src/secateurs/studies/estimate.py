"""How long a plan will take on this machine: measured on a few real steps, before anything is run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from secateurs.core import Batch, Moment, Spec
from secateurs.jobs import Job
from secateurs.measure.costs import multiply_adds
from secateurs.studies.plan import Plan
from secateurs.studies.runs import load_data
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.sweep import Sweep
from secateurs.train import begin, train
from secateurs.zoo import build_model

_WARM_UP, _TIMED = 2, 6
_FLOAT = 4  # bytes
_KEEPS_NO_NETWORK = frozenset(
    (
        *("compared_run", "throughout_run", "instability_run", "importance_run", "costs_run", "regime_pair"),
        *("ticket_mask", "mask_run", "shuffled_mask", "channels_run", "phase_mask"),
    )
)
_KEEPS_THE_NETWORK_ALONE = frozenset(("ticket_run", "regime_run"))


@dataclass(frozen=True)
class Estimate:
    """The size of a plan: jobs, the most jobs that finished ones may add, epochs, and seconds on one worker.

    Attributes:
        epochs: of training; one with SAM, which passes over its batches twice, counts as two.
        bytes: that the networks take which its jobs keep, four for each parameter, and the optimiser's tensors of
            dense runs; masks, metrics and what jobs add that are not known yet come on top.
    """

    jobs: int
    later: int
    epochs: float
    seconds: float
    bytes: int = 0


def estimate(sweep: Sweep, device: str = "cpu") -> Estimate:
    """Count the jobs and epochs of a plan, and time a few training steps of each of its networks on ``device``.

    Measuring signals and evaluating are not in the estimate: it tells the training's share,
    which is most of it. Where a recipe varies the width or the depth of its network, the others are judged by their
    multiply-adds beside those of the recipe's own; where it varies the batch size, two are timed, and the others are
    judged by how many steps an epoch of theirs has.
    """
    later = sum(study.later for study in sweep.studies.values())
    jobs = sweep.graph().jobs
    studies = sweep.studies.items()
    epoch = {label: _Epochs(study, device, (job for job in jobs if job.group == label)) for label, study in studies}
    networks = {label: _Networks(study.recipe) for label, study in studies}
    return Estimate(
        len(jobs),
        later,
        epochs=sum(job.cost for job in jobs),
        seconds=sum(job.cost * epoch[job.group].seconds(job) * networks[job.group].work(job) for job in jobs),
        bytes=sum(copies_kept(job) * networks[job.group].parameters(job) * _FLOAT for job in jobs),
    )


def copies_kept(job: Job) -> int:
    """How many times the network's parameters a job keeps; an optimiser has some for each of them.

    >>> dense = {"train": {"epochs": 10, "optimizer": {"name": "adam"}}, "checkpoint_every": 4}
    >>> copies_kept(Job("dense_run", 2, dense)), copies_kept(Job("ticket_mask", 1, {}))
    (12, 0)
    >>> copies_kept(Job("regime_run", 1, {"probe": "2ep"}))
    2
    >>> [copies_kept(Job("dense_run", 2, {**dense, "until": until})) for until in ("8ep5it", "4ep")]
    [12, 6]
    """
    if job.name in _KEEPS_NO_NETWORK or job.config.get("numbers_only"):
        return 0
    if job.name in _KEEPS_THE_NETWORK_ALONE:
        return 1 + ("probe" in job.config and "until" not in job.config)
    optimizer = job.config["train"]["optimizer"]
    state = 1 + (2 if "adam" in optimizer["name"] else int(bool(optimizer.get("momentum"))))
    if job.name != "dense_run":
        return state
    # Within an epoch ("12ep5it") or at its end: as if an epoch had more steps than any has.
    end = Moment.parse(job.config.get("until") or job.config["train"]["epochs"], 2**40)
    return state * int(1 + math.ceil(end.epochs / job.config["checkpoint_every"]))


class _Epochs:
    """How long an epoch takes that passes once over each batch, by batch size: some time for all examples, and some
    for each step."""

    def __init__(self, study: Plan, device: str, jobs: Iterable[Job]) -> None:
        recipe = study.recipe
        self._own = recipe.train.batch_size
        sizes = {job.config["train"]["batch_size"] for job in jobs if "train" in job.config} - {self._own}
        self._examples = len(load_data(recipe.data).train)
        self._steps, self._slope = study.steps_per_epoch, 0.0
        self._seconds = self._timed(recipe, self._steps, device)
        if sizes:
            size = max(sizes, key=lambda each: abs(math.log(each / self._own)))
            steps = self._of(size)
            if steps != self._steps:
                other = recipe.model_copy(update={"train": recipe.train.model_copy(update={"batch_size": size})})
                self._slope = (self._timed(other, steps, device) - self._seconds) / (steps - self._steps)

    def seconds(self, job: Job) -> float:
        """Of one epoch of a job."""
        size = job.config["train"]["batch_size"] if "train" in job.config else self._own
        if size == self._own:
            return self._seconds
        return max(0.0, self._seconds + self._slope * (self._of(size) - self._steps))

    def _of(self, size: int) -> int:
        return max(1, self._examples // size)

    @staticmethod
    def _timed(recipe: StudyRecipe, steps: int, device: str) -> float:
        return seconds_per_epoch(recipe, steps, device) / recipe.train.passes_per_step


class _Networks:
    """How large the networks of a recipe's jobs are: its own, and those that its plan makes of it."""

    def __init__(self, recipe: StudyRecipe) -> None:
        self._data = load_data(recipe.data)
        self._own = recipe.model_dump(mode="json", include={"model"})["model"]
        self._sizes: dict[str, tuple[int, float]] = {}

    def parameters(self, job: Job) -> int:
        """How many the network of a job has."""
        return self._size(job)[0]

    def work(self, job: Job) -> float:
        """The multiply-adds of a job's network relative to those of the recipe's own."""
        return self._size(job)[1]

    def _size(self, job: Job) -> tuple[int, float]:
        said = job.config.get("model", self._own)
        key = str(said)
        if key not in self._sizes:
            network = self._built(said)
            relative = 1.0 if said == self._own else self._multiply_adds(network) / self._multiply_adds_of_own
            self._sizes[key] = sum(parameter.numel() for parameter in network.parameters()), relative
        return self._sizes[key]

    @cached_property
    def _multiply_adds_of_own(self) -> int:
        return self._multiply_adds(self._built(self._own))

    def _built(self, said: Mapping[str, Any]) -> nn.Module:
        """A network's shapes; they take no memory."""
        spec = Spec(said["name"], {option: value for option, value in said.items() if option != "name"})
        with torch.device("meta"):
            return build_model(spec, self._data.input_shape, self._data.num_classes, seed=0)

    def _multiply_adds(self, network: nn.Module) -> int:
        """Of one example, in layers; nothing is computed but shapes."""
        example = Batch(torch.zeros(1, *self._data.input_shape, device="meta"), torch.zeros(1, device="meta").long())
        each = multiply_adds(network, self._data.task, example)
        return sum(times * network.get_parameter(name).numel() for name, times in each.items())


def seconds_per_epoch(recipe: StudyRecipe, steps_per_epoch: int, device: str = "cpu") -> float:
    """Time a few training steps of a recipe's network on ``device``: seconds for a whole epoch of them."""
    data = load_data(recipe.data, device)
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        state = begin(recipe.model, data, recipe.train, init_seed=0, device=device)
        available = recipe.train.epochs * steps_per_epoch
        steps = max(1, min(_TIMED, available - _WARM_UP))
        state = train(state, data, recipe.train, until=state.moment + min(_WARM_UP, available - steps))
        begun = time.perf_counter()
        train(state, data, recipe.train, until=state.moment + steps)
        return (time.perf_counter() - begun) / steps * steps_per_epoch
    finally:
        torch.set_num_threads(threads)
