"""Scores that look at weights alone: chance, and magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Scores, Task
from secateurs.what.scores.common import explicit, masked, weights_of


def random(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Scores:
    """U(0, 1): the baseline. In global scope it prunes every layer at about the same rate.

    Raises:
        PruningError: without a CPU ``generator``; randomness is explicit here.
    """
    del task, batches
    source = explicit(generator, "random")
    weights = weights_of(model, names)
    return {n: masked(torch.rand(p.shape, generator=source).to(p.device), n, mask) for n, p in weights.items()}


def magnitude(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Scores:
    """``|theta|`` (P0 section 3).

    >>> net = nn.Linear(2, 1)
    >>> _ = nn.init.constant_(net.weight, -0.5)
    >>> magnitude(net)["weight"]
    tensor([[0.5000, 0.5000]])
    """
    del task, batches, generator
    return {n: masked(p.detach().abs(), n, mask) for n, p in weights_of(model, names).items()}
