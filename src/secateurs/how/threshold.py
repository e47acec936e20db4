"""The highest of many scores, exactly, in one read of them: no sorting, no concatenation.

A sample of up to 65,536 scores brackets the wanted rank by six standard deviations. One pass flags
the scores above the bracket and collects those inside, about one in a hundred, among which the rank
is found exactly. Should the sample have misled, or many scores tie, further passes find out: the
result never depends on luck. Beside scores and flags there are only the collected scores and
buffers of one chunk.

On a CPU numpy does the passes: its comparisons, counts and selections take a third of torch's time,
and its partition a tenth of ``kthvalue``'s. Elsewhere torch does, by sorting the few collected
scores: on CUDA ``kthvalue`` is refused under deterministic algorithms.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from secateurs.core import generator_for
from secateurs.how.pool import Pool

Number = int | float


class Threshold(NamedTuple):
    """Scores above ``value`` are kept, and the first ``ties`` of those equal to it, or ``all_ties``."""

    value: Number
    ties: int
    all_ties: bool


def highest(pool: Pool, count: int) -> list[Tensor]:
    """Flat flags of the ``count`` highest living scores of each layer; among equals by layer, then by place.

    >>> flags = highest(Pool([torch.tensor([3.0, 1.0, 1.0]), torch.tensor([1.0, 2.0])], [None, None]), 3)
    >>> [layer.tolist() for layer in flags]
    [[True, True, False], [False, True]]
    """
    if count == 0:
        return pool.blank()
    if count == pool.living:
        return _marked(pool, Threshold(_extremes(pool.dtype)[0], 0, True))
    if pool.living * pool.sizes.sparse < pool.total:
        living = Pool([pool.gathered()], [None], pool.sizes)
        return pool.scattered(highest(living, count)[0])
    if pool.living > pool.sizes.small:
        low, high = _bracket(_sample(pool), count / pool.living, _extremes(pool.dtype))
        flags = _between(pool, count, low, high)
        if flags is not None:
            return flags
        for end in (high, low):
            greater, equal = _counted(pool, end)
            if greater < count <= greater + equal:
                return _marked(pool, Threshold(end, count - greater, count == greater + equal))
    return _marked(pool, _kth(pool.arrays, pool.array(pool.gathered()), count))


def _between(pool: Pool, count: int, low: Number, high: Number) -> list[Tensor] | None:
    """The flags, if the ``count``-th score lies strictly between low and high."""
    if low >= high:
        return None
    xp, flags, above = pool.arrays, pool.blank(), 0
    inside = []
    for values, living, here in pool.chunks(flags):
        xp.greater_equal(values, high, out=here)
        between = values > low
        if living is not None:
            xp.logical_and(here, living, out=here)
            xp.logical_and(between, living, out=between)
        above += int(xp.count_nonzero(here))
        places = xp.where(xp.logical_xor(between, here, out=between))[0]
        inside.append((here, places.astype(np.int32) if xp is np else places, values[places]))
    if not above < count <= above + sum(len(values) for *_, values in inside):
        return None
    found = _kth(xp, xp.concatenate([values for *_, values in inside]), count - above)
    left = found.ties
    for here, places, values in inside:
        chosen = values >= found.value
        if not found.all_ties:
            left -= _drop_ties(xp, chosen, values == found.value, left)
        here[places] = chosen
    return flags


def _marked(pool: Pool, found: Threshold) -> list[Tensor]:
    """The flags, given the threshold."""
    xp, flags, left = pool.arrays, pool.blank(), found.ties
    for values, living, here in pool.chunks(flags):
        xp.greater_equal(values, found.value, out=here)
        if living is not None:
            xp.logical_and(here, living, out=here)
        if not found.all_ties:
            left -= _drop_ties(xp, here, xp.logical_and(here, values == found.value), left)
    return flags


def _drop_ties(xp: ModuleType, flags: Any, ties: Any, left: int) -> int:
    """Clear the flags of all but the first ``left`` ties; how many of them are kept."""
    places = xp.where(ties)[0]
    flags[places[left:]] = False
    return min(left, len(places))


def _counted(pool: Pool, value: Number) -> tuple[int, int]:
    """How many living scores are greater than ``value``, and how many are equal to it."""
    xp, greater, equal = pool.arrays, 0, 0
    for values, living in pool.chunks():
        more, same = values > value, values == value
        greater += int(xp.count_nonzero(more if living is None else more & living))
        equal += int(xp.count_nonzero(same if living is None else same & living))
    return greater, equal


def _kth(xp: ModuleType, values: Any, count: int) -> Threshold:
    """The ``count``-th highest of an array, which is put in another order."""
    place = len(values) - count
    if xp is np:
        values.partition(place)
    else:
        values = _ascending(xp, values)
    value = values[place].item()
    ties = count - int(xp.count_nonzero(values > value))
    return Threshold(value, ties, ties == int(xp.count_nonzero(values == value)))


def _sample(pool: Pool) -> Any:
    """Living scores, ascending: of each of many stretches of equal length, one at random."""
    size = min(pool.sizes.sample, 2**12 + pool.total // 2**8)
    generator = generator_for("threshold", pool.total)
    places = torch.arange(size) + torch.rand(size, generator=generator, dtype=torch.float64)
    places = (places * (pool.total / size)).long().clamp_(max=pool.total - 1)
    ends = torch.tensor([score.numel() for score in pool.scores]).cumsum(0)
    shares = torch.searchsorted(places, ends).diff(prepend=torch.zeros(1, dtype=torch.long)).tolist()
    taken = []
    for (score, alive), here, end in zip(pool.layers(), places.split(shares), ends, strict=True):
        chosen = (here - end + len(score)).to(pool.device)
        taken.append(score[chosen if alive is None else chosen[alive[chosen]]].to(pool.dtype))
    return _ascending(pool.arrays, pool.array(torch.cat(taken)))


def _bracket(sample: Any, density: float, extremes: tuple[Number, Number]) -> tuple[Number, Number]:
    """Scores between which the wanted one lies, save for one case in many millions."""
    rank = density * len(sample)
    margin = 6 * (rank * (1 - density)) ** 0.5 + 12  # the 12 is for the skewed ends, density near 0 or 1
    low, high = len(sample) - int(rank + margin) - 1, len(sample) - int(rank - margin)
    return (
        sample[low].item() if low >= 0 else extremes[0],
        sample[high].item() if high < len(sample) else extremes[1],
    )


def _ascending(xp: ModuleType, values: Any) -> Any:
    return np.sort(values) if xp is np else values.sort().values


def _extremes(dtype: torch.dtype) -> tuple[Number, Number]:
    """What no score is below or above."""
    if dtype.is_floating_point:
        return -float("inf"), float("inf")
    return torch.iinfo(dtype).min, torch.iinfo(dtype).max
