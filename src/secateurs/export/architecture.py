"""What a network is made of, as JSON: a name of the zoo with its options, and what was cut from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from secateurs.core import ExportError, Group, Keep, Member, Padding
from secateurs.core.groups import Index, Role


class Part(BaseModel):
    """A part of the description: what it does not know, it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Blocks(Part):
    """Unit u has the positions start + u * each, and the ``each - 1`` after it."""

    start: int = Field(ge=0)
    each: int = Field(ge=1)


Positions = Blocks | list[list[int]]


class MemberPart(Part):
    """A :class:`~secateurs.core.Member`; ``index`` counts in the cut's indices."""

    name: str
    dim: int = Field(ge=0)
    index: int = Field(ge=0)
    role: Role


class PaddingPart(Part):
    """A :class:`~secateurs.core.Padding`."""

    name: str
    before: list[list[int]]
    after: list[list[int]]


class GroupPart(Part):
    """A :class:`~secateurs.core.Group`, and the numbers of the units that are kept."""

    name: str
    units: int = Field(ge=1)
    kept: list[int]
    members: list[MemberPart] = Field(min_length=1)
    paddings: list[PaddingPart] = []


class Cut(Part):
    """A :class:`~secateurs.core.Keep`: groups, and once for all members that share it, where units lie.

    Attributes:
        weights: shapes of the prunable weights before the cut.
    """

    weights: dict[str, list[int]]
    indices: list[Positions]
    groups: list[GroupPart]


class Zoo(Part):
    """A network of the zoo by name."""

    name: str
    options: dict[str, Any]
    input_shape: list[int]
    num_classes: int


class Architecture(Part):
    """All that a file says of a network beside its tensors.

    Attributes:
        zoo: the dense network; None: another one, which the reader must know how to build.
        cuts: what was removed from it, cut after cut.
        tied: state name -> the name under which the same parameter is in the file.
        masked: whether the file holds a mask.
        digest: SHA-256 of all this and of the tensors.
    """

    format: Literal[1] = 1
    zoo: Zoo | None = None
    cuts: list[Cut] = []
    tied: dict[str, str] = {}
    masked: bool = False
    digest: str = ""


def cut_of(keep: Keep) -> Cut:
    """The JSON of a choice of units.

    >>> group = Group("fc", 2, (Member("fc.weight", 0, ((0,), (1,)), "output"),), (), {"fc.weight": (2, 3)})
    >>> cut = cut_of(Keep([group], {"fc": torch.tensor([False, True])}))
    >>> cut.groups[0].kept, cut.indices
    ([1], [Blocks(start=0, each=1)])
    """
    places: dict[Index, int] = {}
    groups = [
        GroupPart(
            name=group.name,
            units=group.units,
            kept=keep[group.name].nonzero().flatten().tolist(),
            members=[
                MemberPart(name=m.name, dim=m.dim, index=places.setdefault(m.index, len(places)), role=m.role)
                for m in group.members
            ],
            paddings=[PaddingPart(name=p.name, before=_lists(p.before), after=_lists(p.after)) for p in group.paddings],
        )
        for group in keep.groups
    ]
    weights = {name: list(shape) for group in keep.groups for name, shape in group.weights.items()}
    return Cut(weights=weights, indices=[_positions(index) for index in places], groups=groups)


