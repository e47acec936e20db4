"""Loss and accuracy of a network on unaugmented examples; the network is left as it was."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from secateurs.core import DataError, Examples, Task, evaluating


@torch.no_grad()
def evaluate(model: nn.Module, task: Task, examples: Examples, *, batch_size: int = 512) -> dict[str, float]:
    """Mean over ``examples`` of everything ``task.metrics`` sums, in evaluation mode.

    Returns:
        For classification ``{"loss": nats, "accuracy": fraction}``.

    Raises:
        DataError: without a single example.
    """
    if len(examples) == 0:
        raise DataError("evaluate: no examples")
    sums: dict[str, list[Tensor]] = {}
    with evaluating(model):
        for batch in examples.batches(batch_size):
            for name, value in task.metrics(task.output(model, batch), batch).items():
                sums.setdefault(name, []).append(value)
    totals = {name: float(torch.stack(values).cpu().double().sum()) for name, values in sums.items()}
    return {("accuracy" if name == "correct" else name): total / len(examples) for name, total in totals.items()}
