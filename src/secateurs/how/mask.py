"""A mask: which entries of which parameters are kept. A value: immutable, comparable, storable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from secateurs.core import PruningError
from secateurs.how.packing import pack, pack_bits, unpack


class Mask(Mapping[str, Tensor]):
    """Parameter name -> bool tensor of the parameter's shape on the CPU, True = kept.

    Immutable: the constructor copies, and every access returns a fresh copy. Two masks are
    equal when names, shapes and bits are, in whatever order the names stand. All counts are
    over the entries of the mask, that is, over prunable weights. There is no method for the
    inverted mask: pruning the top is ``keep_top`` of the negated scores.

    Args:
        tensors: bool tensors, or tensors of zeros and ones of any dtype and device.

    Raises:
        PruningError: when there is no entry, or a value is neither 0 nor 1.

    >>> mask = Mask({"a": torch.tensor([True, False]), "b": torch.tensor([1, 1, 0])})
    >>> mask
    Mask(density=0.6, kept=3, total=5, layers=2)
    >>> mask.layer_densities()
    {'a': 0.5, 'b': 0.6666666666666666}
    >>> mask.distance(Mask.full(mask))
    0.4
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = {name: _as_bool(name, tensor) for name, tensor in tensors.items()}
        if not any(tensor.numel() for tensor in self._tensors.values()):
            raise PruningError("a mask needs at least one entry: was it made for a model without prunable weights?")

    @classmethod
    def _adopt(cls, flags: Mapping[str, Tensor]) -> Mask:
        """A mask of fresh bool tensors, at least one entry among them, that nobody else holds: they are not copied."""
        mask = cls.__new__(cls)
        mask._tensors = {name: tensor.cpu() for name, tensor in flags.items()}
        return mask

    @classmethod
    def full(cls, parameters: Mapping[str, Tensor]) -> Mask:
        """The mask that keeps everything, with the names and shapes of ``parameters``."""
        return cls({name: torch.ones(p.shape, dtype=torch.bool) for name, p in parameters.items()})

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name].clone()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"Mask(density={self.density:.6g}, kept={self.kept}, total={self.total}, layers={len(self)})"

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Mask) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of names, shapes and bits; the same on every machine and in any order of names."""
        sha = hashlib.sha256()
        for name in sorted(self._tensors):
            sha.update(json.dumps([name, list(self._tensors[name].shape)]).encode() + b"\n")
            sha.update(pack_bits(self._tensors[name]).numpy().tobytes())
        return sha.hexdigest()

    @cached_property
    def kept(self) -> int:
        """Number of entries kept."""
        return sum(_count(tensor) for tensor in self._tensors.values())

    @cached_property
    def total(self) -> int:
        """Number of entries."""
        return sum(tensor.numel() for tensor in self._tensors.values())

    @property
    def density(self) -> float:
        """Share of entries kept, in [0, 1]."""
        return self.kept / self.total

    def layer_densities(self) -> dict[str, float]:
        """Share of entries kept in each layer, in [0, 1]; a layer without entries counts as full."""
        return {name: _count(t) / t.numel() if t.numel() else 1.0 for name, t in self._tensors.items()}

    def unit_densities(self) -> dict[str, Tensor]:
        """Share of entries kept in each output unit of each layer: float64 vectors, in [0, 1].

        A unit is an index of the first dimension: a neuron of a Linear layer, a channel of a
        convolution. Units at 0 are emptied: nothing enters them. Global scores empty many (neuron
        collapse, P2 section 5.7.1), which a layer's density does not show; the share of units with
        a sparsity of at least s is what P2 figure 5-6 draws. A unit without entries counts as full.

        >>> mask = Mask({"a": torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0]])})
        >>> units = mask.unit_densities()["a"]
        >>> units.tolist(), int((units == 0).sum())
        ([0.25, 0.0], 1)
        """
        return {name: _unit_densities(tensor) for name, tensor in self._tensors.items()}

    def empty_layers(self) -> tuple[str, ...]:
        """The layers in which nothing is left (layer collapse): nothing gets through them any more.

        >>> Mask({"a": torch.zeros(2), "b": torch.ones(2)}).empty_layers()
        ('a',)
        """
        return tuple(name for name, density in self.layer_densities().items() if density == 0)

    def distance(self, other: Mask) -> float:
        """Hamming distance to another mask, normalised by the number of entries: in [0, 1].

        Raises:
            PruningError: when the two masks differ in names or shapes.
        """
        differing = self._combined(other, torch.logical_xor)
        return sum(_count(tensor) for tensor in differing.values()) / self.total

    def __and__(self, other: Mask) -> Mask:
        """The entries that both masks keep.

        Raises:
            PruningError: when the two masks differ in names or shapes.
        """
        return Mask(self._combined(other, torch.logical_and)) if isinstance(other, Mask) else NotImplemented

    def shuffled(self, generator: torch.Generator) -> Mask:
        """The same number of entries in every layer, at random places (P2 section 5.7.1).

        Equal masks are shuffled equally by equal generators, whatever the order of their names.

        Raises:
            PruningError: when ``generator`` is not a CPU generator.
        """
        if generator.device.type != "cpu":
            raise PruningError(f"shuffled: needs a CPU generator, got one on {generator.device}")
        tensors = dict(self._tensors)
        for name in sorted(tensors):
            flat = tensors[name].flatten()
            tensors[name] = flat[torch.randperm(flat.numel(), generator=generator)].reshape(tensors[name].shape)
        return Mask(tensors)

    def to_tensors(self) -> dict[str, Tensor]:
        """The mask as uint8 tensors with names under ``mask/``, to be stored among others; one bit per entry.

        >>> mask = Mask({"a": torch.tensor([True, False])})
        >>> Mask.from_tensors({"weights": torch.zeros(3), **mask.to_tensors()}) == mask
        True
        """
        return pack(self._tensors, self.digest)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Mask:
        """The mask among ``tensors``, as :meth:`to_tensors` wrote it; everything not under ``mask/`` is ignored.

        Raises:
            PruningError: when there is no mask among them, or it is damaged or of another format.
        """
        flags, digest = unpack(tensors)
        mask = cls(flags)
        if mask.digest != digest:
            raise PruningError("the stored mask is damaged: its digest does not match its bits; make it anew")
        return mask

    def save(self, path: str | Path) -> None:
        """Write the mask to a safetensors file, one bit per entry.

        Raises:
            PruningError: when the file cannot be written.
        """
        try:
            save_file(self.to_tensors(), path)
        except (OSError, SafetensorError) as error:
            raise PruningError(f"cannot write the mask to {path}: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Mask:
        """Read a mask that :meth:`save` wrote.

        Raises:
            PruningError: when the file is absent, truncated, damaged or not a mask.
        """
        try:
            return cls.from_tensors(load_file(path))
        except (OSError, SafetensorError) as error:
            raise PruningError(f"cannot read a mask from {path}: {error}") from error
        except PruningError as error:
            raise PruningError(f"cannot read a mask from {path}: {error}") from error

    def _combined(self, other: Mask, operation: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
        for name in [*self, *(name for name in other if name not in self)]:
            mine, theirs = self._tensors.get(name), other._tensors.get(name)
            if mine is None or theirs is None:
                raise PruningError(f"masks of different models: {name!r} is in only one of them")
            if mine.shape != theirs.shape:
                raise PruningError(f"masks differ in the shape of {name!r}: {tuple(mine.shape)}, {tuple(theirs.shape)}")
        return {name: operation(tensor, other._tensors[name]) for name, tensor in self._tensors.items()}


def _as_bool(name: str, tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    if tensor.dtype != torch.bool and not bool(((tensor == 0) | (tensor == 1)).all()):
        raise PruningError(f"mask of {name!r}: expected bools, or zeros and ones only, in a tensor of {tensor.dtype}")
    return tensor.to("cpu", torch.bool, copy=True).contiguous()


def _count(flags: Tensor) -> int:
    return int(np.count_nonzero(flags.numpy()))  # six times as fast as torch's sum of bools


def _unit_densities(flags: Tensor) -> Tensor:
    units = flags.flatten(1) if flags.ndim > 1 else flags.reshape(-1, 1)
    if not units.shape[1]:
        return torch.ones(len(units), dtype=torch.float64)
    return units.sum(1).double() / units.shape[1]