def keep_of(cut: Cut, model: nn.Module) -> Keep:
    """The choice of units that :func:`cut_of` described, for the model before the cut.

    Raises:
        ExportError: when it does not fit the model.
        PruningError: likewise.
    """
    sizes = {name: t.shape for name, t in (*model.named_parameters(), *model.named_buffers())}
    weights = {name: tuple(shape) for name, shape in cut.weights.items()}
    known: dict[tuple[int, int, int], Index] = {}  # so that members go on sharing one

    def index_of(group: GroupPart, member: MemberPart) -> Index:
        shape = sizes.get(member.name, torch.Size())
        if member.dim >= len(shape) or member.index >= len(cut.indices):
            raise ExportError(f"group {group.name!r} has {member.name!r} along {member.dim}, which the model has not")
        size = shape[member.dim]
        key = (member.index, group.units, size)
        if key not in known:
            known[key] = _index(cut.indices[member.index], group, size)
        return known[key]

    groups, kept = [], {}
    modules = dict(model.named_modules())
    for each in cut.groups:
        for padding in each.paddings:
            if not isinstance(getattr(modules.get(padding.name), "padding", None), tuple):
                raise ExportError(f"group {each.name!r} is padded by {padding.name!r}, which the model has not")
        members = tuple(Member(m.name, m.dim, index_of(each, m), m.role) for m in each.members)
        paddings = tuple(Padding(p.name, _padding(p.before, each), _padding(p.after, each)) for p in each.paddings)
        groups.append(Group(each.name, each.units, members, paddings, weights))
        if any(not 0 <= unit < each.units for unit in each.kept):
            raise ExportError(f"group {each.name!r} keeps units that it has not: it has {each.units}")
        kept[each.name] = torch.zeros(each.units, dtype=torch.bool)
        kept[each.name][each.kept] = True
    return Keep(groups, kept)


def shapes_after(keeps: Sequence[Keep]) -> dict[str, tuple[int, ...]]:
    """Shapes of the prunable weights after the last of several cuts.

    >>> group = Group("fc", 2, (Member("fc.weight", 0, ((0,), (1,)), "output"),), (), {"fc.weight": (2, 3)})
    >>> shapes_after([Keep([group], {"fc": torch.tensor([False, True])})])
    {'fc.weight': (1, 3)}
    """
    shapes: dict[str, list[int]] = {}
    for group in keeps[-1].groups if keeps else ():
        shapes |= {name: list(shape) for name, shape in group.weights.items() if name not in shapes}
        flags = keeps[-1][group.name].tolist()
        for member in group.members:
            if member.name in shapes:
                gone = (len(places) for kept, places in zip(flags, member.index, strict=True) if not kept)
                shapes[member.name][member.dim] -= sum(gone)
    return {name: tuple(shape) for name, shape in shapes.items()}


def fault(state: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    """What is first found to differ between the names and shapes of two states; "" when nothing does."""
    for name in (*expected, *state):
        found = [list(each[name].shape) if name in each else "none" for each in (state, expected)]
        if found[0] != found[1]:
            return f"{name!r}: {found[0]} is there, {found[1]} is expected"
    return ""


def _positions(index: Index) -> Positions:
    each, start = len(index[0]), index[0][0] if index[0] else 0
    blocks = (tuple(range(start + unit * each, start + (unit + 1) * each)) for unit in range(len(index)))
    return Blocks(start=start, each=each) if each and all(map(tuple.__eq__, index, blocks)) else _lists(index)


def _lists(index: Index) -> list[list[int]]:
    return [list(places) for places in index]


def _index(positions: Positions, group: GroupPart, size: int) -> Index:
    if isinstance(positions, Blocks):
        start, each = positions.start, positions.each
        if start + group.units * each > size:
            raise ExportError(f"group {group.name!r} has units beyond the {size} entries of a tensor of the model")
        return tuple(tuple(range(start + unit * each, start + (unit + 1) * each)) for unit in range(group.units))
    if len(positions) != group.units or any(not 0 <= place < size for unit in positions for place in unit):
        raise ExportError(f"group {group.name!r} has units that do not fit the {size} entries of a tensor of the model")
    return tuple(tuple(unit) for unit in positions)


def _padding(lists: list[list[int]], group: GroupPart) -> Index:
    if lists and len(lists) != group.units:
        raise ExportError(f"group {group.name!r} has a padding that is not of its {group.units} units")
    return tuple(tuple(unit) for unit in lists)
