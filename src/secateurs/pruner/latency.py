"""How long a forward pass takes."""

from __future__ import annotations

import time
from statistics import median

import torch
from torch import nn

from secateurs.core import Batch, Task, evaluating
from secateurs.measure.costs.timing import wait_for
from secateurs.pruner.wrappers import device_of


def forward_milliseconds(model: nn.Module, task: Task, batch: Batch, *, repeats: int = 15, warm_up: int = 3) -> float:
    """Median time of a forward pass over ``batch``, in evaluation mode, on the model's device, in milliseconds.

    A median of 15 still differs by some percent from one time to the next, and by more where other work shares
    the device.

    >>> from secateurs.zoo import Classification
    >>> batch = Batch(torch.zeros(4, 3), torch.zeros(4).long())
    >>> 0 < forward_milliseconds(nn.Linear(3, 2), Classification(2), batch)
    True
    """
    device, taken = device_of(model), []
    with evaluating(model), torch.no_grad():
        for _ in range(warm_up + repeats):
            wait_for(device)
            start = time.perf_counter()
            task.output(model, batch)
            wait_for(device)
            taken.append(time.perf_counter() - start)
    return 1000 * median(taken[warm_up:])
