"""Masked layers in compressed sparse rows: the weights that are kept, their columns, and where each row begins."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from secateurs.core import ExportError
from secateurs.export.files import draft
from secateurs.export.states import checked_mask, digest, owned, state_of
from secateurs.how import Mask
from secateurs.pruner.wrappers import bare

_KEY = "secateurs_csr"
_PARTS = ("values", "columns", "rows")
_MOST = 2**31 - 1


@dataclass(frozen=True)
class Csr:
    """A weight in compressed sparse rows. A layer of shape [rows, ...] is a matrix of so many rows.

    Attributes:
        values: the kept weights [kept], row by row, in the weight's own precision.
        columns: of each of them [kept], int32, ascending within a row.
        rows: where each row begins in the values, and their number at the end [rows + 1], int32.
        shape: of the weight.
    """

    values: Tensor
    columns: Tensor
    rows: Tensor
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of values, columns and rows."""
        return sum(part.numel() * part.element_size() for part in (self.values, self.columns, self.rows))

    def kept(self) -> Tensor:
        """Which entries are kept: bools of the weight's shape."""
        flags = torch.zeros(self.shape, dtype=torch.bool).flatten(1)
        flags[self._row_of_each(), self.columns.long()] = True
        return flags.reshape(self.shape)

    def to_dense(self) -> Tensor:
        """The weight with zeros in place; kept entries have the bits that they had."""
        dense = torch.zeros(self.shape, dtype=self.values.dtype).flatten(1)
        dense[self._row_of_each(), self.columns.long()] = self.values
        return dense.reshape(self.shape)

    def to_torch(self) -> Tensor:
        """The matrix [rows, columns] as torch's own sparse tensor, without the warning that these are in beta."""
        size = (self.shape[0], self.columns_of_shape)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(self.rows, self.columns, self.values, size, check_invariants=True)

    @property
    def columns_of_shape(self) -> int:
        """How many columns the matrix has."""
        return torch.Size(self.shape[1:]).numel()

    def _row_of_each(self) -> Tensor:
        return torch.arange(self.shape[0]).repeat_interleave(self.rows.diff())


def to_csr(weight: Tensor, kept: Tensor) -> Csr:
    """The kept entries of a weight, whatever their values are: a kept 0 is stored.

    Raises:
        ExportError: for shapes that differ, weights without a second dimension, or more than 2^31 - 1 kept entries.

    >>> found = to_csr(torch.tensor([[5.0, 0.0, 0.0], [0.0, 6.0, 7.0]]), torch.tensor([[1, 0, 1], [0, 1, 1]]).bool())
    >>> found.values.tolist(), found.columns.tolist(), found.rows.tolist(), found.bytes
    ([5.0, 0.0, 6.0, 7.0], [0, 2, 1, 2], [0, 2, 4], 44)
    """
    if weight.shape != kept.shape or weight.ndim < 2:
        raise ExportError(f"CSR: a weight {list(weight.shape)} with a mask {list(kept.shape)}: both need [rows, ...]")
    flags = kept.detach().bool().cpu().flatten(1)
    if int(flags.count_nonzero()) > _MOST or flags.shape[1] > _MOST:
        raise ExportError(f"CSR: a weight {list(weight.shape)} is too large for 32-bit indices")
    values = weight.detach().cpu().reshape(flags.shape)[flags]
    rows = torch.cat([torch.zeros(1, dtype=torch.int64), flags.sum(1).cumsum(0)])
    return Csr(values, flags.nonzero()[:, 1].to(torch.int32), rows.to(torch.int32), tuple(weight.shape))


def save_csr(model: nn.Module, mask: Mapping[str, Tensor], path: str | Path) -> int:
    """Write a masked network with its masked layers in compressed sparse rows, the rest dense; safetensors.

    A layer stands under ``<name>/values``, ``<name>/columns`` and ``<name>/rows``. With float32 and 32-bit indices that
    is smaller than the dense file below a density of a half.

    Returns:
        Bytes of the file.

    Raises:
        ExportError: when the mask is of another network, weights that it drops are not 0, tensors are tied, or
            the file cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> net, mask = nn.Linear(100, 10), Mask({"weight": torch.eye(10, 100)})
    >>> with torch.no_grad():
    ...     _ = net.weight.mul_(mask["weight"])
    >>> save_csr(net, mask, path) < 10 * 100 * 4
    True
    >>> state, again = load_csr(path)
    >>> torch.equal(state["weight"], net.weight), again == mask
    (True, True)
    """
    path = Path(path)
    state, tied = state_of(bare(model))
    if tied:
        raise ExportError(f"CSR: {', '.join(map(repr, tied))} share their tensors with others: use save_network")
    checked_mask(mask, state)
    tensors: dict[str, Tensor] = {}
    for name, tensor in owned(state).items():
        if name in mask:
            matrix = to_csr(tensor, mask[name])
            tensors |= {f"{name}/{part}": getattr(matrix, part) for part in _PARTS}
        else:
            tensors[name] = tensor
    shapes = {name: list(state[name].shape) for name in mask}
    text = json.dumps({"shapes": shapes, "digest": digest(json.dumps(shapes), tensors)})
    with draft(path) as file:
        save_file(tensors, file, {"format": "pt", _KEY: text})
    return path.stat().st_size


def load_csr(path: str | Path) -> tuple[dict[str, Tensor], Mask]:
    """The state that :func:`save_csr` wrote, with zeros in place, for ``load_state_dict``; and its mask.

    Raises:
        ExportError: when the file is absent, damaged, changed or not of this kind.
    """
    matrices, state = _read(Path(path))
    state |= {name: matrix.to_dense() for name, matrix in matrices.items()}
    return state, Mask({name: matrix.kept() for name, matrix in matrices.items()})


def read_csr(path: str | Path) -> dict[str, Csr]:
    """The layers that :func:`save_csr` wrote in compressed sparse rows, by name, as they are.

    Raises:
        ExportError: as :func:`load_csr`.
    """
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[dict[str, Csr], dict[str, Tensor]]:
    """The sparse layers, and the other tensors."""
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()} if said else {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{path}: cannot be read: {error}") from error
    if said is None:
        raise ExportError(f"{path}: holds no compressed sparse rows: it was not written by save_csr")
    try:
        shapes, expected = (json.loads(said)[key] for key in ("shapes", "digest"))
        intact = digest(json.dumps(shapes), tensors) == expected
        found = {}
        for name, shape in shapes.items():
            values, columns, rows = (tensors.pop(f"{name}/{part}") for part in _PARTS)
            found[name] = Csr(values, columns, rows, tuple(shape))
        intact = intact and all(map(_sound, found.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ExportError(f"{path}: damaged: its description cannot be read: {error!r}; write it anew") from error
    if not intact:
        raise ExportError(f"{path}: damaged or changed: its digest is not that of its content; write it anew")
    return found, tensors


def _sound(matrix: Csr) -> bool:
    """Whether rows and columns are places of a matrix of the shape."""
    rows, columns = matrix.rows, matrix.columns
    return (
        len(rows) == matrix.shape[0] + 1
        and int(rows[0]) == 0
        and int(rows[-1]) == len(columns) == len(matrix.values)
        and bool((rows.diff() >= 0).all())
        and bool(((columns >= 0) & (columns < matrix.columns_of_shape)).all())
    )
