"""Scores by the diagonal of the Fisher information, and by the empirical one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, Scores, Task
from secateurs.what.examples import batches_of
from secateurs.what.options import check_values
from secateurs.what.persample import Labels, PerSample
from secateurs.what.scores.common import explicit, masked
from secateurs.what.weights import kept_by, weights_of


def fisher(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    labels: Literal["sampled", "exact"] = "sampled",
) -> Scores:
    """Diagonal of the Fisher information, E_x E_{y~p(.|x)} [(d log p(y|x) / d theta)^2] (P0 section 4.2).

    Gradients are taken per sample, squared, then averaged, in evaluation mode.

    Args:
        labels: ``"sampled"``: y is drawn from the model, one per example. ``"exact"``: the
            expectation over y is written out, with C - 1 backward passes for C classes; nothing is drawn.

    Raises:
        PruningError: without task or data, for sampled labels without generator, with a task that
            predicts no distribution, or for exact labels one whose expectation is not to be had.
    """
    check_values("fisher", labels=labels)
    source = explicit(generator, "fisher") if labels == "sampled" else None
    return _fisher("fisher", labels, model, task, batches, names, mask, source)


def fisher_empirical(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Scores:
    """Diagonal of the empirical Fisher, E_(x,y) [(d log p(y|x) / d theta)^2] over the data's own labels y.

    Another quantity than :func:`fisher`, and not an estimate of it: the two agree only where the
    model predicts the data's distribution, and this one vanishes as the training data are fitted.
    Gradients are taken per sample, squared, then averaged, in evaluation mode. Nothing is drawn.

    Raises:
        PruningError: without task or data, or with a task that predicts no distribution.
    """
    del generator
    return _fisher("fisher_empirical", "true", model, task, batches, names, mask, None)


def _fisher(
    called: str,
    labels: Labels,
    model: nn.Module,
    task: Task | None,
    batches: Iterable[Batch],
    names: Sequence[str] | None,
    mask: Mapping[str, Tensor] | None,
    generator: torch.Generator | None,
) -> Scores:
    if task is None:
        raise PruningError(f"{called}: pass the task; the score needs its predictive distribution")
    weights = weights_of(model, names)
    kept = kept_by(mask, model, called)
    # A parameter that several layers share goes by the name that it has first.
    first = {id(p): name for name, p in model.named_parameters()}
    total = {first[id(p)]: torch.zeros_like(p) for p in weights.values()}
    flags = {first[each]: flag for each, flag in kept.items()}
    per_sample = PerSample(model, task, list(total), labels=labels, generator=generator, mask=flags)
    seen = 0
    for batch in batches_of(batches, called):
        for name, squares in per_sample.squares(batch).items():
            total[name] += squares
        seen += task.size(batch)
    if not seen:
        raise PruningError(f"{called}: no data; pass batches of training examples, e.g. 10 per class")
    return {name: masked(total[first[id(p)]] / seen, p, kept) for name, p in weights.items()}


fisher.version = 2  # type: ignore[attr-defined]
fisher_empirical.version = 2  # type: ignore[attr-defined]
