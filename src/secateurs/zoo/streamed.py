"""Images too many for memory: they stay in their files and are decoded when a batch asks for them."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from secateurs.core import generator_for

AHEAD = 2
"""Batches that are being decoded while another is in use."""

MOST_WORKERS = 16


@dataclass(frozen=True, eq=False)
class StreamedImages:
    """What a tensor of images is to :class:`~secateurs.zoo.data.ImageSet`, without holding more than a few batches.

    A pool of threads decodes the images of a batch side by side, and of the next two while the caller
    works (decoders let go of the interpreter's lock). Which images come, in which order and with which
    bits is the caller's choice alone: neither threads nor their number have a say.

    Args:
        files: paths, as ``decode`` takes them.
        decode: one file to ``[C, H, W]`` uint8 on the CPU; raises DataError naming a file that is no image.
        image_shape: ``(C, H, W)`` of every image.
        digest: what the images are; stands for them in the data set's digest.
        device: where batches go.

    >>> def decode(file: str) -> Tensor:
    ...     return torch.full((1, 1, 1), int(file), dtype=torch.uint8)
    >>> images = StreamedImages(["3", "5", "7"], decode, (1, 1, 1), digest="")
    >>> images[torch.tensor([2, 0])].flatten().tolist()
    [7, 3]
    """

    files: Sequence[str]
    decode: Callable[[str], Tensor]
    image_shape: tuple[int, int, int]
    digest: str
    device: str | torch.device = "cpu"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, C, H, W)``."""
        return (len(self.files), *self.image_shape)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """The images at ``index`` (``[n]`` int64, or a slice), ``[n, C, H, W]`` uint8."""
        return next(self.each([index]))

    def each(self, wanted: Iterable[Tensor | slice]) -> Iterator[Tensor]:
        """The images at each of these indices in turn; the next ones are decoded meanwhile.

        Raises:
            DataError: naming a file that cannot be decoded, when its batch is due.
        """
        with ThreadPoolExecutor(_workers(), "decode") as pool:
            due: deque[tuple[Tensor, list[Future[None]]]] = deque()
            try:
                for index in wanted:
                    due.append(self._begun(pool, index))
                    if len(due) > AHEAD:
                        yield self._finished(*due.popleft())
                while due:
                    yield self._finished(*due.popleft())
            finally:
                for _, futures in due:
                    for future in futures:
                        future.cancel()

    def subset(self, index: Tensor) -> StreamedImages:
        """The images at ``index``, in that order; none is read."""
        places = index.cpu()
        digest = hashlib.sha256(self.digest.encode() + places.numpy().tobytes()).hexdigest()
        return replace(self, files=[self.files[place] for place in places.tolist()], digest=digest)

    def sample(self, size: int) -> StreamedImages:
        """At most ``size`` of the images, the same ones at all times."""
        order = torch.randperm(len(self.files), generator=generator_for("streamed sample"))
        return self.subset(order[:size].sort().values)

    def to(self, device: torch.device | str) -> StreamedImages:
        """The same images for another device."""
        return replace(self, device=device)

    def _begun(self, pool: ThreadPoolExecutor, index: Tensor | slice) -> tuple[Tensor, list[Future[None]]]:
        files = self.files[index] if isinstance(index, slice) else [self.files[place] for place in index.tolist()]
        images = torch.empty((len(files), *self.image_shape), dtype=torch.uint8)

        def put(place: int, file: str) -> None:
            images[place] = self.decode(file)

        return images, [pool.submit(put, place, file) for place, file in enumerate(files)]

    def _finished(self, images: Tensor, futures: list[Future[None]]) -> Tensor:
        for future in futures:
            future.result()
        return images.to(self.device)


Images = Tensor | StreamedImages


def fetched(images: Images, wanted: Iterable[Tensor | slice]) -> Iterator[Tensor]:
    """The images at each of these indices in turn, from memory or from files.

    >>> [part.tolist() for part in fetched(torch.arange(5), [slice(0, 2), torch.tensor([4, 0])])]
    [[0, 1], [4, 0]]
    """
    return images.each(wanted) if isinstance(images, StreamedImages) else (images[index] for index in wanted)


def taken(images: Images, index: Tensor) -> Images:
    """The images at ``index``, as they are kept."""
    return images.subset(index) if isinstance(images, StreamedImages) else images[index]


def _workers() -> int:
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
