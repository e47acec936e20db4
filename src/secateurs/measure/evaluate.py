"""Loss and accuracy of a network on unaugmented examples; the network is left as it was."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from secateurs.core import DataError, Task, evaluating
from secateurs.measure.batches import Data, batches_of


@torch.no_grad()
def evaluate(model: nn.Module, task: Task, examples: Data, *, batch_size: int = 512) -> dict[str, float]:
    """Mean over ``examples`` of everything ``task.metrics`` sums, in evaluation mode.

    Args:
        examples: a set of examples, or batches ``(inputs, targets)`` such as a ``DataLoader`` gives.
        batch_size: how many of a set of examples are looked at together.

    Returns:
        For classification ``{"loss": nats, "accuracy": fraction}``.

    Raises:
        DataError: without a single example.
    """
    sums: dict[str, list[Tensor]] = {}
    count = 0
    with evaluating(model):
        for batch in batches_of(examples, batch_size, "evaluate"):
            count += task.size(batch)
            for name, value in task.metrics(task.output(model, batch), batch).items():
                sums.setdefault(name, []).append(value)
    if not count:
        raise DataError("evaluate: no examples")
    totals = {name: float(torch.stack(values).cpu().double().sum()) for name, values in sums.items()}
    return {("accuracy" if name == "correct" else name): total / count for name, total in totals.items()}
