"""Looks at a network along training: loss and accuracy every so many steps, as rows of metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from secateurs.core import Moment, Observation
from secateurs.measure import evaluate
from secateurs.studies.schema import LooksRecipe
from secateurs.zoo import Dataset


class Looks:
    """An observer that logs loss and accuracy on whole parts of the data; training goes on as if nobody had looked.

    A row has ``looked: true``, ``moment``, ``steps``, ``epoch`` (fractional), ``epochs``, and ``<part>_loss`` (nats)
    and ``<part>_accuracy`` (a fraction) for each part. It is logged after each ``every`` steps of the run, counted from
    its step 0, and after the last one.

    Args:
        asked: how often, and on what.
        epochs: of the run.
        log: takes the rows.

    Attributes:
        seconds: that looking took so far.
    """

    def __init__(
        self, asked: LooksRecipe, data: Dataset, epochs: int, log: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self.seconds = 0.0
        self._asked, self._data, self._epochs, self._log = asked, data, epochs, log

    def __call__(self, observation: Observation) -> None:
        if observation.boundary != "step":
            return
        moment = observation.moment
        every = Moment.parse(self._asked.every, moment.steps_per_epoch).steps
        if moment.steps % every == 0 or moment.steps == self._epochs * moment.steps_per_epoch:
            self.look(observation.model, moment)

    def look(self, model: nn.Module, moment: Moment) -> None:
        """Log what the network is at a moment."""
        begun = time.perf_counter()
        row: dict[str, Any] = {"looked": True, "moment": str(moment), "steps": moment.steps, "epoch": moment.epochs}
        row["epochs"] = self._epochs
        for part in self._asked.parts:
            measured = evaluate(model, self._data.task, getattr(self._data, part))
            row |= {f"{part}_{name}": value for name, value in measured.items()}
        self._log(row)
        self.seconds += time.perf_counter() - begun
