"""Scores of several layers that compete, handed out in chunks: never all at once, never copied as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Sizes(NamedTuple):
    """How the work is cut up. No result depends on it."""

    small: int = 2**17
    """Up to so many living scores are ranked at once, without a sample."""
    sample: int = 2**16
    """At most so many scores are sampled."""
    sparse: int = 16
    """Where fewer than one score in so many is alive, the living ones are gathered first."""
    chunk: int = 2**20
    """Bytes of scores at a time on a CPU, of which they and their flags stay in its cache."""
    device_chunk: int = 2**25
    """Bytes of scores at a time elsewhere."""


SIZES = Sizes()


@dataclass(frozen=True)
class Pool:
    """Scores of several layers and which of them are alive (None: all), on the first one's device."""

    scores: Sequence[Tensor]
    alive: Sequence[Tensor | None]
    sizes: Sizes = SIZES

    @property
    def device(self) -> torch.device:
        return self.scores[0].device

    @cached_property
    def dtype(self) -> torch.dtype:
        """In which all scores are compared: exactly, save for integers beyond 2**53 beside floating point."""
        dtypes = {score.dtype for score in self.scores}
        if not any(dtype.is_floating_point for dtype in dtypes):
            return torch.int64
        if any(not dtype.is_floating_point for dtype in dtypes):
            return torch.float64
        return reduce(torch.promote_types, dtypes, torch.float32)  # numpy has no bfloat16

    @cached_property
    def total(self) -> int:
        return sum(score.numel() for score in self.scores)

    @cached_property
    def living(self) -> int:
        count, pairs = self.arrays.count_nonzero, zip(self.scores, self.alive, strict=True)
        return sum(score.numel() if alive is None else int(count(self.array(alive))) for score, alive in pairs)

    @property
    def arrays(self) -> ModuleType:
        """Numpy or torch: what is used of them has the same names and meaning in both."""
        return np if self.device.type == "cpu" else torch

    def array(self, tensor: Tensor) -> Any:
        return tensor.numpy() if self.arrays is np else tensor

    def layers(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Flat scores and flags of each layer."""
        for score, alive in zip(self.scores, self.alive, strict=True):
            yield score.detach().to(self.device).reshape(-1), None if alive is None else alive.reshape(-1)

    def chunks(self, *flags: Sequence[Tensor]) -> Iterator[tuple[Any, ...]]:
        """Chunk by chunk, as arrays: scores, which of them are alive (None: all), and the same part of ``flags``."""
        size = max(1, (self.sizes.chunk if self.arrays is np else self.sizes.device_chunk) // self.dtype.itemsize)
        for (score, alive), *others in zip(self.layers(), *flags, strict=True):
            for start in range(0, len(score), size):
                part = slice(start, start + size)
                living = None if alive is None else self.array(alive[part])
                yield self.array(score[part].to(self.dtype)), living, *(self.array(other[part]) for other in others)

    def blank(self) -> list[Tensor]:
        """Flat flags of each layer, all False."""
        return [torch.zeros(score.numel(), dtype=torch.bool, device=self.device) for score in self.scores]

    def gathered(self) -> Tensor:
        """The living scores alone, in order."""
        result = torch.empty(self.living, dtype=self.dtype, device=self.device)
        array, end = self.array(result), 0
        for values, living in self.chunks():
            part = values if living is None else values[living]
            array[end : end + len(part)] = part
            end += len(part)
        return result

    def scattered(self, flags: Tensor) -> list[Tensor]:
        """Flags of the living scores, in order, as flat flags of each layer."""
        layers, array, end = self.blank(), self.array(flags), 0
        for values, living, here in self.chunks(layers):
            count = len(values) if living is None else int(self.arrays.count_nonzero(living))
            here[slice(None) if living is None else living] = array[end : end + count]
            end += count
        return layers
