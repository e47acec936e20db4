"""Masks as a handful of tensors, one bit per entry, so that they can be stored among others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod

import numpy as np
import torch
from torch import Tensor

from secateurs.core import PruningError

FORMAT = 1
HEADER = "mask/header"


def pack(flags: Mapping[str, Tensor], digest: str) -> dict[str, Tensor]:
    """Pack CPU bool tensors into uint8 tensors named ``mask/...``; a header keeps order, shapes and digest."""
    shapes = {name: list(tensor.shape) for name, tensor in flags.items()}
    header = json.dumps({"format": FORMAT, "shapes": shapes, "digest": digest}).encode()
    packed = {_key(name): pack_bits(tensor) for name, tensor in flags.items()}
    return {HEADER: torch.tensor(list(header), dtype=torch.uint8), **packed}


def unpack(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The bool tensors and the digest that :func:`pack` packed; other tensors are ignored.

    Raises:
        PruningError: when there is no packed mask among ``tensors``, or it is damaged or of another format.
    """
    if HEADER not in tensors:
        raise PruningError(f"there is no mask among the tensors: {HEADER!r} is missing")
    try:
        header = json.loads(bytes(tensors[HEADER].tolist()))
        if header["format"] != FORMAT:
            raise PruningError(
                f"the mask is in format {header['format']!r}, this version of secateurs reads format {FORMAT}"
            )
        flags = {name: _unpack_bits(tensors[_key(name)], shape) for name, shape in header["shapes"].items()}
        return flags, str(header["digest"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PruningError(f"the stored mask is damaged: {error!r}; make it anew") from error


def pack_bits(flags: Tensor) -> Tensor:
    """A CPU bool tensor as uint8, eight entries to a byte in flat order, the first in the highest bit.

    >>> pack_bits(torch.tensor([True, False, False, False, False, False, False, True, True])).tolist()
    [129, 128]
    """
    return torch.from_numpy(np.packbits(flags.numpy().reshape(-1)))


def _unpack_bits(packed: Tensor, shape: list[int]) -> Tensor:
    count = prod(shape)
    if packed.dtype != torch.uint8 or packed.numel() != (count + 7) // 8:
        raise ValueError(f"{packed.numel()} values of {packed.dtype} for {count} bits")
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=count).view(np.bool_)).reshape(shape)


def _key(name: str) -> str:
    return f"mask/{name}/bits"
