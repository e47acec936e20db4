"""Data as measures take them: a set of examples, or what a loop of one's own iterates over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from secateurs.core import Batch, DataError, Examples

Data = Examples | Iterable[Any]
"""Examples, or batches that can be gone through again and again: a list, a ``DataLoader``.

Batches are pairs ``(inputs, targets)`` on the model's device. Leave augmentation out: what is
compared is to be measured on the same examples.
"""


def batches_of(data: Data, size: int, called: str) -> Iterator[Batch]:
    """The batches of ``data``; of a set of examples ``size`` at a time, others as they come.

    Raises:
        DataError: for what is no batch, for what can be gone through only once, and when nothing comes.

    >>> import torch
    >>> loader = [(torch.ones(2, 3), torch.zeros(2)), (torch.ones(1, 3), torch.zeros(1))]
    >>> [len(batch.targets) for batch in batches_of(loader, 512, "evaluate")]
    [2, 1]
    """
    if isinstance(data, Batch | Tensor):
        raise DataError(f"{called}: batches are several: pass a list, [batch]")
    if not isinstance(data, Examples) and iter(data) is data:
        raise DataError(f"{called}: batches are gone through more than once: pass a list or a loader, no iterator")
    some = False
    for each in data.batches(size) if isinstance(data, Examples) else data:
        if not (isinstance(each, tuple | list) and len(each) == 2 and all(isinstance(part, Tensor) for part in each)):
            raise DataError(
                f"{called}: a batch is a pair of tensors (inputs, targets), got {type(each).__name__}: "
                "pass such pairs, and a task that knows what they mean"
            )
        some = True
        yield each if isinstance(each, Batch) else Batch(*each)
    if not some:
        raise DataError(f"{called}: no examples")
