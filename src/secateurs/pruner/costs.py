"""What a network costs under a mask, by the parameters' plain names: bytes, and multiply-adds of one example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

from secateurs.core import Batch, Task
from secateurs.measure.costs import Cost, bytes_of, counts, work_of
from secateurs.measure.costs import multiply_adds as measured_multiply_adds
from secateurs.pruner.wrappers import plain

__all__ = ["Cost", "Costs", "costs_of", "counts", "multiply_adds"]


class Costs(NamedTuple):
    """Bytes, and multiply-adds where they were measured."""

    bytes: Cost
    multiply_adds: Cost | None


def costs_of(model: nn.Module, names: Sequence[str], times: Mapping[str, int] | None = None) -> Costs:
    """What ``model`` costs, by the masks of the parameters ``names``.

    Args:
        times: what :func:`multiply_adds` measured.

    >>> found = costs_of(nn.Linear(100, 10), ["weight"], {"weight": 1})
    >>> found.bytes
    Cost(dense=4040, fixed=84, each={'weight': 8})
    >>> found.multiply_adds
    Cost(dense=1000, fixed=0, each={'weight': 1})
    """
    own = {plain(name): name for name, _ in model.named_parameters(remove_duplicate=False)}
    masked = [own[plain(name)] for name in names]
    stored = _plainly(bytes_of(model, masked))
    if times is None:
        return Costs(stored, None)
    return Costs(stored, _plainly(work_of(model, masked, {own[name]: count for name, count in times.items()})))


def multiply_adds(model: nn.Module, task: Task, batch: Batch) -> dict[str, int]:
    """:func:`secateurs.measure.costs.multiply_adds`, by plain names.

    >>> import torch
    >>> from secateurs.zoo import Classification
    >>> multiply_adds(nn.Linear(3, 2), Classification(2), Batch(torch.ones(1, 3), torch.tensor([0])))
    {'weight': 1}
    """
    return {plain(name): count for name, count in measured_multiply_adds(model, task, batch).items()}


def _plainly(cost: Cost) -> Cost:
    return Cost(cost.dense, cost.fixed, {plain(name): each for name, each in cost.each.items()})
