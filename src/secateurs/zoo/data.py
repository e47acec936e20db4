"""Data sets that live on the device: uint8 tensors, normalised and augmented batch by batch.

Where there are too many images for that, they stay in their files and each batch is decoded in its
turn (:class:`~secateurs.zoo.streamed.StreamedImages`); the rest is the same.

The order of an epoch and its augmentation follow from ``(seed, epoch)`` alone, whatever was
trained, resumed or pruned before.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from secateurs.core import Batch, DataError, Task, generator_for
from secateurs.zoo.augment import AUGMENTATIONS
from secateurs.zoo.streamed import Images, StreamedImages, fetched, taken

Augmentation = Literal["none", "shift", "flip_crop", "flip_crop_rotate"]


@dataclass(frozen=True)
class ImageSet:
    """Labelled images on one device.

    Args:
        images: ``[N, C, H, W]`` uint8, in memory or streamed.
        targets: ``[N]`` int64 class indices.
        mean, std: per channel, ``[C]`` float32, in units of ``images``.
        margin: pixels on each side of the images that are for augmentation to move into; networks see
            ``[C, H - 2 margin, W - 2 margin]``, the middle where nothing moves it.
    """

    images: Images
    targets: Tensor
    mean: Tensor
    std: Tensor
    margin: int = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example as networks see it, ``(C, H, W)``."""
        channels, height, width = self.images.shape[1:]
        return channels, height - 2 * self.margin, width - 2 * self.margin

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, index: Tensor) -> Batch:
        """The examples at ``index`` (``[n]`` int64), normalised, unaugmented."""
        return Batch(self._shown(self.images[index]), self.targets[index])

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        """The first ``limit`` examples in their own order, unaugmented, ``size`` at a time."""
        end = len(self) if limit is None else min(limit, len(self))
        parts = [slice(start, min(start + size, end)) for start in range(0, end, size)]
        for part, images in zip(parts, fetched(self.images, parts), strict=True):
            yield Batch(self._shown(images), self.targets[part])

    def epoch(
        self, epoch: int, batch_size: int, seed: int, augment: Augmentation = "none", first_step: int = 0
    ) -> Iterator[Batch]:
        """One epoch in the order that ``(seed, epoch)`` says, augmented; the last batch may be smaller.

        ``first_step`` leaves out the batches before it and changes nothing about the others: a
        run that goes on in mid-epoch sees what an undisturbed one sees.
        """
        order = torch.randperm(len(self), generator=generator_for("order", seed, epoch)).to(self.targets.device)
        change, parts = AUGMENTATIONS[augment], order.split(batch_size)[first_step:]
        for step, (index, images) in enumerate(zip(parts, fetched(self.images, parts), strict=True), first_step):
            randomness = generator_for("augmentation", seed, epoch, step)
            yield Batch(self._normalised(change(images, randomness, margin=self.margin)), self.targets[index])

    def steps_per_epoch(self, batch_size: int) -> int:
        """Batches in one epoch.

        Raises:
            DataError: when one batch asks for more examples than there are.
        """
        if batch_size > len(self):
            raise DataError(
                f"batch_size {batch_size} is larger than the {len(self)} training examples: "
                f"set train.batch_size to at most {len(self)}"
            )
        return math.ceil(len(self) / batch_size)

    def balanced(self, per_class: int, generator: torch.Generator) -> Iterator[Batch]:
        """One batch with ``per_class`` examples of every class, drawn with a CPU ``generator``.

        Raises:
            DataError: naming the class that has fewer examples.
        """
        targets, chosen = self.targets.cpu(), []
        for label in targets.unique().tolist():
            members = (targets == label).nonzero().flatten()
            if len(members) < per_class:
                raise DataError(
                    f"class {label} has {len(members)} training examples, {per_class} per class are asked for: "
                    f"set prune.examples_per_class to at most {len(members)}"
                )
            chosen.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
        yield self.batch(torch.cat(chosen).to(self.targets.device))

    def subset(self, index: Tensor) -> ImageSet:
        """The examples at ``index``, in that order."""
        return replace(self, images=taken(self.images, index), targets=self.targets[index])

    def probe(self, size: int, seed: int) -> ImageSet:
        """``size`` fixed examples in a random order: the same for every epoch of a run."""
        order = torch.randperm(len(self), generator=generator_for("probe", seed))[:size]
        return self.subset(order.to(self.targets.device))

    def to(self, device: torch.device | str) -> ImageSet:
        """The same examples on another device."""
        here = {name: getattr(self, name).to(device) for name in ("images", "targets", "mean", "std")}
        return replace(self, **here)

    def _shown(self, images: Tensor) -> Tensor:
        """Normalised, without margins."""
        m = self.margin
        return self._normalised(images[..., m : images.shape[-2] - m, m : images.shape[-1] - m])

    def _normalised(self, images: Tensor) -> Tensor:
        shape = (1, -1, 1, 1)
        return (images.float() - self.mean.view(shape)).div_(self.std.view(shape))


@dataclass(frozen=True)
class Dataset:
    """A named data set in three parts; nothing is chosen on ``test``."""

    name: str
    title: str
    task: Task
    num_classes: int
    train: ImageSet
    validation: ImageSet
    test: ImageSet

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            check_classes(getattr(self, part).targets, self.num_classes, f"{self.name}, {part} split")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example, ``(C, H, W)``."""
        return self.train.input_shape

    @property
    def example(self) -> Tensor:
        """One example of zeros, ``[1, C, H, W]`` of the inputs' type, on their device: to trace networks with."""
        return torch.zeros(1, *self.input_shape, device=self.train.targets.device)

    @cached_property
    def digest(self) -> str:
        """sha256 over every part's images and labels: goes into the key of each job that reads them.

        Streamed images are stood for by the names, sizes and times of change of their files. Computed
        once: it is asked for by every job of a study.
        """
        total = hashlib.sha256(self.name.encode())
        for part in (self.train, self.validation, self.test):
            if part.margin:
                total.update(f"margin {part.margin}".encode())
            for tensor in (part.images, part.targets, part.mean, part.std):
                if isinstance(tensor, StreamedImages):
                    total.update(f"{tensor.digest} {tensor.shape}".encode())
                    continue
                total.update(str((tuple(tensor.shape), tensor.dtype)).encode())
                total.update(tensor.cpu().contiguous().numpy().reshape(-1).data)
        return total.hexdigest()

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set on another device."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )


def check_classes(targets: Tensor, num_classes: int, where: str) -> None:
    """Every class occurs, and no label lies outside ``0 .. num_classes - 1``.

    Raises:
        DataError: naming the class or label and the split.

    >>> check_classes(torch.tensor([0, 2]), 3, "digits, validation split")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.DataError: digits, validation split: no example of class 1 ...
    """
    if len(targets) == 0:
        raise DataError(f"{where}: is empty")
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= num_classes:
        raise DataError(f"{where}: label {low if low < 0 else high} lies outside 0..{num_classes - 1}")
    missing = (torch.bincount(targets.cpu(), minlength=num_classes) == 0).nonzero().flatten().tolist()
    if missing:
        names = ", ".join(map(str, missing[:10])) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        raise DataError(
            f"{where}: no example of class {names} among {len(targets)}: use more examples or a stratified split"
        )
