"""What a training step minimises: the task's loss, with label smoothing and temperature where they are asked for."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from secateurs.core import Batch, Classifies, Task, TrainingError
from secateurs.train.settings import TrainSettings


def objective(task: Task, settings: TrainSettings) -> Callable[[Tensor, Batch], Tensor]:
    """The mean training loss of a batch as a function of its output, a scalar.

    Raises:
        TrainingError: when label smoothing or a temperature is asked of a task without logits over classes.
    """
    smoothing, temperature = settings.label_smoothing, settings.temperature
    if not smoothing and temperature == 1:
        return task.loss
    if not isinstance(task, Classifies):
        option = "label_smoothing" if smoothing else "temperature"
        raise TrainingError(
            f"train.{option}: {type(task).__name__} has no logits over classes: leave it at its default, "
            "or give the task smoothed_loss(output, batch, smoothing)"
        )

    def loss(output: Tensor, batch: Batch) -> Tensor:
        return task.smoothed_loss(output / temperature, batch, smoothing)

    return loss
