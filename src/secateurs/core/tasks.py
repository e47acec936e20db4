"""What data and tasks are: batches, predictive distributions, losses, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class Batch(NamedTuple):
    """One batch: inputs ``[N, ...]`` and targets ``[N, ...]`` on one device."""

    inputs: Tensor
    targets: Tensor


class Distribution(Protocol):
    """The predictive distribution p(y | x; theta) of a batch, differentiable in the output it came from."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one y per example, ``[N, ...]``, with a CPU generator."""
        ...

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y | x), shape ``[N]``."""
        ...


@runtime_checkable
class Factored(Protocol):
    """A distribution whose Fisher information in the output is known: expectations over y need no sampling.

    Without factors, what is asked to be exact over labels is refused by name.
    """

    def factors(self) -> Iterator[Tensor]:
        """Yield u_k, each of the output's shape: sum_k u_k u_k' = E_y[s s'] for s = d log p(y | x) / d output.

        The sum is over outer products for each example; no u_k carries a gradient.
        """
        ...


class Task(Protocol):
    """What the network is for: its loss, its predictive distribution, its metrics."""

    def output(self, model: nn.Module, batch: Batch) -> Tensor: ...

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Loss of each example, ``[N]``."""
        ...

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean loss of the batch, a scalar."""
        ...

    def size(self, batch: Batch) -> int: ...

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch, e.g. ``{"loss": ..., "correct": ...}``."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A task with a predictive distribution; without one, Fisher and KL-uniform are refused by name."""

    def predictive(self, output: Tensor) -> Distribution: ...


@runtime_checkable
class Classifies(Protocol):
    """A task whose output is logits over classes; without them, label smoothing and temperature are refused by name."""

    def smoothed_loss(self, output: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """Mean loss of the batch against targets of which a share ``smoothing`` is spread evenly over all classes."""
        ...


@runtime_checkable
class Judges(Protocol):
    """A task that judges each example by itself; without it, examples are not resampled."""

    def correct(self, output: Tensor, batch: Batch) -> Tensor:
        """Whether each example is answered correctly, or how much of it: ``[N]``, bool, or in [0, 1].

        ``metrics`` counts their sum as ``correct``.
        """
        ...


@runtime_checkable
class Examples(Protocol):
    """A finite set of examples in a fixed order, unaugmented."""

    def __len__(self) -> int: ...

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        """Iterate over the first ``limit`` examples in batches of at most ``size``."""
        ...
