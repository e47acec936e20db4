"""The tensors that a structure holds, whatever kind of object it is; and copies of models that hold some."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import PruningError

_PLAIN = (
    int,
    float,
    complex,
    str,
    bytes,
    range,
    slice,
    type,
    Enum,
    torch.dtype,
    torch.device,
    torch.layout,
    torch.Generator,
)

_CONTAINERS = (list, tuple, set, frozenset, deque)


def tensors_of(structure: object) -> tuple[list[Tensor], list[object]]:
    """All tensors in a structure, and what may hold tensors but cannot be looked into (a generator, an array).

    Containers, dataclasses and any object with attributes are looked into; modules are not.

    >>> from types import SimpleNamespace
    >>> tensors_of({"logits": [torch.zeros(1)], "more": SimpleNamespace(hidden=torch.ones(1), layers=2)})
    ([tensor([0.]), tensor([1.])], [])
    """
    found: list[Tensor] = []
    closed: list[object] = []
    waiting, seen = [structure], {}
    while waiting:
        each = waiting.pop()
        if id(each) in seen or each is None or isinstance(each, (*_PLAIN, nn.Module)):
            continue
        seen[id(each)] = each  # held on to, so that no other object gets its id
        if isinstance(each, Tensor):
            found.append(each)
            continue
        inside = [*each.values()] if isinstance(each, Mapping) else []
        if isinstance(each, _CONTAINERS):
            inside += each
        slots = [name for kind in type(each).__mro__ for name in _names(kind.__dict__.get("__slots__", ()))]
        inside += [getattr(each, name) for name in slots if hasattr(each, name)]
        inside += getattr(each, "__dict__", {}).values()
        container = isinstance(each, (Mapping, *_CONTAINERS))
        if not container and (callable(each) or not (slots or hasattr(each, "__dict__"))):
            closed.append(each)
        waiting += reversed(inside)
    return found, closed


def _names(slots: str | tuple[str, ...]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def copied_model(model: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """``copy.deepcopy(model, memo)``.

    Raises:
        PruningError: naming the module that keeps a tensor with its graph, which torch does not copy.
    """
    try:
        return copy.deepcopy(model, memo)
    except RuntimeError as error:
        for name, module in model.named_modules():
            for attribute, value in vars(module).items():
                if attribute in ("_parameters", "_modules"):
                    continue
                if any(not tensor.is_leaf for tensor in tensors_of(value)[0]):
                    told = f"{name!r} ({type(module).__name__})" if name else f"the model ({type(module).__name__})"
                    raise PruningError(
                        f"the model cannot be copied: {told} keeps a tensor with the graph that it was computed by, "
                        f"in {attribute!r}: detach it where it is kept, or delete it first"
                    ) from error
        raise PruningError(f"the model cannot be copied: {error}") from error
