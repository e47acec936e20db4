"""Images in folders: ``root/train/<class>/*.png`` and the like."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import torch

from secateurs.core import DataError, did_you_mean
from secateurs.zoo.data import Dataset
from secateurs.zoo.sources.cache import cached
from secateurs.zoo.sources.encoded import Encoded, Source
from secateurs.zoo.sources.split import assemble

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm")


def image_folder(
    *,
    root: str,
    size: int | None = None,
    validation: int | None = None,
    train_examples: int | None = None,
    title: str | None = None,
) -> Dataset:
    """Images from folders, one for each class: ``root/train/<class>/`` and ``root/test/<class>/``.

    Classes are numbered in the order of their names; folders may be nested below the class. Without
    ``root/test``, ``root/val`` is the test split; with both, ``root/val`` is the validation split and
    nothing is held out of training. Files and folders whose names begin with a dot are passed over.

    Args:
        root: the folder, relative to the current directory.
        size: cut every image to its central square and resize it to ``size`` x ``size``; None leaves it as it is.
        validation: training examples held out, stratified; None for a tenth.
        train_examples: train on a stratified subset of the others; None for all.
        title: what reports call the data; None for the folder's name.

    Raises:
        DataError: for missing or empty folders, files that are no images, classes that differ between splits.
    """
    base = Path(root).expanduser()
    if not base.is_dir():
        raise DataError(f"{base}: there is no such folder, seen from {Path.cwd()}: correct root")
    classes = _classes(base / "train")
    test, val = base / "test", base / "val"
    if not test.is_dir() and not val.is_dir():
        there = [entry.name for entry in base.iterdir()]
        raise DataError(f"{base}: has neither a folder test nor val to test on{did_you_mean('test', there)}")
    held = folder_source(val, classes) if test.is_dir() and val.is_dir() else None
    return assemble(
        "image_folder",
        title or base.resolve().name,
        cached(folder_source(base / "train", classes), size),
        cached(folder_source(test if test.is_dir() else val, classes), size),
        held=None if held is None else cached(held, size),
        num_classes=len(classes),
        validation=validation,
        train_examples=train_examples,
    )


def folder_source(split: Path, classes: list[str]) -> Source:
    """One folder of class folders as a split.

    Its identity is the name, size and time of change of every file, not their content: a set may
    have a hundred thousand.

    Raises:
        DataError: when the classes are not ``classes``, one is empty, or a file is no image.
    """
    found = _classes(split)
    for absent in sorted(set(classes) ^ set(found)):
        lacking, there = (split.parent / "train", classes) if absent in found else (split, found)
        raise DataError(
            f"{lacking}: has no folder for class {absent!r}{did_you_mean(absent, there)}: "
            "every split needs the same class folders"
        )
    files = [_images(split / name) for name in classes]
    listing = hashlib.sha256()
    for file in (file for group in files for file in group):
        facts = file.stat()
        listing.update(f"{file.relative_to(split)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return Source(str(split), ("folder", str(split.resolve()), listing.hexdigest()), partial(_read, split, files))


def _read(split: Path, files: list[list[Path]]) -> Encoded:
    labels = torch.arange(len(files)).repeat_interleave(torch.tensor([len(group) for group in files]))
    return Encoded(str(split), [file for group in files for file in group], labels)


def _classes(split: Path) -> list[str]:
    """Names of the class folders, sorted."""
    if not split.is_dir():
        raise DataError(
            f"{split}: there is no such folder: images belong into {split.parent / 'train'}/<class>/ and "
            f"{split.parent / 'test'}/<class>/"
        )
    entries = sorted(entry for entry in split.iterdir() if not entry.name.startswith("."))
    stray = [entry.name for entry in entries if not entry.is_dir()]
    if stray:
        raise DataError(
            f"{split}: {stray[0]} ({len(stray)} such files) lies beside the class folders: move it into the folder "
            "of its class, or away"
        )
    if len(entries) < 2:
        raise DataError(f"{split}: has {len(entries)} class folders, at least 2 are needed")
    return [entry.name for entry in entries]


def _images(folder: Path) -> list[Path]:
    entries = (path for path in folder.rglob("*") if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    files = sorted(path for path in entries if path.is_file())
    stray = [file for file in files if file.suffix.lower() not in _SUFFIXES]
    if stray:
        raise DataError(
            f"{stray[0]}: is no image ({len(stray)} such files in {folder}): move it away; "
            f"images end in {', '.join(_SUFFIXES)}"
        )
    if not files:
        raise DataError(f"{folder}: holds no images: add some, or remove the class from every split")
    return files
