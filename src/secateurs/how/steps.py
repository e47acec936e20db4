"""From scores to a mask in several steps: what an earlier step dropped is at zero when what is left is scored again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from secateurs.core import PruningError, Scores
from secateurs.how.density import survivors
from secateurs.how.keep import keep_top
from secateurs.how.mask import Mask


def keep_in_steps(
    scored: Callable[[Mask | None], Scores],
    densities: Iterable[float],
    *,
    scope: str | Mapping[str, float] = "global",
    revive: bool = False,
    invert: bool = False,
    within: Mask | None = None,
) -> Mask:
    """Score what is left, keep the top of it, and again, for each density of a schedule.

    A step after the first that would drop nothing is left out, its scoring too: without ``revive`` it cannot change
    the mask.

    Args:
        scored: the scores under a mask, as :func:`keep_top` takes them; first it is called with None, all being kept,
            or with ``within``.
        densities: kept / total after each step, never increasing; see :data:`DENSITIES`.
        scope: where scores compete, as in :func:`keep_top`.
        revive: all compete at every step, so that what an earlier one dropped may come back (de Jorge et al. 2021);
            ``scored`` must say what dropped entries are worth.
        invert: the lowest scores are kept, the top is pruned.
        within: a mask to go on from, as if earlier steps had found it.

    Raises:
        PruningError: when there are no densities, they increase, or as :func:`keep_top` says.

    >>> import torch
    >>> scores = {"weight": torch.tensor([1.0, 2.0, 3.0, 4.0])}
    >>> keep_in_steps(lambda mask: scores, (0.5, 0.25))["weight"].tolist()
    [False, False, False, True]
    >>> keep_in_steps(lambda mask: scores, (0.5, 0.25), invert=True)["weight"].tolist()
    [True, False, False, False]
    """
    mask = within
    for density in densities:
        if mask is not None and not revive and _count(mask, density, scope) == mask.kept:
            continue
        # No name is given to the scores: they are gone when the next ones are made.
        mask = keep_top(
            _reversed(scored(mask)) if invert else scored(mask), density, scope=scope, within=None if revive else mask
        )
    if mask is None:
        raise PruningError("keep_in_steps: there are no densities: a schedule has at least one step")
    return mask


def _count(mask: Mask, density: float, scope: str | Mapping[str, float]) -> int:
    """How many of a mask's entries, dead ones included, ``keep_top`` keeps."""
    sizes = {name: kept.numel() for name, kept in mask._tensors.items()}
    if not isinstance(scope, str):
        return sum(survivors(scope[name], size) for name, size in sizes.items())
    return sum(survivors(density, size) for size in (sizes.values() if scope == "layer" else [mask.total]))


def _reversed(scores: Scores) -> dict[str, Tensor]:
    """Scores in which the lowest are the highest; of integers the complement, since negation can overflow."""
    return {name: -score if score.is_floating_point() else ~score for name, score in scores.items()}
