"""The cache: hit, miss, damage, and no room for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from secateurs.zoo import parquet
from secateurs.zoo.sources import cache as cache_module
from secateurs.zoo.sources.cache import cache_folder


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was decoded, in order."""
    seen: list[str] = []
    real = cache_module.decode

    def counted(encoded: object, size: int | None = None) -> object:
        seen.append(encoded.where)
        return real(encoded, size)

    monkeypatch.setattr(cache_module, "decode", counted)
    return seen


def test_images_are_decoded_once(files: dict[str, str], decodings: list[str], cache: Path) -> None:
    first = parquet(**files)
    again = parquet(**files, validation=8, title="other options do not matter")
    assert decodings == [files["train"], files["test"]]
    assert parquet(**files).digest == first.digest != again.digest
    assert len(list(cache.iterdir())) == 2


def test_a_full_cache_needs_neither_pyarrow_nor_pillow(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    digest = parquet(**files).digest
    for module in ("PIL.Image", "pyarrow.parquet"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    assert parquet(**files).digest == digest


def test_other_content_or_another_size_is_decoded_anew(
    files: dict[str, str],
    decodings: list[str],
    pixels: np.ndarray,
    labels: list[int],
    encode: Callable[..., bytes],
    write_parquet: Callable[..., str],
) -> None:
    before = parquet(**files)
    write_parquet(Path(files["test"]), [encode(array) for array in pixels[8:16]], labels[8:16])
    after = parquet(**files)
    assert decodings == [files["train"], files["test"], files["test"]]
    assert before.digest != after.digest
    parquet(**files, size=4)
    assert len(decodings) == 5


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "one bit", "other tensors"])
def test_a_damaged_file_is_made_again(
    damage: str, files: dict[str, str], decodings: list[str], cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest = parquet(**files).digest
    for file in cache.iterdir():
        content = bytearray(file.read_bytes())
        if damage == "truncated":
            content = content[: len(content) // 2]
        elif damage == "empty":
            content.clear()
        elif damage == "foreign":
            content[:] = b"something else altogether"
        elif damage == "one bit":
            content[-1] ^= 1
        else:
            content[:] = bytes(content).replace(b'"images"', b'"imagez"')
        file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert parquet(**files).digest == digest
    assert len(decodings) == 4
    assert caplog.text.count("are damaged") == 2
    assert parquet(**files).digest == digest
    assert len(decodings) == 4


def test_a_cache_that_cannot_be_written_costs_time_only(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "occupied").write_text("a file where the cache's folder should be")
    digest = parquet(**files).digest
    monkeypatch.setenv("SECATEURS_CACHE", str(tmp_path / "occupied"))
    with caplog.at_level(logging.WARNING):
        assert parquet(**files).digest == digest
    assert "set SECATEURS_CACHE to a folder that can be written" in caplog.text


def test_a_full_disk_leaves_no_half_file(
    files: dict[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "save_file", full)
    assert len(parquet(**files).train) == 36
    assert "No space left on device" in caplog.text
    assert not list(cache.iterdir())


def test_the_folder_is_the_variables_or_the_homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SECATEURS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "secateurs"
