"""Loss and accuracy of a network on unaugmented examples; the network is left as it was."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from secateurs.core import Batch, DataError, Task, evaluating
from secateurs.measure.batches import Data, batches_of


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
    return evaluated(model, task, examples, batch_size, lambda *_: None)


@torch.no_grad()
def evaluated(
    model: nn.Module, task: Task, examples: Data, batch_size: int, look: Callable[[Tensor, Batch], None]
) -> dict[str, float]:
    """What :func:`evaluate` returns, by one pass, of which ``look`` sees each batch and the output for it."""
    sums: dict[str, list[Tensor]] = {}
    count = 0
    with evaluating(model):
        for batch in batches_of(examples, batch_size, "evaluate"):
            count += task.size(batch)
            output = task.output(model, batch)
            look(output, batch)
            for name, value in task.metrics(output, batch).items():
                sums.setdefault(name, []).append(value)
    if not count:
        raise DataError("evaluate: no examples")
    totals = {name: float(torch.stack(values).cpu().double().sum()) for name, values in sums.items()}
    return {("accuracy" if name == "correct" else name): total / count for name, total in totals.items()}
