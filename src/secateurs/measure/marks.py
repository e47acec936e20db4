"""What each of several networks answers correctly, example by example."""

from __future__ import annotations

import torch
from torch import Tensor

from secateurs.core import Batch, Judges, MeasureError, Task


class Marks:
    """Collects them from evaluations of several networks, one point after the other, on the CPU.

    Args:
        called: the measure, for errors.

    Raises:
        MeasureError: when the task does not judge each example.
    """

    def __init__(self, task: Task, called: str) -> None:
        if not isinstance(task, Judges):
            raise MeasureError(
                f"{called}: each_example: {type(task).__name__} does not judge each example: give it a method "
                "correct(output, batch) that returns [N]"
            )
        self.points: list[Tensor] = []
        self._task, self._called = task, called
        self._now: list[Tensor] = []
        self._seen: list[Tensor] = []
        self._order: Tensor | None = None

    def look(self, output: Tensor, batch: Batch) -> None:
        """Judge a batch."""
        self._now.append(self._task.correct(output, batch))
        self._seen += [_sums(batch.inputs), _sums(batch.targets)]

    def next_point(self) -> None:
        """End a point.

        Raises:
            MeasureError: when its examples came in another order than those before, or are others.
        """
        order = torch.cat(self._seen)
        if self._order is not None and not _same(order, self._order):
            raise MeasureError(
                f"{self._called}: each_example: the examples come in another order each time, or are others: "
                "pass a set, or a loader that neither shuffles nor augments"
            )
        self._order = order
        self.points.append(torch.cat(self._now).cpu())
        self._now, self._seen = [], []


def _sums(values: Tensor) -> Tensor:
    """``[N]``: by its sum each example is known again, at the cost of reading it once."""
    return values.flatten(1).sum(1, dtype=torch.float64) if values.ndim > 1 else values.double()


def _same(one: Tensor, other: Tensor) -> bool:
    """Number by number; what is not a number is like itself."""
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())
