"""Peak memory of one training step (P1 appendix D)."""

from __future__ import annotations

import copy
import gc
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

import torch
from torch import nn
from torch.optim import Optimizer

from secateurs.core import Batch, MeasureError, Task
from secateurs.measure.costs.allocator import most_allocated
from secateurs.measure.costs.timing import device_of, training

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
"""An optimiser of these parameters: a class, or ``functools.partial(torch.optim.SGD, lr=0.1)``."""


def momentum(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Stochastic gradient descent with momentum: one number of state for each parameter."""
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def peak_memory(model: nn.Module, task: Task, batch: Batch, *, optimizer: MakeOptimizer = momentum) -> int:
    """Most bytes that training takes at a time: weights, gradients, optimiser state, activations and scratch space.

    Measured of a copy of the model, which takes two steps: by the second the optimiser's state is there. What was
    allocated before, the batch and the model itself among it, is not counted, so that the figure is what
    this network needs to be trained, beside the batch. The model and the global random state are left as they were;
    for as long as it is measured, memory for both networks is needed.

    On a CUDA device it is the allocator's own count, ``max_memory_allocated`` after ``reset_peak_memory_stats``
    (which starts the process's count anew); the CUDA context, some hundred MB, is not in it. On the CPU it is the
    sum of what torch's allocator gave and took back, as torch's profiler recorded it, event by event: exact and the
    same in each run, but blind to what a library allocates for itself (oneDNN's scratch pads) and to the pages that
    the system's allocator keeps: the resident size of a process is larger.

    Raises:
        MeasureError: when the model is on another kind of device, or cannot be copied, or torch's profiler is at work
            already.

    >>> from secateurs.zoo import Classification
    >>> net = nn.Linear(100, 10, bias=False)  # 4000 bytes
    >>> batch = Batch(torch.ones(5, 100), torch.zeros(5, dtype=torch.long))
    >>> 12_000 <= peak_memory(net, Classification(10), batch) < 13_000  # weights, gradients, momentum
    True
    """
    device = device_of(model)
    measures = {"cpu": _on_cpu, "cuda": _on_cuda}
    if device.type not in measures:
        raise MeasureError(f"peak_memory: is measured on cpu and cuda, and the model is on {device.type}: move it")
    gc.collect()  # or what is left over goes while the copy is at work
    with training(model), closing(_steps(model, task, batch, optimizer)) as steps:
        return measures[device.type](device, steps)


def _steps(model: nn.Module, task: Task, batch: Batch, optimizer: MakeOptimizer) -> Generator[None]:
    """Two training steps of a copy."""
    try:
        copied = copy.deepcopy(model)
    except RuntimeError as error:
        raise MeasureError(
            f"peak_memory: the model cannot be copied ({error}): does a module keep what a forward pass computed?"
        ) from error
    stepping = optimizer([p for p in copied.parameters() if p.requires_grad])
    for _ in range(2):
        stepping.zero_grad(set_to_none=True)
        task.loss(task.output(copied, batch), batch).backward()
        stepping.step()
        yield


def _on_cuda(device: torch.device, steps: Iterator[None]) -> int:
    before = torch.cuda.memory_allocated(device)
    next(steps)
    torch.cuda.reset_peak_memory_stats(device)
    next(steps)
    return torch.cuda.max_memory_allocated(device) - before


def _on_cpu(_device: torch.device, steps: Iterator[None]) -> int:
    return most_allocated(lambda: deque(steps, 0))[1]
