"""Batches as scores take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from secateurs.core import Batch, PruningError


def batches_of(batches: Iterable[Any], called: str) -> Iterator[Batch]:
    """Batches, made of plain pairs ``(inputs, targets)`` where they are such.

    Raises:
        PruningError: for a single batch where several are expected, and for what is no batch.

    >>> import torch
    >>> [type(batch).__name__ for batch in batches_of([(torch.ones(2, 3), torch.zeros(2))], "snip")]
    ['Batch']
    """
    if isinstance(batches, Batch | Tensor):
        raise PruningError(f"{called}: batches are several: pass a list, [batch]")
    for each in batches:
        pair = isinstance(each, tuple | list) and len(each) == 2 and all(isinstance(part, Tensor) for part in each)
        if not pair:
            raise PruningError(
                f"{called}: a batch is a pair of tensors (inputs, targets), got {type(each).__name__}: "
                "pass such pairs, and a task that knows what they mean"
            )
        yield each if isinstance(each, Batch) else Batch(*each)
