"""How a task calls its network: what channels are followed with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from secateurs.core import Batch, Group, PruningError, Task, evaluating
from secateurs.how import channel_groups


def groups_of(model: nn.Module, task: Task, example: Batch, exclude: Sequence[str] = ()) -> tuple[Group, ...]:
    """:func:`~secateurs.how.channel_groups`, following the forward pass that the task makes of the example.

    Raises:
        PruningError: as that does, and when the task does not call the model.
    """
    return channel_groups(model, call_of(model, task, example), exclude=exclude)


def call_of(model: nn.Module, task: Task, example: Batch) -> tuple[Any, ...] | Mapping[str, Any]:
    """The arguments with which the task calls the model: a tuple, or by keyword where some are.

    Raises:
        PruningError: when it does not call it, or in a way that neither says.

    >>> from secateurs.zoo import Classification
    >>> (inputs,) = call_of(nn.Linear(3, 2), Classification(2), Batch(torch.zeros(2, 3), torch.zeros(2).long()))
    >>> inputs.shape
    torch.Size([2, 3])
    """
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    handle = model.register_forward_pre_hook(lambda _model, args, kwargs: seen.append((args, kwargs)), with_kwargs=True)
    try:
        with evaluating(model), torch.no_grad():
            task.output(model, example)
    finally:
        handle.remove()
    if not seen:
        raise PruningError(
            f"task: {type(task).__name__}.output does not call the model, but parts of it: its channels cannot be "
            "followed; give the pruner the module that is called"
        )
    args, kwargs = seen[0]
    if not args:
        return kwargs
    return args if not kwargs else _by_name(model, args, kwargs)


def _by_name(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    taken = inspect.signature(model.forward).parameters.values()
    names = [each.name for each in taken if each.kind is each.POSITIONAL_OR_KEYWORD][: len(args)]
    if len(names) < len(args):
        raise PruningError(
            f"task: {type(model).__name__} is called with positional arguments that have no names and with keywords "
            "besides: its channels cannot be followed; call it with one or the other"
        )
    return dict(zip(names, args, strict=True)) | kwargs
