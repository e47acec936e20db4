"""The table of scores, and the one way in that every caller takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, ScoreFn, Scores, Spec, Task, all_finite
from secateurs.what.options import check_named, check_values
from secateurs.what.scores.curvature import obd
from secateurs.what.scores.fisher import fisher, fisher_empirical
from secateurs.what.scores.flow import gradient_flow, grasp
from secateurs.what.scores.gradient import loss_preservation, magnitude_loss, movement, snip, taylor
from secateurs.what.scores.simple import magnitude, random
from secateurs.what.scores.synflow import synflow

ScoreSpec = Spec
"""A score by name with its options, as data."""

SCORES: dict[str, ScoreFn] = {
    "random": random,
    "magnitude": magnitude,
    "fisher": fisher,
    "fisher_empirical": fisher_empirical,
    "snip": snip,
    "loss_preservation": loss_preservation,
    "magnitude_loss": magnitude_loss,
    "taylor": taylor,
    "movement": movement,
    "grasp": grasp,
    "gradient_flow": gradient_flow,
    "obd": obd,
    "synflow": synflow,
}
"""The only place where a name means a score. A function of one's own of the same shape serves wherever a name does."""

WITHOUT_EXAMPLES = frozenset({"random", "magnitude"})
"""Scores that look at no examples."""

_GIVEN = frozenset(inspect.signature(ScoreFn.__call__).parameters)
"""What every score gets from its caller; its other parameters are options."""

_RULED = frozenset(inspect.signature(check_values).parameters)


def _options_of(name: str) -> dict[str, Any]:
    """Options of a score of the table, with their defaults."""
    parameters = inspect.signature(SCORES[name]).parameters
    return {option: each.default for option, each in parameters.items() if option not in _GIVEN}


def check_score(spec: Spec, where: str) -> None:
    """See whether the table has the score and the score its options, before anything is trained or scored.

    Args:
        spec: the score.
        where: who asks, or the path of what asks for it: the message begins with it, unless it is empty.

    Raises:
        PruningError: for an unknown name or option (with the choices), or a value that the score itself refuses.

    >>> check_score(Spec("magnitude", {"unit": True}), "what")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: what: score 'magnitude' has no option 'unit'; choices: unit_variance
    """
    at = f"{where}: " if where else ""
    check_named("score", spec, SCORES, _options_of, at)
    options = {**_options_of(spec.name), **spec.options}
    check_values(f"{at}{spec.name}", **{name: options[name] for name in _RULED & options.keys()})


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
        PruningError: for what :func:`check_score` refuses, or scores that are not finite.
    """
    spec = Spec(what) if isinstance(what, str) else what
    options: Mapping[str, object] = {}
    if isinstance(spec, Spec):
        check_score(spec, "")
        function, options = SCORES[spec.name], spec.options
    else:
        function = spec
    scores = function(model, task, batches, names=names, mask=mask, generator=generator, **options)
    for name, values in scores.items():
        if not all_finite(values):
            raise PruningError(f"score of {name!r} is not finite: has training diverged?")
    return scores
