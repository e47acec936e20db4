"""Images in folders: ``root/train/<class>/*.png`` and the like; in memory, or from their files batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from secateurs.core import DataError, did_you_mean
from secateurs.zoo.data import Dataset
from secateurs.zoo.sources.cache import Pixels, cached
from secateurs.zoo.sources.decode import decode_file
from secateurs.zoo.sources.encoded import Encoded, Source
from secateurs.zoo.sources.listing import Listing, class_folders, listing
from secateurs.zoo.sources.split import assemble
from secateurs.zoo.streamed import StreamedImages

IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of each channel of ImageNet's training images, as usual: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 of 255."""


def image_folder(
    *,
    root: str,
    size: int | None = None,
    crop: int | None = None,
    stream: bool = False,
    validation: int | None = None,
    train_examples: int | None = None,
    title: str | None = None,
) -> Dataset:
    """Images from folders, one for each class: ``root/train/<class>/`` and ``root/test/<class>/``.

    Classes are numbered in the order of their names; folders may be nested below the class. Without
    ``root/test``, ``root/val`` is the test split; with both, ``root/val`` is the validation split and
    nothing is held out of training. Files and folders whose names begin with a dot are passed over, and
    links that lead out of a split's folder are refused.

    Args:
        root: the folder, relative to the current directory.
        size: cut every image to its central square and resize it to ``size`` x ``size``; None leaves it as it is.
        crop: networks see ``crop`` x ``crop`` pixels of it: the middle, or where ``flip_crop`` moves the
            window while training; None for the whole.
        stream: keep the images in their files and decode each batch when its turn comes, always in
            colour; for sets too large for memory. Needs ``size``. The normalisation is then measured
            on 2,048 training images.
        validation: training examples held out, stratified; None for a tenth.
        train_examples: train on a stratified subset of the others; None for all.
        title: what reports call the data; None for the folder's name.

    Raises:
        DataError: for missing or empty folders, files that are no images (streamed ones: when their batch is
            due), classes that differ between splits, sizes that do not fit each other.
    """
    base = _existing(root)
    if stream and size is None:
        raise DataError("image_folder: streamed images must be of one size: set size")
    read = partial(_streamed, size=size or 0) if stream else partial(_in_memory, size=size)
    return _loaded("image_folder", title or base.resolve().name, base, read, crop, validation, train_examples, None)


def imagenet(
    *,
    root: str,
    size: int = 256,
    crop: int = 224,
    validation: int | None = None,
    train_examples: int | None = None,
    title: str = "ImageNet",
) -> Dataset:
    """ImageNet (ILSVRC 2012) from its folders ``root/train/<class>/`` and ``root/val/<class>/``, streamed.

    Its 1.28 million training images would be 193 GB in memory at 224 x 224: they are decoded batch by batch.
    The published validation images are the test split, which nothing is chosen on; validation examples
    are held out of training. Any folder of that layout will do, e.g. one of fewer classes.

    Args:
        root: the folder, relative to the current directory.
        size: cut every image to its central square and resize it to ``size`` x ``size``.
        crop: networks see ``crop`` x ``crop`` pixels of it: the middle, or where ``flip_crop`` moves the
            window while training.
        validation: training examples held out, stratified; None for a tenth.
        train_examples: train on a stratified subset of the others; None for all.
        title: what reports call the data.

    Raises:
        DataError: as :func:`image_folder` does.
    """
    read = partial(_streamed, size=size)
    known = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    return _loaded("imagenet", title, _existing(root), read, crop, validation, train_examples, known)


def _existing(root: str) -> Path:
    base = Path(root).expanduser()
    if not base.is_dir():
        raise DataError(f"{base}: there is no such folder, seen from {Path.cwd()}: correct root")
    return base


def _loaded(
    name: str,
    title: str,
    base: Path,
    read: Callable[[Listing], Pixels],
    crop: int | None,
    validation: int | None,
    train_examples: int | None,
    normalisation: tuple[Tensor, Tensor] | None,
) -> Dataset:
    classes = class_folders(base / "train")
    test, val = base / "test", base / "val"
    if not test.is_dir() and not val.is_dir():
        there = [entry.name for entry in base.iterdir()]
        raise DataError(f"{base}: has neither a folder test nor val to test on{did_you_mean('test', there)}")
    held = listing(val, classes) if test.is_dir() and val.is_dir() else None
    return assemble(
        name,
        title,
        read(listing(base / "train", classes)),
        read(listing(test if test.is_dir() else val, classes)),
        held=None if held is None else read(held),
        num_classes=len(classes),
        validation=validation,
        train_examples=train_examples,
        crop=crop,
        normalisation=normalisation,
    )


def _in_memory(found: Listing, size: int | None) -> Pixels:
    identity = ("folder", str(found.split.resolve()), found.digest)
    encoded = Encoded(str(found.split), [found.split / file for file in found.files], found.labels)
    return cached(Source(encoded.where, identity, lambda: encoded), size)


def _streamed(found: Listing, size: int) -> Pixels:
    if size < 1:
        raise DataError(f"size must be at least 1, got {size}")
    files = [str(found.split / file) for file in found.files]
    images = StreamedImages(files, partial(decode_file, size=size), (3, size, size), found.digest)
    return Pixels(images, found.labels, str(found.split))
