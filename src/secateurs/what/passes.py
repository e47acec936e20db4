"""Passes over a model with other tensors than its own: how examples are divided, and what may not be written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from secateurs.core import Batch, PruningError, Task


class Inside(nn.Module):
    """Calls a function while ``functional_call`` has replaced what is in ``model``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, call: Callable[[], Any]) -> Any:
        return call()


class WrittenError(Exception):
    """An operation was about to write to what is only lent."""


class Lent(TorchDispatchMode):
    """While open, no operation writes to these tensors: it raises :class:`WrittenError` instead.

    Models that write to their parameters as they compute (a norm that is bounded in ``forward``) are so found
    before they have done it, and get copies. All others do with the parameters themselves: nothing is copied.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._lent = {tensor.untyped_storage()._cdata for tensor in tensors if tensor.layout == torch.strided}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch imports dynamo, a second and more, for a mode that is never compiled

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for every operation."""
        del types
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            for position, argument in enumerate(func._schema.arguments):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    given = args[position] if position < len(args) else kwargs.get(argument.name)
                    for each in given if isinstance(given, list | tuple) else (given,):
                        if self._is_lent(each):
                            raise WrittenError
        return func(*args, **kwargs)

    def _is_lent(self, each: object) -> bool:
        return (
            isinstance(each, Tensor)
            and each.layout == torch.strided  # others have no storage of their own
            and each.untyped_storage()._cdata in self._lent
        )


def divided(batches: Sequence[Batch], task: Task, micro_batch: int | None, called: str) -> list[tuple[Batch, float]]:
    """Each pass with its share of the examples.

    Raises:
        PruningError: without examples.
    """
    if micro_batch is not None:
        batches = [
            Batch(batch.inputs[start : start + micro_batch], batch.targets[start : start + micro_batch])
            for batch in batches
            for start in range(0, len(batch.inputs), micro_batch)
        ]
    sizes = [task.size(batch) for batch in batches]
    if not sum(sizes):
        raise PruningError(f"{called}: no data; pass batches of training examples, e.g. 10 per class")
    return [(batch, size / sum(sizes)) for batch, size in zip(batches, sizes, strict=True) if size]


def nodes_of(tensors: Sequence[Tensor]) -> Iterator[Any]:
    """The nodes of the graph that tensors were computed by, each once."""
    waiting, seen = [tensor.grad_fn for tensor in tensors], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            yield node
            seen.add(node)
            waiting.extend(below for below, _ in node.next_functions)


def differentiable_once(gradients: Sequence[Tensor]) -> bool:
    """Whether something in the gradients' graph is marked ``@once_differentiable``; autograd.grad passes it over."""
    return any(node.name().endswith("::Error") for node in nodes_of(gradients))


def wide(values: Tensor) -> torch.dtype:
    """What sums are taken in: float32 at least."""
    return torch.promote_types(values.dtype, torch.float32)


def into(total: Tensor, share: float, leaf: Tensor) -> None:
    """Once the gradient of ``leaf`` is there: it goes into a sum, and away."""
    if leaf.grad is not None:
        total.add_(leaf.grad, alpha=share)
        leaf.grad = None
