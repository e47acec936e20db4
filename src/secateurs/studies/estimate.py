"""How long a plan will take on this machine: measured on a few real steps, before anything is run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from secateurs.jobs import Job
from secateurs.studies.runs import load_data
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.sweep import Sweep
from secateurs.train import begin, train
from secateurs.zoo import build_model

_WARM_UP, _TIMED = 2, 6
_FLOAT = 4  # bytes
_KEEPS_NO_NETWORK = frozenset(
    (
        *("compared_run", "throughout_run", "instability_run", "importance_run", "costs_run"),
        *("ticket_mask", "mask_run", "shuffled_mask", "channels_run", "phase_mask"),
    )
)
_KEEPS_THE_NETWORK_ALONE = frozenset(("ticket_run",))


@dataclass(frozen=True)
class Estimate:
    """The size of a plan: jobs, the most jobs that finished ones may add, epochs, and seconds on one worker.

    Attributes:
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
    which is most of it.
    """
    later = sum(study.later for study in sweep.studies.values())
    jobs = sweep.graph().jobs
    studies = sweep.studies.items()
    epoch = {label: seconds_per_epoch(study.recipe, study.steps_per_epoch, device) for label, study in studies}
    size = {label: parameters(study.recipe) * _FLOAT for label, study in studies}
    return Estimate(
        len(jobs),
        later,
        epochs=sum(job.cost for job in jobs),
        seconds=sum(job.cost * epoch[job.group] for job in jobs),
        bytes=sum(copies_kept(job) * size[job.group] for job in jobs),
    )


def copies_kept(job: Job) -> int:
    """How many times the network's parameters a job keeps; an optimiser has some for each of them.

    >>> dense = {"train": {"epochs": 10, "optimizer": {"name": "adam"}}, "checkpoint_every": 4}
    >>> copies_kept(Job("dense_run", 2, dense)), copies_kept(Job("ticket_mask", 1, {}))
    (12, 0)
    """
    if job.name in _KEEPS_NO_NETWORK or job.config.get("numbers_only"):
        return 0
    if job.name in _KEEPS_THE_NETWORK_ALONE:
        return 1
    optimizer = job.config["train"]["optimizer"]
    state = 1 + (2 if "adam" in optimizer["name"] else int(bool(optimizer.get("momentum"))))
    if job.name != "dense_run":
        return state
    return state * int(1 + math.ceil(job.config["train"]["epochs"] / job.config["checkpoint_every"]))


def parameters(recipe: StudyRecipe) -> int:
    """How many parameters a recipe's network has; nothing is computed but shapes."""
    data = load_data(recipe.data)
    with torch.device("meta"):
        network = build_model(recipe.model, data.input_shape, data.num_classes, seed=0)
    return sum(parameter.numel() for parameter in network.parameters())


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
