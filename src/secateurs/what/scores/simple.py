"""Scores that look at weights alone: chance, and magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Scores, Task
from secateurs.what.scores.common import explicit, masked
from secateurs.what.weights import kept_by, weights_of


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
    kept = kept_by(mask, model, "random")
    return {n: masked(torch.rand(p.shape, generator=source).to(p.device), p, kept) for n, p in weights.items()}


def magnitude(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    unit_variance: bool = False,
) -> Scores:
    """``|theta|`` (P0 section 3).

    Args:
        unit_variance: divide by the layer's own standard deviation, so that layers differ no more than
            if all had been initialised with variance 1: what magnitude is worth without the variances
            of the initialisation (P2 section 5.7.1). Taken about 0, the mean of initial weights:
            the root of the mean square of the layer's weights that are kept.

    >>> net = nn.Linear(2, 1)
    >>> _ = nn.init.constant_(net.weight, -0.5)
    >>> magnitude(net)["weight"]
    tensor([[0.5000, 0.5000]])
    >>> magnitude(net, unit_variance=True)["weight"]
    tensor([[1., 1.]])
    """
    del task, batches, generator
    weights, kept = weights_of(model, names), kept_by(mask, model, "magnitude")
    scores = {n: masked(p.detach().abs(), p, kept) for n, p in weights.items()}
    if not unit_variance:
        return scores
    return {name: _in_units_of_deviation(each, kept.get(id(weights[name]))) for name, each in scores.items()}


def _in_units_of_deviation(magnitudes: Tensor, kept: Tensor | None) -> Tensor:
    count = magnitudes.numel() if kept is None else int(kept.sum())
    deviation = torch.linalg.vector_norm(magnitudes) / max(1, count) ** 0.5
    return magnitudes / deviation if deviation > 0 else magnitudes
