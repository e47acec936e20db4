"""The largest choice of channels that meets a target."""

from __future__ import annotations

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
    low, beyond = max(1, ceil(least * parts)), parts + 1
    best = choose(low / parts)
    while beyond - low > 1:
        middle = (low + beyond) // 2
        keep = choose(middle / parts)
        if meets(keep):
            best, low = keep, middle
        else:
            beyond = middle
    return best
