"""What lies in a folder of class folders: the files by class, and nothing that leads out of the folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from secateurs.core import DataError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm")


@dataclass(frozen=True)
class Listing:
    """The images of one split.

    Args:
        split: the folder.
        files: paths below it, ``<class>/.../<file>``, in order of class, then of name.
        labels: ``[N]`` int64.
        digest: sha256 over the name, size and time of change of every file, not their content: a set may
            have a million.
    """

    split: Path
    files: list[str]
    labels: Tensor
    digest: str


def listing(split: Path, classes: list[str]) -> Listing:
    """The images in ``split``, of which every folder is a class.

    Files and folders whose names begin with a dot are passed over. Links may point to files of the
    split, not out of it.

    Raises:
        DataError: when the classes are not ``classes``, one is empty, a file is no image, or a link leads
            out of the folder.
    """
    found = class_folders(split)
    for absent in sorted(set(classes) ^ set(found)):
        lacking, there = (split.parent / "train", classes) if absent in found else (split, found)
        raise DataError(
            f"{lacking}: has no folder for class {absent!r}{did_you_mean(absent, there)}: "
            "every split needs the same class folders"
        )
    files: list[str] = []
    counts: list[int] = []
    total, root = hashlib.sha256(), split.resolve()
    for name in classes:
        images = _images(split, name, root)
        for file, facts in images:
            total.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        files += [file for file, _ in images]
        counts.append(len(images))
    return Listing(split, files, torch.arange(len(classes)).repeat_interleave(torch.tensor(counts)), total.hexdigest())


def class_folders(split: Path) -> list[str]:
    """Names of the class folders, sorted.

    Raises:
        DataError: when there is no such folder, or something other than two or more folders lies in it.
    """
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


def _images(split: Path, name: str, root: Path) -> list[tuple[str, os.stat_result]]:
    folder = split / name
    _inside(folder, root)
    found = sorted(_walk(folder, name, root), key=lambda each: each[0].split("/"))
    stray = [file for file, _ in found if not file.lower().endswith(SUFFIXES)]
    if stray:
        raise DataError(
            f"{split / stray[0]}: is no image ({len(stray)} such files in {folder}): move it away; "
            f"images end in {', '.join(SUFFIXES)}"
        )
    if not found:
        raise DataError(f"{folder}: holds no images: add some, or remove the class from every split")
    return found


def _walk(folder: Path, name: str, root: Path) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                _inside(Path(entry.path), root)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/{entry.name}", root)
            elif entry.is_file():
                yield f"{name}/{entry.name}", entry.stat()
            elif entry.is_symlink():
                raise DataError(f"{entry.path}: is a link to a folder, or to nothing: put the files in its place")


def _inside(path: Path, root: Path) -> None:
    """Refuse a link that leads out of the folder."""
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise DataError(f"{path}: is a link to {path.resolve()}, outside of {root}: put the files in its place")
