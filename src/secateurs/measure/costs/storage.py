"""Bytes on disk: dense as stored, and in compressed sparse rows (P1 appendix D)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from secateurs.measure.costs.work import Cost

INDEX_BYTES = 4
"""An int32 index."""


def csr_bytes(rows: int, kept: int, value_bytes: int, index_bytes: int = INDEX_BYTES) -> int:
    """A matrix in compressed sparse rows: values, a column index for each, and rows + 1 row pointers.

    >>> csr_bytes(rows=10, kept=50, value_bytes=4), csr_bytes(rows=10, kept=50, value_bytes=2)
    (444, 344)
    """
    return kept * (value_bytes + index_bytes) + (rows + 1) * index_bytes


def bytes_of(model: nn.Module, names: Sequence[str], *, value_bytes: int | None = None) -> Cost:
    """Bytes of all parameters, those in ``names`` in compressed sparse rows with 32-bit indices.

    A layer of shape [rows, ...] is a matrix of so many rows: kept * (bytes of a weight + 4) + (rows + 1) * 4
    bytes. The others are stored dense. Shared parameters count once; buffers and file headers are not counted. Above
    a density of a half (float32) or a third (16 bits) sparse rows take more than the dense layer.

    Args:
        value_bytes: of a floating-point number; None: as stored. P1 counts with 2, of all vectors of the format;
            here indices stay at 4, since a row pointer of 2 bytes cannot count beyond 65,535 weights.

    >>> bytes_of(nn.Linear(100, 10), ["weight"])
    Cost(dense=4040, fixed=84, each={'weight': 8})
    >>> bytes_of(nn.Linear(100, 10), ["weight"], value_bytes=2)
    Cost(dense=2020, fixed=64, each={'weight': 6})
    """

    def size(parameter: nn.Parameter) -> int:
        own = parameter.element_size()
        return own if value_bytes is None or not parameter.is_floating_point() else value_bytes

    parameters = dict(model.named_parameters(remove_duplicate=False))
    dense = sum(p.numel() * size(p) for p in model.parameters())
    sparse = {name: parameters[name] for name in names}
    rest = dense - sum(p.numel() * size(p) for p in sparse.values())
    rows = sum(csr_bytes(len(p), 0, size(p)) for p in sparse.values())
    return Cost(dense, rest + rows, {name: size(p) + INDEX_BYTES for name, p in sparse.items()})


def buffer_bytes(model: nn.Module) -> int:
    """Bytes of the buffers that a state dict holds beside the parameters: running statistics.

    >>> buffer_bytes(nn.BatchNorm2d(3))  # two float32 vectors, and an int64 count
    32
    """
    parameters = {id(p) for p in model.parameters()}
    stored = {id(t): t for t in model.state_dict(keep_vars=True).values() if id(t) not in parameters}
    return sum(t.numel() * t.element_size() for t in stored.values() if hasattr(t, "element_size"))
