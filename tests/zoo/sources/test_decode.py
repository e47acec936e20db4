"""Decoding: formats, modes, sizes, and images that cannot be used."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from secateurs.core import DataError
from secateurs.zoo.sources import encoded as encoded_module
from secateurs.zoo.sources.decode import decode
from secateurs.zoo.sources.encoded import Encoded, extra

Encode = Callable[..., bytes]


def split(*images: bytes | Path | None) -> Encoded:
    return Encoded("toy", images, torch.zeros(len(images), dtype=torch.int64))


def test_png_and_jpeg_decode_to_what_pillow_says(pixels: np.ndarray, encode: Encode) -> None:
    jpeg = encode(pixels[1], "JPEG")
    result = decode(split(encode(pixels[0]), jpeg))
    assert result.shape == (2, 3, 6, 5)
    assert result.dtype == torch.uint8
    assert torch.equal(result[0], torch.from_numpy(pixels[0]).permute(2, 0, 1))
    expected = np.array(Image.open(io.BytesIO(jpeg)))
    assert torch.equal(result[1], torch.from_numpy(expected).permute(2, 0, 1))


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3)])
def test_every_mode_becomes_grey_or_colour(mode: str, channels: int, pixels: np.ndarray, encode: Encode) -> None:
    data = encode(pixels[0], "PNG", mode)
    plain = Image.open(io.BytesIO(data)).convert("L" if channels == 1 else "RGB")
    expected = torch.from_numpy(np.array(plain)).view(6, 5, channels).permute(2, 0, 1)
    assert torch.equal(decode(split(data))[0], expected)


def test_transparency_is_dropped_not_blended(encode: Encode) -> None:
    clear = np.full((2, 2, 4), 200, np.uint8)
    clear[..., 3] = 0
    assert decode(split(encode(clear))).unique().tolist() == [200]


def test_images_of_several_sizes_are_counted_and_named(encode: Encode) -> None:
    small, big = encode(np.zeros((4, 3), np.uint8)), encode(np.zeros((8, 9), np.uint8))
    expected = r"toy: images of 2 sizes .*3 x 4 \(2 images, the first: row 0\), 9 x 8 \(1 images, the first: row 1\)"
    with pytest.raises(DataError, match=expected + ": set size to resize them all"):
        decode(split(small, big, small))


def test_size_cuts_the_centre_and_resizes(encode: Encode) -> None:
    wide = np.zeros((4, 12), np.uint8)
    wide[:, 4:8] = 100
    result = decode(split(encode(wide), encode(np.full((9, 9), 100, np.uint8))), size=2)
    assert result.shape == (2, 1, 2, 2)
    assert result.unique().tolist() == [100]


def test_an_image_of_the_wanted_size_is_not_touched(pixels: np.ndarray, encode: Encode) -> None:
    square = pixels[0, :5]
    assert torch.equal(decode(split(encode(square)), size=5)[0], torch.from_numpy(square).permute(2, 0, 1))


def test_corrupt_images_are_counted_and_the_first_named(pixels: np.ndarray, encode: Encode) -> None:
    good = encode(pixels[0])
    broken = [good[:40], good[:-30], b"no image", b"", None]
    images = [good, *broken, good, *broken]
    with pytest.raises(DataError, match=r"toy: 10 of 12 images cannot be decoded: row 1, row 2, row 3, .* and 5 more"):
        decode(split(*images))
    with pytest.raises(DataError, match=r"1 of 2 .* row 1 \(the first: no image file that Pillow knows\): repair"):
        decode(split(good, b"no image"))
    with pytest.raises(DataError, match=r"row 0 \(the first: the row has no image bytes\)"):
        decode(split(None, good))


def test_nothing_but_corrupt_images_is_said_as_such(encode: Encode) -> None:
    with pytest.raises(DataError, match="2 of 2 images cannot be decoded"):
        decode(split(b"x", b"y"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_random_damage_either_decodes_or_is_refused(kind: str, pixels: np.ndarray, encode: Encode) -> None:
    good, random = encode(pixels[0], kind), np.random.default_rng(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(good)
        for position in random.integers(20 if kind == "PNG" else 2, len(good), 3):
            damaged[position] ^= int(random.integers(1, 256))
        try:
            decode(split(bytes(damaged[: random.integers(20, len(good) + 1)])), size=4)
        except DataError:
            refused += 1
    assert refused > 100


def test_sixteen_bits_are_refused_rather_than_clipped(encode: Encode) -> None:
    deep = encode(np.full((4, 4), 40000, np.uint16))
    with pytest.raises(DataError, match=r"1 of 1 images have more than 8 bits a channel \(row 0, mode I;16\)"):
        decode(split(deep))


def test_a_split_without_images_is_refused() -> None:
    with pytest.raises(DataError, match="toy: holds no images"):
        decode(split())


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(encoded_module.importlib, "import_module", absent)
    with pytest.raises(DataError, match=r"needs pyarrow, which is not installed: pip install 'secateurs\[data\]'"):
        extra("pyarrow.parquet")
