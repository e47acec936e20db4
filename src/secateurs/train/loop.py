"""The training loop: one, for everything. Read it top to bottom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from secateurs.core import Batch, Moment, Observation, Observer, Spec, TrainingError, TrainState
from secateurs.how import Mask, enforce
from secateurs.train.objective import objective
from secateurs.train.precision import Arithmetic, check_precision
from secateurs.train.sam import SAM
from secateurs.train.settings import TrainSettings
from secateurs.zoo import Dataset, build_model


def begin(
    model: Spec, data: Dataset, settings: TrainSettings, *, init_seed: int, device: torch.device | str = "cpu"
) -> TrainState:
    """A fresh network and optimiser at step 0.

    Raises:
        DataError: when a batch is larger than the training data.
        TrainingError: when the device does not have the precision asked for.
    """
    check_precision(settings.precision, torch.device(device))
    network = build_model(model, data.input_shape, data.num_classes, init_seed).to(device)
    if settings.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = Moment(0, settings.steps_per_epoch(data.train))
    return TrainState(network, settings.optimizer.build(network, settings.lr), start, start, settings.lr)


def train(
    state: TrainState,
    data: Dataset,
    settings: TrainSettings,
    *,
    until: str | int | Moment,
    order_seed: int = 0,
    observers: Sequence[Observer] = (),
) -> TrainState:
    """Train from ``state.moment`` until ``until``; consumes ``state`` and returns its successor.

    Batches, their order and augmentation follow from ``(order_seed, epoch)``: segments joined
    end to end, resumed or not, give the bits of one long segment. A mask in the state is
    enforced throughout. Each observer sees every step, and every epoch's end. With ``sam`` both passes of
    a step have the same batch, augmented alike; output and loss that observers see are the first's, of
    the weights as they were, and the gradient is the second's, which the optimiser has stepped with.

    When a loss of an epoch is not finite the run has diverged: ``diverged`` is set to that epoch's
    end, or to ``until`` where the segment ends within the epoch, the remaining training is left out
    (nothing is measured on what is left), and the state is returned as a result. What the last step
    breaks no loss tells: look at the weights.

    Raises:
        TrainingError: when ``until`` lies before the state or after the last epoch, when the
            state counts other epochs than the settings make of the data, or when the settings ask
            for what the task or the device does not have.
    """
    end = Moment.parse(until, state.moment.steps_per_epoch)
    if end < state.moment or end.steps > settings.epochs * end.steps_per_epoch:
        raise TrainingError(
            f"cannot train until {end}: the state stands at {state.moment} and the run has {settings.epochs} epochs"
        )
    if settings.steps_per_epoch(data.train) != end.steps_per_epoch:
        raise TrainingError(
            f"the state counts {end.steps_per_epoch} steps an epoch, but batches of {settings.batch_size} make "
            f"{settings.steps_per_epoch(data.train)}: train with the batch_size and drop_last that it began with"
        )
    model, optimizer, task = state.model, state.optimizer, data.task
    training_loss = objective(task, settings)
    arithmetic = Arithmetic(settings, next(model.parameters()).device, state.scaler)
    sam = None if settings.sam is None else SAM(model, optimizer, settings.sam.rho, settings.sam.adaptive)

    def gradient(batch: Batch) -> tuple[Tensor, Tensor]:
        """One pass forward and backward: output and loss."""
        output = arithmetic.output(task, model, batch)
        loss = training_loss(output, batch)
        arithmetic.backward(loss)
        return output.detach(), loss.detach()

    state = state.take()
    with ExitStack() as enforcement:
        if state.mask is not None:
            enforcement.enter_context(enforce(model, optimizer, Mask(state.mask)))
        model.train()
        while state.moment < end and state.diverged is None:
            epoch = state.moment.epoch
            losses: list[Tensor] = []
            batches = data.train.epoch(
                epoch, settings.batch_size, order_seed, settings.augment, first_step=state.moment.step
            )
            for batch in batches:
                rate = settings.lr_at(state.moment, state.schedule_start, state.max_lr)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
                output, loss = gradient(batch) if sam is None else sam.gradient(partial(gradient, batch))
                arithmetic.step(optimizer)
                state.moment += 1
                losses.append(loss)
                seen = Observation(state.moment, "step", model, task, batch, output, loss)
                for observer in observers:
                    observer(seen)
                if state.moment == end or state.moment.step == 0:
                    break  # At an epoch's end, too: what does not fill a last batch may be dropped.
            if not math.isfinite(float(torch.stack(losses).sum())):  # One look at the device an epoch.
                state.diverged = state.moment
            elif state.moment.step == 0:
                observe(state, data, observers)
        optimizer.zero_grad(set_to_none=True)
    state.scaler = arithmetic.scaler_state()
    return state


def observe(state: TrainState, data: Dataset, observers: Sequence[Observer]) -> None:
    """Show the state as it stands to every observer, as an epoch's end: also before the first step."""
    seen = Observation(state.moment, "epoch", state.model, data.task)
    for observer in observers:
        observer(seen)
