"""The largest choice of channels that meets a target."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import ceil

from secateurs.core import Keep


def largest_keep(choose: Callable[[float], Keep], meets: Callable[[Keep], bool], least: float, parts: int) -> Keep:
    """The choice of the largest density that meets, of the densities k / parts from ``least`` on; bisected.

    Costs rise with the density: of the choices at rising densities each contains the one before. The choice at
    ``least`` is taken to meet; nobody asks.

    >>> from secateurs.core import Group, Member
    >>> import torch
    >>> group = Group("fc", 8, (Member("fc.weight", 0, tuple((i,) for i in range(8)), "output"),))
    >>> def first(density: float) -> Keep:
    ...     return Keep([group], {"fc": torch.arange(8) < 8 * density})
    >>> largest_keep(first, lambda keep: keep["fc"].sum() <= 5, least=1 / 8, parts=1024)["fc"].sum()
    tensor(5)
    """
    low = max(1, ceil(least * parts))
    fails = bisect_left(range(low + 1, parts + 1), True, key=lambda part: not meets(choose(part / parts)))
    return choose((low + fails) / parts)
