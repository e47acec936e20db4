"""Files that are whole or absent: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from secateurs.core import JobError, StoreError


class Record(NamedTuple):
    """What a file must be: its size in bytes and its sha256."""

    size: int
    sha256: str


def record(path: Path) -> Record:
    """Size and sha256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Record(file.tell(), digest)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about a failed write into a StoreError with its remedy."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        remedy = "free some space" if full else "see to the disk and its permissions"
        said = getattr(error, "strerror", None) or error
        raise StoreError(
            f"{path}: cannot be written: {said}; {remedy} and run again: finished jobs are kept"
        ) from error


def temporary(path: Path) -> bool:
    """Whether the file is one that is being written (here, or inside safetensors): their names begin with a dot.

    Whoever holds the lock of a folder and finds one knows that a killed process left it.
    """
    return path.name.startswith(".")


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, then put it at ``path`` in one step that survives a power cut.

    Raises:
        StoreError: when the system refuses; ``path`` is then as it was.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with writing(path):
        try:
            write(draft)
            sync(draft)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write JSON in lines that people can read. NaN is written as Python writes it."""
    text = json.dumps(value, indent=1) + "\n"
    replace(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, each contiguous and of its own memory; the same values give the same bytes.

    Raises:
        JobError: when something is no dense tensor.
        StoreError: when the system refuses.
    """
    own: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.layout is not torch.strided:
            raise JobError(f"{path.stem}: {name!r} is no dense tensor; only those can be saved")
        held = tensor.detach().contiguous()
        shared = held.untyped_storage().data_ptr() in seen or held.untyped_storage().nbytes() != held.nbytes
        seen.add(held.untyped_storage().data_ptr())
        own[name] = held.clone() if shared else held
    replace(path, lambda draft: save_file(own, draft))


def read_tensors(path: Path, expected: Record, remedy: str) -> dict[str, Tensor]:
    """Read tensors (on the CPU) from a file that must be as recorded.

    Raises:
        StoreError: when it is missing, shorter, or different; with the sizes and the remedy.
    """
    try:
        found = record(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}; {remedy}") from error
    if found.size != expected.size:
        raise StoreError(f"{path}: damaged: expected {expected.size} bytes, found {found.size}; {remedy}")
    if found.sha256 != expected.sha256:
        raise StoreError(f"{path}: damaged: its {found.size} bytes are not those that were written; {remedy}")
    return load_file(path)
