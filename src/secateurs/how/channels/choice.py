"""Which channels stay: the best ones, as many as the target allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.core import Group, Keep, PruningError, all_finite, did_you_mean
from secateurs.how.channels.counting import Counted, Flags, Sizes, counter_of, makers

Scope = Literal["global", "layer"]


def keep_top_channels(
    groups: Sequence[Group],
    scores: Mapping[str, Tensor],
    density: float,
    *,
    counted: Counted = "weights",
    scope: Scope = "global",
    minimum: float = 1,
    multiple_of: int = 1,
    within: Keep | None = None,
) -> Keep:
    """Drop units in ascending order of their scores until at most floor(density * total + 1/2) are left.

    So the choice ends **at or below** the target, by less than the last unit dropped. Ties fall by
    position: the group that is executed first, then the lower index, goes first. A unit whose removal would leave a
    layer less than ``minimum`` channels is passed over.

    Args:
        groups: as :func:`channel_groups` gives them; leave groups out to keep them whole.
        scores: group name -> one score per unit [units], higher = keep, finite.
        density: what is to be left, in (0, 1]: of the model's prunable weights (P1's weight sparsity is 1 -
            that), or of the channels (node sparsity).
        counted: "weights" counts a weight as left when the channels that it reads and makes are both left;
            "channels" counts the output channels of the layers in the groups.
        scope: "global" ranks all units together. "layer" keeps the same share of each group: with channels
            counted, exactly floor(density * units + 1/2) of its units, or the next number above that ``minimum`` and
            ``multiple_of`` allow; with weights counted, the share is what the target asks for.
        minimum: channels that each layer keeps at least: a number, or a share of its own in (0, 1), rounded up.
        multiple_of: units go in such blocks that each group's number is a multiple of this when it is cut; a
            block goes when the best of it would. Groups too narrow for it stay whole.
        within: units that an earlier choice dropped stay dropped.

    Raises:
        PruningError: when the target cannot be reached (the message names the least density that can), scores
            do not fit the groups or are not finite, or an option is out of range.

    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> from secateurs.how import channel_groups
    >>> groups = channel_groups(net, torch.zeros(1, 3))
    >>> keep_top_channels(groups, {"0": torch.tensor([4.0, 1.0, 3.0, 2.0])}, density=0.5)["0"].tolist()
    [True, False, True, False]
    """
    _check_options(groups, density, scope, minimum, multiple_of)
    values = [_checked(group, scores) for group in groups]
    for name in scores:
        if name not in {group.name for group in groups}:
            raise PruningError(f"scores: there is no group {name!r}{did_you_mean(name, [g.name for g in groups])}")
    counter = counter_of(groups, counted)
    start = [np.ones(g.units, dtype=bool) if within is None else _earlier(g, within) for g in groups]
    blocks = [
        block
        for number, (group, score) in enumerate(zip(groups, values, strict=True))
        for block in _blocks(number, group, score, start, multiple_of, scope)
    ]
    order = _allowed(groups, sorted(blocks, key=lambda block: block.key), start, minimum)
    if scope == "layer" and counted == "channels":
        flags = _dropped(start, [block for block in order if block.left >= math.floor(density * block.of + 0.5)])
    else:
        target = math.floor(density * counter.total + 0.5)
        least = counter.left(_dropped(start, order))
        if least > target:
            raise PruningError(
                f"density {density:g} cannot be reached by removing channels: with at least {minimum:g} left in each "
                f"layer{f' and multiples of {multiple_of}' if multiple_of > 1 else ''}, {least} of {counter.total} "
                f"{counted} stay, a density of {_rounded_up(least / counter.total)}: take at least that"
                f"{', or a smaller minimum' if minimum != 1 else ''}"
                f"{', or a smaller multiple_of' if multiple_of > 1 else ''}"
            )
        low, high = 0, len(order)  # the fewest blocks that are enough
        while low < high:
            middle = (low + high) // 2
            enough = counter.left(_dropped(start, order[:middle])) <= target
            low, high = (low, middle) if enough else (middle + 1, high)
        flags = _dropped(start, order[:low])
    return Keep(groups, {group.name: torch.from_numpy(kept) for group, kept in zip(groups, flags, strict=True)})


@dataclass(frozen=True)
class _Block:
    """Units of a group that go at one stroke, and how many of how many of their kind are left then."""

    key: tuple[float, int, int]
    group: int
    units: tuple[int, ...]
    left: int
    of: int


def _blocks(number: int, group: Group, scores: Tensor, start: Flags, multiple_of: int, scope: Scope) -> list[_Block]:
    """The units of a group in the order in which they go. Units of one kind are those of the same layers."""
    layers = np.stack([sizes > 0 for sizes in makers(group)], axis=1)
    kinds: dict[bytes, list[int]] = {}
    for unit in range(group.units):
        kinds.setdefault(layers[unit].tobytes(), []).append(unit)
    blocks = []
    for kind in kinds.values():
        units = [unit for unit in kind if start[number][unit]]
        ranked = [units[at] for at in torch.argsort(scores[units], stable=True).tolist()]
        gone, size = 0, len(units) % multiple_of or multiple_of
        while gone + size <= len(units):
            block = ranked[gone : gone + size]
            gone, size = gone + size, multiple_of
            left = len(units) - gone
            rank = float(scores[block[-1]]) if scope == "global" else -left / len(kind)
            blocks.append(_Block((rank, number, block[0]), number, tuple(block), left, len(kind)))
    return blocks


def _allowed(groups: Sequence[Group], blocks: Sequence[_Block], start: Flags, minimum: float) -> list[_Block]:
    """The blocks without those that would leave a layer less than the minimum."""
    layers: list[list[Sizes]] = [makers(group) for group in groups]
    share = Fraction(str(float(minimum)))  # .07 of 100 are 7, which floats make more of
    least = [[math.ceil(share * int(sizes.sum())) if minimum < 1 else minimum for sizes in each] for each in layers]
    left = [[int(sizes[kept].sum()) for sizes in each] for each, kept in zip(layers, start, strict=True)]
    allowed = []
    for block in blocks:
        losses = [int(sizes[list(block.units)].sum()) for sizes in layers[block.group]]
        after = [now - loss for now, loss in zip(left[block.group], losses, strict=True)]
        enough = zip(after, least[block.group], losses, strict=True)
        if all(rest >= floor or not loss for rest, floor, loss in enough):
            left[block.group] = after
            allowed.append(block)
    return allowed


def _dropped(start: Flags, blocks: Sequence[_Block]) -> list[NDArray[np.bool_]]:
    flags = [kept.copy() for kept in start]
    for block in blocks:
        flags[block.group][list(block.units)] = False
    return flags


def _checked(group: Group, scores: Mapping[str, Tensor]) -> Tensor:
    if group.name not in scores:
        raise PruningError(f"scores: there are none for group {group.name!r}: score it, or leave it out of the groups")
    score = scores[group.name].detach().to("cpu")
    if score.shape != (group.units,):
        raise PruningError(f"scores of {group.name!r}: expected shape [{group.units}], got {list(score.shape)}")
    if not all_finite(score):
        raise PruningError(f"scores of {group.name!r} are not all finite real numbers")
    return score


def _earlier(group: Group, within: Keep) -> NDArray[np.bool_]:
    if group.name not in within or len(within[group.name]) != group.units:
        raise PruningError(f"within: it is of other groups: it has no {group.name!r} with {group.units} units")
    kept: NDArray[np.bool_] = within[group.name].numpy().copy()
    return kept


def _check_options(groups: Sequence[Group], density: float, scope: str, minimum: float, multiple_of: int) -> None:
    if not groups:
        raise PruningError("there are no groups to choose from")
    if not 0 < density <= 1:
        raise PruningError(f"density must be in (0, 1], got {density}")
    if scope not in ("global", "layer"):
        raise PruningError(f"unknown scope {scope!r}{did_you_mean(scope, ('global', 'layer'))}")
    if not minimum > 0 or (minimum > 1 and minimum != int(minimum)):
        raise PruningError(f"minimum must be a whole number of channels, or a share in (0, 1), got {minimum}")
    if multiple_of < 1:
        raise PruningError(f"multiple_of must be at least 1, got {multiple_of}")


def _rounded_up(density: float) -> float:
    return math.ceil(density * 1e4) / 1e4
