"""What every source hands over: encoded images with their labels, and what makes them what they are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from secateurs.core import DataError


@dataclass(frozen=True)
class Encoded:
    """The images of one split as they are stored, undecoded.

    Args:
        where: names the split in messages, e.g. a file's path.
        images: for each example the bytes of an image file, the path of one, or None where the source has none.
        labels: ``[N]`` int64.
    """

    where: str
    images: Sequence[bytes | Path | None]
    labels: Tensor

    def example(self, index: int) -> str:
        """How messages name one example: its own file, or its row."""
        image = self.images[index]
        return str(image) if isinstance(image, Path) else f"row {index}"


@dataclass(frozen=True)
class Source:
    """One split that can be read.

    Args:
        where: names the split in messages.
        identity: what its content follows from (digests of files, columns): the key of its place in the cache.
        read: reads it; called only when the cache does not hold it.
    """

    where: str
    identity: tuple[str | None, ...]
    read: Callable[[], Encoded]


def extra(module: str) -> Any:
    """Import a module of the extra ``data``.

    Raises:
        DataError: naming the extra, when the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(
            f"reading images needs {module.partition('.')[0]}, which is not installed: "
            "pip install 'secateurs[data]' (extra `data`)"
        ) from error
