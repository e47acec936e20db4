"""Labels: which channel an entry of an activation belongs to, and which channels are one.

A *node* is a channel somewhere: an output position of a layer, a zero channel of a padding. A *label
tensor* has the shape of an activation and says of each entry at which node it goes: when the node is
removed, the entry is. Label tensors are expanded along every dimension in which they do not vary, so
they take next to no memory. Node 0 is everything that stays: inputs, class outputs, what cannot be cut.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FIXED = 0


class Nodes:
    """A union-find over nodes. Unions are collected and resolved at once, by numpy.

    >>> nodes = Nodes()
    >>> a, b = nodes.fresh(3), nodes.fresh(3)
    >>> nodes.unite(a, b)
    >>> nodes.fix(a[:1], "the model returns it")
    >>> roots = nodes.roots()
    >>> roots[b.numpy()].tolist() == roots[a.numpy()].tolist(), int(roots[b[0]])
    (True, 0)
    """

    def __init__(self) -> None:
        self.count = 1
        self.reasons: list[str] = []
        self._pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def fresh(self, number: int) -> Tensor:
        """Labels [number] of new nodes."""
        start, self.count = self.count, self.count + number
        return torch.arange(start, self.count)

    def unite(self, a: Tensor, b: Tensor) -> None:
        """The nodes of ``a`` and ``b`` (broadcastable labels) are one, entry by entry."""
        a, b = torch.broadcast_tensors(a, b)
        self._pairs.append((a.reshape(-1).numpy(), b.reshape(-1).numpy()))

    def fix(self, labels: Tensor, why: str) -> None:
        """The nodes of ``labels`` stay; ``why`` is told when nothing else can be removed."""
        if bool((labels != FIXED).any()):
            self.reasons.append(why)
            self.unite(core(labels), torch.tensor(FIXED))

    def roots(self) -> NDArray[np.int64]:
        """Node -> the least node that it is one with."""
        parent = np.arange(self.count, dtype=np.int64)
        if not self._pairs:
            return parent
        a, b = (np.concatenate(side) for side in zip(*self._pairs, strict=True))
        a, b = np.unique(np.stack([a, b]), axis=1)
        self._pairs = [(a, b)]
        while not np.array_equal(parent[a], parent[b]):
            low = np.minimum(parent[a], parent[b])
            np.minimum.at(parent, parent[a], low)
            np.minimum.at(parent, parent[b], low)
            while not np.array_equal(parent, parent[parent]):
                parent = parent[parent]
        return parent


def varying(labels: Tensor) -> tuple[int, ...]:
    """The dimensions along which labels are not all alike."""
    return tuple(d for d in range(labels.ndim) if labels.shape[d] > 1 and labels.stride(d) != 0)


def core(labels: Tensor) -> Tensor:
    """Labels with size 1 along every dimension in which they do not vary.

    >>> core(torch.arange(3).reshape(1, 3, 1).expand(2, 3, 4)).shape
    torch.Size([1, 3, 1])
    """
    for d in range(labels.ndim):
        if labels.shape[d] > 1 and labels.stride(d) == 0:
            labels = labels.narrow(d, 0, 1)
    return labels


def settled(labels: Tensor) -> Tensor:
    """The same labels, expanded along every dimension in which they turn out not to vary.

    >>> varying(settled(torch.tensor([[4, 5], [4, 5]])))
    (1,)
    """
    shape = labels.shape
    for d in varying(labels):
        first = labels.narrow(d, 0, 1)
        if bool((core(labels) == core(first)).all()):
            labels = first.expand(labels.shape)
    small = core(labels)
    return small.contiguous().expand(shape)


def along(labels: Tensor, dim: int) -> Tensor | None:
    """Labels [size] along ``dim`` if they vary along no other dimension, else None."""
    if any(d != dim % labels.ndim for d in varying(labels)):
        return None
    line = labels.movedim(dim, -1)
    while line.ndim > 1:
        line = line[0]
    return line


def spread(line: Tensor, shape: torch.Size, dim: int) -> Tensor:
    """Labels of ``shape`` that are ``line`` [size] along ``dim``."""
    view = [1] * len(shape)
    view[dim] = len(line)
    return line.reshape(view).expand(shape)
