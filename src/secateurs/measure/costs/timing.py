"""How long one forward and backward pass takes: measured, never derived (P1 appendix D)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from statistics import quantiles
from typing import Literal

import torch
from torch import nn

from secateurs.core import Batch, MeasureError, Task, evaluating

Clock = Literal["wall", "cpu"]
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class BatchTime:
    """Time of a forward and backward pass over a batch.

    Attributes:
        seconds: the median.
        quartiles: first and third, in seconds: how much to believe the median.
        repeats: how many passes were timed.
        examples: in the batch.
        clock: "wall", or "cpu": the processor time of all threads of this process.
    """

    seconds: float
    quartiles: tuple[float, float]
    repeats: int
    examples: int
    clock: Clock


def batch_time(
    model: nn.Module, task: Task, batch: Batch, *, repeats: int = 20, warmup: int = 3, clock: Clock = "wall"
) -> BatchTime:
    """Time of a forward and backward pass in training mode: P1's batch time. No optimiser step.

    The model and the global random state are left as they were. Gradients are computed for all trainable
    parameters, and thrown away. On an accelerator each pass is waited for. Compare networks only within one
    process on one machine, turn by turn: :func:`batch_times` does.

    Args:
        batch: on the model's device.
        repeats: passes timed, at least 2.
        warmup: passes before: kernels are chosen and memory is asked for in the first.
        clock: "wall", or "cpu": own processor time, which other processes on a busy machine disturb less;
            only for a model on the CPU.

    Raises:
        MeasureError: for fewer than 2 repeats, a model without trainable parameters, or a clock that does not see
            the device.
    """
    return batch_times([model], task, batch, repeats=repeats, warmup=warmup, clock=clock)[0]


def batch_times(
    models: Sequence[nn.Module],
    task: Task,
    batch: Batch,
    *,
    repeats: int = 20,
    warmup: int = 3,
    clock: Clock = "wall",
) -> tuple[BatchTime, ...]:
    """Times of several networks on one device, one pass of each in turn: what slows the machine down slows them all.

    Args:
        models: in whose order the times are given; else as :func:`batch_time`.

    Raises:
        MeasureError: as :func:`batch_time`.
    """
    if repeats < 2 or warmup < 0:
        raise MeasureError(f"batch_time: expected at least 2 repeats and no negative warm-up, got {repeats}, {warmup}")
    passes = [_pass(model, task, batch, clock) for model in models]
    taken: list[list[float]] = [[] for _ in models]
    with ExitStack() as block:
        for model in models:
            block.enter_context(training(model))
        for _ in range(warmup + repeats):
            for seconds, timed in zip(taken, passes, strict=True):
                seconds.append(timed())
    return tuple(_summed_up(seconds[warmup:], repeats, task.size(batch), clock) for seconds in taken)


def _pass(model: nn.Module, task: Task, batch: Batch, clock: Clock) -> Callable[[], float]:
    """One forward and backward pass, and what it took."""
    device = device_of(model)
    if clock not in CLOCKS or (clock == "cpu" and device.type != "cpu"):
        raise MeasureError(f"batch_time: no clock {clock!r} for a model on {device.type}: use clock='wall'")
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise MeasureError("batch_time: the model has no trainable parameters: there is no backward pass")
    now = CLOCKS[clock]

    def timed() -> float:
        wait_for(device)
        start = now()
        loss = task.loss(task.output(model, batch), batch)
        torch.autograd.grad(loss, trained, allow_unused=True)
        wait_for(device)
        return now() - start

    return timed


def _summed_up(seconds: list[float], repeats: int, examples: int, clock: Clock) -> BatchTime:
    first, median, third = quantiles(seconds, n=4, method="inclusive")
    return BatchTime(median, (first, third), repeats, examples, clock)


@contextmanager
def training(model: nn.Module) -> Iterator[None]:
    """Training mode with gradients; afterwards modes, buffers and the global random state are as they were."""
    values = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    places = [(module, dict(module._buffers)) for module in model.modules()]
    try:
        with evaluating(model), torch.inference_mode(False), torch.enable_grad():
            model.train()
            yield
    finally:
        for module, own in places:
            module._buffers.update(own)  # a module may have put others in their place
        for buffer, value in values:
            buffer.data.copy_(value)


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def device_of(model: nn.Module) -> torch.device:
    """Where the model is.

    Raises:
        MeasureError: when it is on several devices, on the meta device, or nowhere.
    """
    devices = {tensor.device for tensor in chain(model.parameters(), model.buffers())}
    if len(devices) != 1 or next(iter(devices)).type == "meta":
        told = ", ".join(sorted(map(str, devices))) or "no device"
        raise MeasureError(f"time and memory are measured of a model on one real device, this one is on {told}")
    return devices.pop()
