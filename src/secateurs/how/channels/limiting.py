"""A choice over some of a network's units, and back over all of them: what is excluded stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from secateurs.core import Group, Keep, Member, Padding
from secateurs.core.groups import Index
from secateurs.how.channels.composing import gone, groups_left


def limited(keep: Keep, free: Sequence[Group]) -> Keep:
    """The same choice over those units alone that may yet go, or are gone: whatever else there is stays.

    Args:
        keep: of the dense network.
        free: groups of the network that ``keep`` leaves, traced with some modules excluded.

    >>> groups = [Group("fc", 3, (Member("fc.weight", 0, ((0,), (1,), (2,)), "output"),))]
    >>> free = [Group("fc", 1, (Member("fc.weight", 0, ((1,),), "output"),))]
    >>> limited(Keep(groups, {}), free)
    Keep(fc: 1 of 1)
    """
    places = {place for group in free for unit in range(group.units) for place in _places(group, unit)}
    left = {group.name: group for group in groups_left(keep.groups, keep)}
    groups, flags = [], {}
    for group in keep.groups:
        kept = keep[group.name]
        wanted, now = ~kept, left.get(group.name)
        if now is not None:
            wanted[kept] = torch.tensor([not places.isdisjoint(_places(now, unit)) for unit in range(now.units)])
        if wanted.any():
            groups.append(_only(group, wanted.nonzero().flatten().tolist()))
            flags[group.name] = kept[wanted]
    return Keep(groups, flags)


def in_units_of(groups: Sequence[Group], keep: Keep) -> Keep:
    """The same cut in the units of other groups of the same network, as of :func:`limited` in all that there are.

    >>> all_three = Group("fc", 3, (Member("fc.weight", 0, ((0,), (1,), (2,)), "output"),))
    >>> one = Group("fc", 1, (Member("fc.weight", 0, ((1,),), "output"),))
    >>> in_units_of([all_three], Keep([one], {"fc": torch.tensor([False])}))["fc"].tolist()
    [True, False, True]
    """
    lost = {(*line, position) for line, positions in gone(keep).items() for position in positions.tolist()}
    return Keep(
        groups,
        {
            group.name: torch.tensor([lost.isdisjoint(_places(group, unit)) for unit in range(group.units)])
            for group in groups
        },
    )


def _places(group: Group, unit: int) -> Iterator[tuple[str, int | str, int]]:
    return ((member.name, member.dim, at) for member in group.members for at in member.index[unit])


def _only(group: Group, units: list[int]) -> Group:
    """The group with some of its units; the others stay, and their positions with them."""

    def those(index: Index) -> Index:
        return tuple(index[unit] for unit in units)

    members = tuple(Member(m.name, m.dim, those(m.index), m.role) for m in group.members)
    paddings = tuple(Padding(p.name, those(p.before), those(p.after)) for p in group.paddings)
    return replace(group, units=len(units), members=members, paddings=paddings)
