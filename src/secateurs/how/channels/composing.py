"""One cut after another: in the units of the dense network, and in those of the network that is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.core import Group, Keep, Padding, PruningError, did_you_mean
from secateurs.core.groups import Index

Line = tuple[str, int | str]
"""A dimension of a tensor of the model, by name and number; or one side of a padding module."""

_NONE = np.empty(0, dtype=np.int64)


def groups_left(groups: Sequence[Group], keep: Keep) -> tuple[Group, ...]:
    """The groups of the network that ``keep`` leaves, by arithmetic: nothing is traced.

    They are those that :func:`channel_groups` finds in the cut network, unit by unit in the same order. A group with a
    single unit left is left out: it stays. Two things are told otherwise than by tracing, which has no dense network
    to speak of: where a narrow layer of a group (zero-padded shortcuts) is down to its last channel, that one is a
    unit still, and the group keeps its name; and what went by whole groups of a grouped convolution goes on so when a
    single one of them is left.

    Args:
        groups: of the dense network; those of ``keep``, or some of them.
        keep: which of their units are left.

    Raises:
        PruningError: when a group is none of ``keep``'s.

    >>> from secateurs.how import channel_groups
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> groups = channel_groups(net, torch.zeros(1, 3))
    >>> (left,) = groups_left(groups, Keep(groups, {"0": torch.tensor([True, False, True, True])}))
    >>> left.units, left.weights["2.weight"], left.members[0].index
    (3, (2, 3), ((0,), (1,), (2,)))
    """
    lost = gone(keep)
    weights: Mapping[str, tuple[int, ...]] | None = None
    left = []
    for group in groups:
        _check_name(group.name, keep)
        if weights is None:
            weights = _smaller(group.weights, lost)
        kept = keep[group.name].nonzero().flatten().tolist()
        if len(kept) > 1:
            left.append(_left(group, kept, lost, weights))
    return tuple(left)


def composed(earlier: Keep, later: Keep) -> Keep:
    """Two cuts as one: ``later`` is of the network that ``earlier`` leaves, the result is of the dense one.

    Raises:
        PruningError: when ``later`` is of another network.

    >>> from secateurs.core import Member
    >>> groups = [Group("fc", 3, (Member("fc.weight", 0, ((0,), (1,), (2,)), "output"),))]
    >>> earlier = Keep(groups, {"fc": torch.tensor([True, False, True])})
    >>> later = Keep(groups_left(groups, earlier), {"fc": torch.tensor([False, True])})
    >>> composed(earlier, later)["fc"].tolist()
    [False, False, True]
    """
    flags = dict(earlier)
    for name, kept in later.items():
        _check_name(name, earlier)
        flags[name] = flags[name].masked_scatter(flags[name], _fitting(name, kept, flags[name]))
    return Keep(earlier.groups, flags)


def between(earlier: Keep, later: Keep) -> Keep:
    """The cut that leads from one choice to a later, smaller one, both of the dense network.

    It is of the network that ``earlier`` leaves: ``composed(earlier, between(earlier, later)) == later``.

    Raises:
        PruningError: when they are of different networks, or ``later`` has units that ``earlier`` dropped.

    >>> from secateurs.core import Member
    >>> groups = [Group("fc", 3, (Member("fc.weight", 0, ((0,), (1,), (2,)), "output"),))]
    >>> earlier = Keep(groups, {"fc": torch.tensor([True, False, True])})
    >>> between(earlier, Keep(groups, {"fc": torch.tensor([False, False, True])}))["fc"].tolist()
    [False, True]
    """
    flags = {}
    for name, kept in later.items():
        _check_name(name, earlier)
        if len(kept) != len(earlier[name]) or bool((kept & ~earlier[name]).any()):
            raise PruningError(f"keep: group {name!r}: the later choice has units that the earlier one dropped")
        flags[name] = kept[earlier[name]]
    groups = groups_left(earlier.groups, earlier)
    return Keep(groups, {group.name: flags[group.name] for group in groups if group.name in flags})


def expanded(scores: Mapping[str, Tensor], keep: Keep) -> dict[str, Tensor]:
    """Scores of the network that ``keep`` leaves, in units of the dense one: those that are gone have 0.

    So have groups that were not scored, since a single unit is left of them. With ``within=keep``
    :func:`keep_top_channels` takes them.

    Args:
        scores: group name -> one score per unit left, in their order.
        keep: which units of the dense network these are.

    Raises:
        PruningError: when scores are of another network.

    >>> keep = Keep([Group("fc", 3, ())], {"fc": torch.tensor([True, False, True])})
    >>> expanded({"fc": torch.tensor([2.0, 3.0])}, keep)
    {'fc': tensor([2., 0., 3.])}
    """
    for name in scores:
        _check_name(name, keep)
    full = {}
    for name, kept in keep.items():
        values = scores[name].detach().cpu() if name in scores else torch.zeros(int(kept.sum()))
        full[name] = values.new_zeros(len(kept)).masked_scatter(kept, _fitting(name, values, kept))
    return full


def gone(keep: Keep) -> dict[Line, NDArray[np.int64]]:
    """Along each line, the positions that go, in order: those of all groups, which may share it."""
    found: dict[Line, list[int]] = {}
    for group in keep.groups:
        units = (~keep[group.name]).nonzero().flatten().tolist()
        for line, index in _lines(group):
            found.setdefault(line, []).extend(position for unit in units for position in index[unit])
    return {line: np.array(sorted(lost), dtype=np.int64) for line, lost in found.items() if lost}


def _lines(group: Group) -> Iterator[tuple[Line, Index]]:
    for member in group.members:
        yield (member.name, member.dim), member.index
    for padding in group.paddings:
        yield (padding.name, "before"), padding.before
        yield (padding.name, "after"), padding.after


def _left(
    group: Group, kept: list[int], lost: Mapping[Line, NDArray[np.int64]], weights: Mapping[str, tuple[int, ...]]
) -> Group:
    """The group with the units ``kept``, their positions counted anew; what has none of them any more is left out."""
    known: dict[tuple[int, bytes], Index] = {}  # many members share an index

    def counted(line: Line, index: Index) -> Index:
        here = lost.get(line, _NONE)
        key = (id(index), here.tobytes())
        if key not in known:
            ends = np.cumsum([0, *(len(index[unit]) for unit in kept)]).tolist()
            old = np.array([position for unit in kept for position in index[unit]], dtype=np.int64)
            new = (old - np.searchsorted(here, old)).tolist()
            known[key] = tuple(tuple(new[i:j]) for i, j in pairwise(ends))
        return known[key]

    members = [replace(member, index=counted((member.name, member.dim), member.index)) for member in group.members]
    paddings = [
        Padding(each.name, counted((each.name, "before"), each.before), counted((each.name, "after"), each.after))
        for each in group.paddings
    ]
    return Group(
        group.name,
        len(kept),
        tuple(member for member in members if any(member.index)),
        tuple(padding for padding in paddings if any(padding.before) or any(padding.after)),
        weights,
    )


def _smaller(
    weights: Mapping[str, tuple[int, ...]], lost: Mapping[Line, NDArray[np.int64]]
) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(size - len(lost.get((name, dim), _NONE)) for dim, size in enumerate(shape))
        for name, shape in weights.items()
    }


def _check_name(name: str, keep: Keep) -> None:
    if name not in keep:
        raise PruningError(f"keep: there is no group {name!r}{did_you_mean(name, keep)}: is it of another network?")


def _fitting(name: str, values: Tensor, kept: Tensor) -> Tensor:
    if len(values) != int(kept.sum()):
        raise PruningError(
            f"group {name!r}: {int(kept.sum())} of its units are left, got {len(values)} entries: they must be of the "
            "network that is left, as it is"
        )
    return values
