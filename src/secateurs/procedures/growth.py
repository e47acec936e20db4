"""By what weights are grown where there are none: the gradient that they would have, or at random."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from secateurs.core import Moment, PruningError, Scores, TrainState, generator_for
from secateurs.how import Mask, enforce
from secateurs.train import TrainSettings
from secateurs.train.objective import objective
from secateurs.zoo import Dataset


def dense_gradient(state: TrainState, data: Dataset, training: TrainSettings, *, order_seed: int = 0) -> Scores:
    """The absolute gradient of every weight of the mask's layers, dropped ones at 0, on the next minibatch (RigL).

    It is the gradient of the loss that is trained with, in training mode and float32: what a dense layer would have.
    The model, its buffers and gradients, and the global random state are as they were: a copy is differentiated. For
    that time it takes, beside what a step of training takes for its activations, the memory of the model once more
    and of a gradient of all the mask's layers, dense ones; nothing of it is kept for the next time.

    Raises:
        PruningError: when the state has no mask.
    """
    if state.mask is None:
        raise PruningError(f"the state at {state.moment} has no mask: which layers' gradient is wanted is not known")
    at, model = state.moment, copy.deepcopy(state.model).train()
    parameters = dict(model.named_parameters(remove_duplicate=False))  # shared weights may go by either name
    devices = {p.device.index for p in parameters.values() if p.device.type == "cuda"}
    batch = next(data.train.epoch(at.epoch, training.batch_size, order_seed, training.augment, first_step=at.step))
    with torch.random.fork_rng(devices=sorted(devices)):
        loss = objective(data.task, training)(data.task.output(model, batch), batch)
        wanted = [parameters[name] for name in state.mask]
        found = torch.autograd.grad(loss, wanted, materialize_grads=True)
    return {name: each.abs() for name, each in zip(state.mask, found, strict=True)}


def random_growth(mask: Mapping[str, Tensor], pruning_seed: int, moment: Moment) -> Scores:
    """A random worth for every weight; it follows from the seed and the moment alone.

    >>> mask, start = {"a": torch.ones(1000)}, Moment(0, 1)
    >>> worth = random_growth(mask, 0, start)["a"]
    >>> bool(torch.equal(worth, random_growth(mask, 0, start)["a"])), 0.45 < float(worth.mean()) < 0.55
    (True, True)
    """
    draw = generator_for("growth", pruning_seed, moment.steps)
    drawn = {name: torch.rand(mask[name].shape, generator=draw, dtype=torch.float64) for name in sorted(mask)}
    return {name: drawn[name] for name in mask}


def laid_on(state: TrainState, mask: Mask) -> TrainState:
    """The state under a mask: what it drops is 0, in the weights and in the optimiser's state; consumes ``state``."""
    laid = state.take(mask=mask)
    enforce(laid.model, laid.optimizer, mask).remove()
    return laid
