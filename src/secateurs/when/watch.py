"""An observer that feeds signals, logs their values side by side and charges their time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Examples, Observation, Signal, SignalError, SignalState


def measurements(row: Mapping[str, Any]) -> dict[str, float]:
    """What signals measured, of a row of metrics that began as a row of a :class:`Watch`: all that a trigger reads.

    Finite numbers with the names of signals and their details. Whoever has ``seconds/<signal>`` in the row is
    a signal; learning rates, accuracies and the like are none, nor is a list with a value for each layer.

    >>> row = {"epoch": 3, "loss": 0.5, "seconds/loss": 0.1, "kl_uniform": math.nan, "seconds/kl_uniform": 0.2}
    >>> measurements({**row, "lr": 0.1, "validation_accuracy": 0.9, "seconds": 5.0})
    {'loss': 0.5}
    """
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float)
        and math.isfinite(value)
        and (f"seconds/{name}" in row or f"seconds/{name.rpartition('.')[0]}" in row)
    }


class Watch:
    """Follows ``signals`` over a run.

    Args:
        signals: with distinct names.
        model: only to initialise the signals' states.
        probe: fixed unaugmented training examples for the signals that measure on them.
        seed: the seed of the measurements' own randomness.

    ``rows`` holds one dict for each epoch boundary: ``epoch``, ``moment``, each signal's value
    that was due, ``<signal>.<detail>`` for what the signal reports beside it, and
    ``seconds/<signal>``, the time it took since the row before.
    """

    def __init__(
        self, signals: Sequence[Signal], model: nn.Module, *, probe: Examples | None = None, seed: int = 0
    ) -> None:
        names = [signal.name for signal in signals]
        if len(set(names)) != len(names):
            raise SignalError(f"two signals bear the same name: {', '.join(names)}")
        self._signals = tuple(signals)
        self._at_steps = tuple(signal for signal in signals if signal.every == "step")
        self._states: dict[str, SignalState] = {signal.name: signal.init(model) for signal in signals}
        self._seconds = dict.fromkeys(names, 0.0)
        self._probe, self._seed = probe, seed
        self.rows: list[dict[str, Any]] = []

    def __call__(self, observation: Observation) -> None:
        """Show one observation to every signal that looks at this boundary."""
        if observation.probe is not self._probe or observation.seed != self._seed:
            observation = replace(observation, probe=self._probe, seed=self._seed)
        row: dict[str, Any] = {}
        for signal in self._at_steps if observation.boundary == "step" else self._signals:
            begun = time.perf_counter()
            state, value = signal.update(self._states[signal.name], observation)
            self._states[signal.name] = state
            if value is not None:  # Reading it waits for the device: that is the signal's time too.
                row[signal.name] = value.tolist()
                row |= {f"{signal.name}.{detail}": float(state[detail]) for detail in signal.details}
            self._seconds[signal.name] += time.perf_counter() - begun
        if observation.boundary == "epoch":
            self._close({"epoch": observation.moment.epoch, "moment": str(observation.moment), **row})

    def _close(self, row: dict[str, Any]) -> None:
        row.update({f"seconds/{name}": seconds for name, seconds in self._seconds.items()})
        self._seconds = dict.fromkeys(self._seconds, 0.0)
        self.rows.append(row)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The signals' states as tensors and JSON, to go on from after an interruption."""
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {}
        for name, state in self._states.items():
            for key, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"{name}/{key}"] = value
                else:
                    plain[f"{name}/{key}"] = value
        return tensors, plain

    def restore(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Take up the states that :meth:`state` gave."""
        for path, value in [*tensors.items(), *plain.items()]:
            name, key = path.split("/", 1)
            self._states[name][key] = value.clone() if isinstance(value, torch.Tensor) else value
