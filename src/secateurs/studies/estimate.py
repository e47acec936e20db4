"""How long a plan will take on this machine: measured on a few real steps, before anything is run."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from secateurs.studies.early_periods import EarlyPeriodsStudy
from secateurs.studies.runs import load_data
from secateurs.train import begin, train

_WARM_UP, _TIMED = 2, 6


@dataclass(frozen=True)
class Estimate:
    """The size of a plan: jobs, epochs of training, seconds on one worker, and how many steps were timed."""

    jobs: int
    later: int
    epochs: float
    seconds: float
    steps: int


def estimate(study: EarlyPeriodsStudy, device: str = "cpu") -> Estimate:
    """Count the plan's jobs and epochs, and time training steps of its network on ``device``.

    ``later`` is the most jobs that the triggers may add. Measuring signals and evaluating are
    not in the estimate: it tells the training's share, which is most of it.
    """
    recipe = study.recipe
    data = load_data(recipe.data, device)
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        state = begin(recipe.model, data, recipe.train, init_seed=0, device=device)
        available = recipe.train.epochs * study.steps_per_epoch
        steps = max(1, min(_TIMED, available - _WARM_UP))
        warm = min(_WARM_UP, available - steps)
        state = train(state, data, recipe.train, until=state.moment + warm)
        begun = time.perf_counter()
        train(state, data, recipe.train, until=state.moment + steps)
        per_step = (time.perf_counter() - begun) / steps
    finally:
        torch.set_num_threads(threads)
    later = len(recipe.triggers) * len(recipe.seeds)
    return Estimate(len(study.graph()), later, study.epochs, study.epochs * study.steps_per_epoch * per_step, steps)
