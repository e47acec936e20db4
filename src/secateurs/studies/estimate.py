"""How long a plan will take on this machine: measured on a few real steps, before anything is run."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from secateurs.studies.runs import load_data
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.sweep import Sweep
from secateurs.train import begin, train

_WARM_UP, _TIMED = 2, 6


@dataclass(frozen=True)
class Estimate:
    """The size of a plan: jobs, the most jobs that finished ones may add, epochs, and seconds on one worker."""

    jobs: int
    later: int
    epochs: float
    seconds: float


def estimate(sweep: Sweep, device: str = "cpu") -> Estimate:
    """Count the jobs and epochs of a plan, and time a few training steps of each of its networks on ``device``.

    Measuring signals and evaluating are not in the estimate: it tells the training's share,
    which is most of it.
    """
    later = sum(study.later for study in sweep.studies.values())
    jobs = sweep.graph().jobs
    studies = sweep.studies.items()
    epoch = {label: seconds_per_epoch(study.recipe, study.steps_per_epoch, device) for label, study in studies}
    return Estimate(len(jobs), later, sum(job.cost for job in jobs), sum(job.cost * epoch[job.group] for job in jobs))


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
