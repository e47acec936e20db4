"""Masks that move: so many of the kept entries of each layer go, and as many others come in their place."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from secateurs.core import PruningError, Scores, all_finite
from secateurs.how.density import survivors
from secateurs.how.mask import Mask
from secateurs.how.pool import Pool
from secateurs.how.threshold import highest


def best_in_layers(scores: Scores, counts: Mapping[str, int], among: Mapping[str, Tensor]) -> Mask:
    """In each layer, the ``counts`` entries of highest score among those that ``among`` marks.

    Equal scores are taken by position, lowest flat index first; scores outside ``among`` are not looked at.

    Raises:
        PruningError: when a layer has fewer entries marked than are wanted, or a marked score is not finite.

    >>> scores, among = {"a": torch.tensor([3.0, 1.0, 2.0])}, {"a": torch.tensor([False, True, True])}
    >>> best_in_layers(scores, {"a": 1}, among)["a"].tolist()
    [False, False, True]
    """
    found: dict[str, Tensor] = {}
    for name, score in scores.items():
        found |= _chosen({name: score}, counts[name], among, repr(name))
    return Mask(found)


def best_overall(scores: Scores, count: int, among: Mapping[str, Tensor]) -> Mask:
    """The ``count`` entries of highest score, all layers together, among those that ``among`` marks.

    Equal scores are taken by position, first layer first, lowest flat index first; scores outside ``among`` are not
    looked at.

    Raises:
        PruningError: when fewer entries are marked than are wanted, or a marked score is not finite.

    >>> scores = {"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([2.0])}
    >>> chosen = best_overall(scores, 1, {"a": torch.tensor([False, True]), "b": torch.tensor([True])})
    >>> chosen["a"].tolist(), chosen["b"].tolist()
    ([False, False], [True])
    """
    return Mask(_chosen(scores, count, among, "the network"))


def _chosen(scores: Scores, count: int, among: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    device = next(iter(scores.values())).device
    marked = {name: among[name].to(device) for name in scores}
    for name, score in scores.items():
        # The marked ones are only gathered where there is something to be found.
        if not all_finite(score) and not all_finite(score[marked[name].to(score.device)]):
            raise PruningError(f"scores of {name!r} are not all finite real numbers: choose before training diverges")
    pool = Pool(tuple(scores.values()), tuple(marked.values()))
    if count > pool.living:
        raise PruningError(f"{where}: {count} entries are to be chosen among {pool.living}: choose at most so many")
    flags = zip(scores.items(), highest(pool, count), strict=True)
    return {name: chosen.reshape(score.shape) for (name, score), chosen in flags}


def exchange(mask: Mapping[str, Tensor], worth: Scores, growth: Scores, fraction: float) -> Mask:
    """Drop a fraction of each layer's kept entries, those of lowest ``worth``, and grow as many, of highest ``growth``.

    Of n kept entries floor(``fraction`` n + 1/2) are dropped. All entries that are then not kept may be grown, those
    that were dropped just now among them, as Evci et al. (2020) have it: what is dropped and grown at once stays. So
    every layer keeps as many as before, exactly, however full it is.

    Args:
        mask: parameter name -> True where kept.
        worth: what kept entries are worth, by name; that of others is not looked at.
        growth: what the others are worth.
        fraction: in [0, 1].

    Raises:
        PruningError: when the fraction is outside [0, 1], or what an entry that may be chosen is worth is not finite.

    >>> mask = {"a": torch.tensor([True, True, False, False])}
    >>> worth, growth = {"a": torch.tensor([2.0, 1.0, 0.0, 0.0])}, {"a": torch.tensor([0.0, 1.0, 2.0, 3.0])}
    >>> exchange(mask, worth, growth, 0.5)["a"].tolist()
    [True, False, False, True]
    """
    kept = {name: flags.bool() for name, flags in mask.items()}
    sizes = {name: int(flags.sum()) for name, flags in kept.items()}
    dropped = {name: survivors(fraction, size) for name, size in sizes.items()}
    stay = best_in_layers(worth, {name: sizes[name] - dropped[name] for name in sizes}, kept)
    return union(stay, best_in_layers(growth, dropped, {name: ~stay[name] for name in stay}))


def union(first: Mask, second: Mask) -> Mask:
    """The entries that either mask keeps; both are of the same network.

    >>> one, other = Mask({"a": torch.tensor([True, False, False])}), Mask({"a": torch.tensor([False, False, True])})
    >>> union(one, other)["a"].tolist()
    [True, False, True]
    """
    return Mask({name: torch.logical_or(first[name], second[name]) for name in first})
