"""From scores to a mask: exactly so many survive, and exactly which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Literal

from torch import Tensor

from secateurs.core import PruningError, Scores, all_finite, did_you_mean
from secateurs.how.density import survivors
from secateurs.how.mask import Mask
from secateurs.how.pool import Pool
from secateurs.how.threshold import highest

_SCOPES = ("global", "layer", "erk")


def keep_top(
    scores: Scores,
    density: float,
    *,
    scope: str | Mapping[str, float] = "global",
    within: Mapping[str, Tensor] | None = None,
) -> Mask:
    """Keep the entries with the highest scores: exactly floor(density * N + 1/2) of them.

    N counts all entries, dead ones included. Equal scores are kept by position: first layer in
    the mapping first, lowest flat index first. Comparisons are exact in the scores' own dtype. The
    scores are neither sorted nor put together: they are read twice, and beside them and the mask
    less than a tenth of their memory is taken.

    Args:
        scores: parameter name -> score of its shape, finite, any real dtype; higher = keep.
        density: share of entries to keep, in (0, 1].
        scope: where scores compete.
            ``"global"``: all against all.
            ``"layer"``: the same density in each layer; the count is rounded layer by layer.
            ``"erk"``: Erdos-Renyi-kernel densities, proportional to sum(shape) / prod(shape),
            capped at 1 (with ``within`` at what is alive) and scaled so that the count over all layers
            is exact (the layers with the largest remainders are rounded up, earlier ones first).
            A mapping layer -> density in [0, 1]: these densities, which then alone decide.
        within: an earlier mask; what it dropped stays out and what it kept competes.

    Raises:
        PruningError: when a score is not finite, the density or scope is not valid, ``within``
            does not fit the scores, or it has fewer entries alive than are to be kept.

    >>> import torch
    >>> scores = {"a": torch.tensor([3.0, 1.0, 1.0]), "b": torch.tensor([1.0, 2.0])}
    >>> {name: kept.tolist() for name, kept in keep_top(scores, 0.6).items()}
    {'a': [True, True, False], 'b': [False, True]}
    >>> keep_top(scores, 0.4, scope={"a": 0.0, "b": 1.0}).layer_densities()
    {'a': 0.0, 'b': 1.0}
    """
    if not 0 < density <= 1:
        raise PruningError(f"density: expected a share of kept weights above 0 and at most 1, got {density!r}")
    if not any(score.numel() for score in scores.values()):
        raise PruningError("keep_top: there are no scores: is there anything to prune in the model?")
    for name, score in scores.items():
        if not all_finite(score):
            raise PruningError(
                f"scores of {name!r} are not all finite real numbers: prune before training diverges, "
                "or score in float64"
            )
    alive = _alive(scores, within)
    if scope == "global":
        count = survivors(density, sum(score.numel() for score in scores.values()))
        return Mask._adopt(_select(scores, alive, count, "the network"))
    kept: dict[str, Tensor] = {}
    for name, count in _layer_counts(scores, density, scope, alive).items():
        kept |= _select({name: scores[name]}, alive, count, repr(name))
    return Mask._adopt(kept)


def layer_counts(parameters: Mapping[str, Tensor], density: float, scope: Literal["layer", "erk"]) -> dict[str, int]:
    """How many entries of each layer :func:`keep_top` keeps where layers do not compete, whatever the scores.

    Only shapes are looked at: parameters may be on the meta device.

    Raises:
        PruningError: when the density is not valid.

    >>> import torch
    >>> layer_counts({"a": torch.zeros(4, 10), "b": torch.zeros(2, 4)}, 0.5, "erk")
    {'a': 17, 'b': 7}
    """
    survivors(density, 0)
    return _layer_counts(parameters, density, scope, None)


def _alive(scores: Scores, within: Mapping[str, Tensor] | None) -> Mask | None:
    if within is None:
        return None
    for name in [*scores, *(name for name in within if name not in scores)]:
        if name not in within or name not in scores:
            raise PruningError(f"keep_top: {name!r} is in only one of scores and within: score what the mask covers")
    alive = within if isinstance(within, Mask) else Mask(within)
    for name, flags in alive._tensors.items():
        if flags.shape != scores[name].shape:
            raise PruningError(
                f"keep_top: {name!r} has scores of shape {tuple(scores[name].shape)}, "
                f"but shape {tuple(flags.shape)} in within"
            )
    return alive


def _select(scores: Scores, alive: Mask | None, count: int, where: str) -> dict[str, Tensor]:
    """The ``count`` best of the living entries of ``scores``, all layers together."""
    device = next(iter(scores.values())).device
    pool = Pool(tuple(scores.values()), [None if alive is None else alive._tensors[name].to(device) for name in scores])
    _check_room(count, pool.living, where)
    flags = zip(scores.items(), highest(pool, count), strict=True)
    return {name: kept.reshape(score.shape) for (name, score), kept in flags}


def _check_room(count: int, living: int, where: str) -> None:
    if count > living:
        raise PruningError(
            f"keep_top: {count} entries of {where} are to be kept, but only {living} are alive in the mask "
            "it prunes within: ask for a lower density, densities can only fall from step to step"
        )


def _layer_counts(
    scores: Scores, density: float, scope: str | Mapping[str, float], alive: Mask | None
) -> dict[str, int]:
    if isinstance(scope, str):
        if scope == "layer":
            return {name: survivors(density, score.numel()) for name, score in scores.items()}
        if scope == "erk":
            total = survivors(density, sum(score.numel() for score in scores.values()))
            room = [s.numel() if alive is None else int(alive._tensors[name].sum()) for name, s in scores.items()]
            _check_room(total, sum(room), "the network")
            return dict(zip(scores, _erk([tuple(score.shape) for score in scores.values()], total, room), strict=True))
        raise PruningError(f"scope: there is no scope {scope!r}{did_you_mean(scope, _SCOPES)}, or a density per layer")
    for name in [*scores, *(name for name in scope if name not in scores)]:
        if name not in scope or name not in scores:
            raise PruningError(f"scope: {name!r} is in only one of scores and densities: give one density per layer")
    return {name: survivors(scope[name], score.numel()) for name, score in scores.items()}


def _erk(shapes: Sequence[tuple[int, ...]], total: int, room: Sequence[int]) -> list[int]:
    """Share ``total`` out in proportion to sum(shape), which is ERK's density times the layer's size.

    A layer that would be more than full is full, and the rest is shared among the others. Full is what is
    alive: from step to step a layer's share can grow by one in rounding.
    """
    weights = [sum(shape) or 1 for shape in shapes]
    counts, unit = list(room), Fraction(0)
    partial = list(range(len(shapes)))
    while partial:
        full = [i for i in range(len(shapes)) if i not in partial]
        unit = Fraction(total - sum(room[i] for i in full), sum(weights[i] for i in partial))
        fitting = [i for i in partial if unit * weights[i] < room[i]]
        if fitting == partial:
            break
        partial = fitting
    for i in partial:
        counts[i] = floor(unit * weights[i])
    by_remainder = sorted(partial, key=lambda i: counts[i] - unit * weights[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts
