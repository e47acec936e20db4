"""The table of scores, and the one way in that every caller takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, ScoreFn, Scores, Spec, Task, did_you_mean
from secateurs.what.scores.fisher import fisher, fisher_empirical
from secateurs.what.scores.simple import magnitude, random

ScoreSpec = Spec
"""A score by name with its options, as data."""

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
