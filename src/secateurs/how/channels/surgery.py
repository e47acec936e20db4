"""What a cut changes: which entries of which tensors stay, and the numbers that modules keep about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Keep, PruningError
from secateurs.core.groups import Index
from secateurs.how.channels.numbers import following_numbers, numbers_of

Places = Mapping[int, Tensor]
"""Dimension -> positions that stay along it."""


@dataclass(frozen=True)
class Surgery:
    """A cut, worked out and not yet done.

    Attributes:
        places: parameter or buffer name -> what of it stays.
        numbers: module name -> attributes and their new values (``out_channels``, ``groups``, ``padding`` ...).
    """

    places: Mapping[str, Places]
    numbers: Mapping[str, Mapping[str, Any]]


def surgery(model: nn.Module, keep: Keep) -> Surgery:
    """Work out what ``keep`` means for ``model``; nothing is changed.

    Raises:
        PruningError: when ``keep`` is no :class:`~secateurs.core.Keep`, or of another model, or of this one before
            it was cut; when a layer would vanish.
    """
    if not isinstance(keep, Keep):
        raise PruningError(
            f"keep: expected a Keep, which carries its groups, got {type(keep).__name__}: make it with "
            "keep_top_channels, or as Keep(groups, {name: bools})"
        )
    tensors = dict(named_tensors(model))
    _check_fit(tensors, keep)
    flags: dict[tuple[str, int], Tensor] = {}
    for group in keep.groups:
        gone = (~keep[group.name]).nonzero().flatten().tolist()
        if not gone:
            continue
        lost: dict[int, Tensor] = {}  # by index, of which many members share one
        for member in group.members:
            if id(member.index) not in lost:
                lost[id(member.index)] = torch.tensor(_positions(member.index, gone), dtype=torch.long)
            size = tensors[member.name].shape[member.dim]
            along = flags.setdefault((member.name, member.dim), torch.ones(size, dtype=torch.bool))
            along[lost[id(member.index)]] = False
    places: dict[str, dict[int, Tensor]] = {}
    for (name, dim), kept in flags.items():
        left = kept.nonzero().flatten()
        if not len(left):
            raise PruningError(
                f"keep: {name.rpartition('.')[0]!r} would vanish: nothing is left of {name!r} along dimension {dim}; "
                "keep at least one of its channels (minimum=1)"
            )
        if len(left) < len(kept):
            places.setdefault(name, {})[dim] = left
    return Surgery(places, _numbers(model, tensors, places) | _paddings(model, keep))


def named_tensors(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """Parameters and buffers, each under its first name only."""
    yield from model.named_parameters()
    yield from model.named_buffers()


def cut(tensor: Tensor, places: Places) -> Tensor:
    """What stays of a tensor: a new one, laid out in memory as the old one.

    >>> cut(torch.arange(6).reshape(2, 3), {1: torch.tensor([0, 2])}).tolist()
    [[0, 2], [3, 5]]
    """
    layout = torch.channels_last if _channels_last(tensor) else torch.contiguous_format
    out = tensor.detach()
    for dim, left in sorted(places.items(), key=lambda item: len(item[1]) / tensor.shape[item[0]]):
        out = out.index_select(dim, left.to(tensor.device))
    return out.contiguous(memory_format=layout)


def _channels_last(tensor: Tensor) -> bool:
    return tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)


def _positions(index: Index, units: list[int]) -> list[int]:
    return [position for unit in units for position in index[unit]]


def _check_fit(tensors: Mapping[str, Tensor], keep: Keep) -> None:
    remedy = "make the groups anew with channel_groups (after each cut, and for each model)"
    for group in keep.groups:
        for name, shape in group.weights.items():
            if name not in tensors or tensors[name].shape != shape:
                found = f"{list(tensors[name].shape)}" if name in tensors else "none"
                raise PruningError(f"keep: {name!r} is {list(shape)} in the groups, in the model {found}: {remedy}")
        sizes = {id(m.index): max((p for unit in m.index for p in unit), default=-1) for m in group.members}
        for member in group.members:
            tensor = tensors.get(member.name)
            if tensor is None or tensor.ndim <= member.dim or tensor.shape[member.dim] <= sizes[id(member.index)]:
                raise PruningError(f"keep: {member.name!r} of group {group.name!r} does not fit the model: {remedy}")


def _numbers(
    model: nn.Module, tensors: Mapping[str, Tensor], places: Mapping[str, Mapping[int, Tensor]]
) -> dict[str, dict[str, Any]]:
    names = {id(tensor): name for name, tensor in tensors.items()}
    shapes: dict[str, dict[str, tuple[list[int], list[int]]]] = {}
    for path, module in model.named_modules():
        for attribute, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and names.get(id(tensor)) in places:
                shape = list(tensor.shape)
                for dim, left in places[names[id(tensor)]].items():
                    shape[dim] = len(left)
                shapes.setdefault(path, {})[attribute] = (list(tensor.shape), shape)
    found = {path: numbers_of(path, module, shapes[path]) for path, module in model.named_modules() if path in shapes}
    for path, module in model.named_modules():
        if more := following_numbers(path, module, found):
            found[path] = found.get(path, {}) | more
    return {path: numbers for path, numbers in found.items() if numbers}


def _paddings(model: nn.Module, keep: Keep) -> dict[str, dict[str, Any]]:
    numbers: dict[str, dict[str, Any]] = {}
    for group in keep.groups:
        flags = keep[group.name].tolist()
        for padding in group.paddings:
            module = model.get_submodule(padding.name)
            pads = list(numbers.get(padding.name, {}).get("padding", module.padding))
            for at, index in ((-2, padding.before), (-1, padding.after)):
                pads[at] -= sum(len(positions) for kept, positions in zip(flags, index, strict=True) if not kept)
            numbers[padding.name] = {"padding": tuple(pads)}
    return numbers
