"""Decoded images on disk: each split one safetensors file, named by what its content follows from.

A file that is damaged is made again, and a folder that cannot be written costs time, not the run;
both are logged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zlib
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from secateurs.zoo.sources.decode import decode
from secateurs.zoo.sources.encoded import Source
from secateurs.zoo.streamed import Images

FORMAT = 1
"""Goes into every name: raised when the same source is to be decoded differently."""

_log = logging.getLogger(__name__)


class Pixels(NamedTuple):
    """One split: images ``[N, C, H, W]`` uint8, decoded or streamed, labels ``[N]`` int64, and its name in messages."""

    images: Images
    labels: Tensor
    where: str


def cache_folder() -> Path:
    """Where decoded data sets are kept: ``$SECATEURS_CACHE``, else ``~/.cache/secateurs``."""
    chosen = os.environ.get("SECATEURS_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "secateurs"


def cached(source: Source, size: int | None) -> Pixels:
    """The split decoded, from the cache if it is there, otherwise into it.

    Raises:
        DataError: when the source cannot be read or decoded.
    """
    key = hashlib.sha256(json.dumps([FORMAT, *source.identity, size]).encode()).hexdigest()
    file = cache_folder() / "data" / f"{key}.safetensors"
    found = _load(file, source.where)
    if found is None:
        encoded = source.read()
        found = decode(encoded, size), encoded.labels
        _save(file, *found, source.where)
    return Pixels(*found, source.where)


def _load(file: Path, where: str) -> tuple[Tensor, Tensor] | None:
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            images, labels = stored.get_tensor("images"), stored.get_tensor("labels")
            recorded = (stored.metadata() or {}).get("crc32")
    except (SafetensorError, OSError) as error:
        _log.warning("cached images of %s are damaged (%s) and are made again: %s", where, error, file)
        return None
    if recorded != _checksum(images, labels):
        _log.warning("cached images of %s are damaged (wrong checksum) and are made again: %s", where, file)
        return None
    return images, labels


def _save(file: Path, images: Tensor, labels: Tensor, where: str) -> None:
    """Write beside the place and rename: whoever reads at the same time sees all of it or nothing."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        facts = {"crc32": _checksum(images, labels), "source": where}
        save_file({"images": images, "labels": labels}, temporary, metadata=facts)
        temporary.replace(file)
    except (SafetensorError, OSError) as error:
        _log.warning(
            "decoded images of %s could not be kept in %s (%s) and will be decoded again next time: "
            "set SECATEURS_CACHE to a folder that can be written",
            where,
            file.parent,
            error,
        )
        if temporary.is_file():
            temporary.unlink()


def _checksum(images: Tensor, labels: Tensor) -> str:
    return f"{zlib.crc32(labels.numpy().data, zlib.crc32(images.numpy().data)):08x}"
