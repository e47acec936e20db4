"""Tiny images, written to files that last as long as the test."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache of its own; returns the folder of cached images."""
    monkeypatch.setenv("SECATEURS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def pixels() -> np.ndarray:
    """40 images of 6 x 5 in colour, every one different."""
    return np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def labels() -> list[int]:
    """Four classes, ten of each."""
    return [i % 4 for i in range(40)]


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """An image file's bytes."""

    def encoded(array: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
        image = Image.fromarray(array)
        stream = io.BytesIO()
        (image.convert(mode) if mode else image).save(stream, kind)
        return stream.getvalue()

    return encoded


@pytest.fixture
def write_parquet() -> Callable[..., str]:
    """Write images and labels in the hub's layout; returns the path."""

    def write(
        path: Path,
        images: Sequence[bytes | None],
        labels: Sequence[Any],
        *,
        image: str = "image",
        label: str = "label",
        struct: bool = True,
        **more: Sequence[Any],
    ) -> str:
        rows: list[Any] = [{"bytes": data, "path": None} for data in images] if struct else list(images)
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())]) if struct else pa.binary()
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({image: pa.array(rows, kind), label: list(labels), **more}), path)
        return str(path)

    return write


@pytest.fixture
def files(
    tmp_path: Path,
    pixels: np.ndarray,
    labels: list[int],
    encode: Callable[..., bytes],
    write_parquet: Callable[..., str],
) -> dict[str, str]:
    """A training file of 40 images and a test file of the first 8 of them."""
    images = [encode(array) for array in pixels]
    return {
        "train": write_parquet(tmp_path / "toy" / "train.parquet", images, labels),
        "test": write_parquet(tmp_path / "toy" / "test.parquet", images[:8], labels[:8]),
    }
