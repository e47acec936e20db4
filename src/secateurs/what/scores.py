"""Which weights matter: scores of one shape, ``name -> tensor``, higher = keep.

Every score is pure: parameters, buffers, gradients, modes and the global random state are as
before. Masked weights act as 0, score 0, and are to be kept out by ``keep_top(within=mask)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, ScoreFn, Scores, Spec, Task, did_you_mean, prunable
from secateurs.what.persample import Labels, PerSample

ScoreSpec = Spec
"""A score by name with its options, as data."""


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
    source = _explicit(generator, "random")
    weights = _weights(model, names)
    return {n: _masked(torch.rand(p.shape, generator=source).to(p.device), n, mask) for n, p in weights.items()}


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
    return {n: _masked(p.detach().abs(), n, mask) for n, p in _weights(model, names).items()}


def fisher(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Scores:
    """Diagonal of the Fisher information, E_x E_{y~p(.|x)} [(d log p(y|x) / d theta)^2] (P0 section 4.2).

    y is sampled from the model, one per example; gradients are taken per sample, squared, then
    averaged, in evaluation mode.

    Raises:
        PruningError: without task, data or generator, or with a task that predicts no distribution.
    """
    return _fisher("fisher", "sampled", model, task, batches, names, mask, _explicit(generator, "fisher"))


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
    weights = _weights(model, names)
    total = {name: torch.zeros_like(p) for name, p in weights.items()}
    per_sample = PerSample(model, task, list(weights), labels=labels, generator=generator, mask=mask)
    seen = 0
    for batch in batches:
        for name, squares in per_sample.squares(batch).items():
            total[name] += squares
        seen += task.size(batch)
    if not seen:
        raise PruningError(f"{called}: no data; pass batches of training examples, e.g. 10 per class")
    return {name: _masked(t / seen, name, mask) for name, t in total.items()}


SCORES: dict[str, ScoreFn] = {
    "random": random,
    "magnitude": magnitude,
    "fisher": fisher,
    "fisher_empirical": fisher_empirical,
}
"""The only place where a name means a score. A function of one's own of the same shape serves wherever a name does."""


def score(
    what: Spec | str | ScoreFn,
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Scores:
    """Score by name, by :class:`ScoreSpec`, or with a function of one's own.

    Raises:
        PruningError: for an unknown name (with the choices), or scores that are not finite.
    """
    spec = Spec(what) if isinstance(what, str) else what
    options: Mapping[str, object] = {}
    if isinstance(spec, Spec):
        if spec.name not in SCORES:
            raise PruningError(f"unknown score {spec.name!r}{did_you_mean(spec.name, SCORES)}")
        function, options = SCORES[spec.name], spec.options
    else:
        function = spec
    scores = function(model, task, batches, names=names, mask=mask, generator=generator, **options)
    for name, values in scores.items():
        if not values.isfinite().all():
            raise PruningError(f"score of {name!r} is not finite: has training diverged?")
    return scores


def _weights(model: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Parameter]:
    if names is None:
        return prunable(model)
    parameters = dict(model.named_parameters())
    for name in names:
        if name not in parameters:
            raise PruningError(f"the model has no parameter {name!r}{did_you_mean(name, parameters)}")
    return {name: parameters[name] for name in names}


def _masked(scores: Tensor, name: str, mask: Mapping[str, Tensor] | None) -> Tensor:
    if mask is None or name not in mask:
        return scores.clone()
    return scores.masked_fill(~mask[name].to(scores.device), 0)


def _explicit(generator: torch.Generator | None, name: str) -> torch.Generator:
    if generator is None:
        raise PruningError(f"{name}: pass generator=torch.Generator().manual_seed(...); randomness is explicit here")
    return generator
