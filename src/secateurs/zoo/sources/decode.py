"""Encoded images -> one uint8 tensor: one size and one number of channels, or a complaint that names the odd image.

:func:`decode` has one thread on purpose: images of CIFAR's size cost more Python than decompression,
and threads that wait for each other's interpreter lock take longer than one (measured on CIFAR:
12,700 images/s with two, 15,300 with one). :func:`decode_file` is for large ones, many at a time.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from secateurs.core import DataError
from secateurs.zoo.sources.encoded import Encoded, extra

T = TypeVar("T")

_GREY = frozenset({"1", "L", "LA"})
_COLOUR = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})
_FAULTS = (OSError, SyntaxError, ValueError, TypeError, IndexError, EOFError, OverflowError, struct.error, zlib.error)
"""What Pillow's decoders raise on bytes that are no image, or not all of one."""


def decode(encoded: Encoded, size: int | None = None) -> Tensor:
    """Decode to ``[N, C, H, W]`` uint8.

    C is 1 if every image is greyscale, otherwise 3: then greyscale ones are repeated over the
    channels. Transparency is dropped, palettes are resolved to RGB. With ``size`` every image is cut
    to its central square and resized (bilinear, antialiased) to ``size`` x ``size``.

    Raises:
        DataError: for images of several sizes, of more than 8 bits a channel, or that cannot be decoded.
    """
    image_module = extra("PIL.Image")
    if size is not None and size < 1:
        raise DataError(f"size must be at least 1, got {size}")
    if not encoded.images:
        raise DataError(f"{encoded.where}: holds no images")

    # Headers first: sizes and modes are known before any memory is taken, and they are cheap.
    faults: dict[int, str] = {}
    headers = _each(encoded, image_module, lambda image: (image.size, image.mode), faults)
    deep = [index for index, (_, mode) in headers.items() if mode not in _GREY | _COLOUR]
    if deep:
        raise DataError(
            f"{encoded.where}: {len(deep)} of {len(encoded.images)} images have more than 8 bits a channel "
            f"({encoded.example(deep[0])}, mode {headers[deep[0]][1]}): convert them to 8 bits first"
        )
    if size is None:
        _same_size(encoded, {index: size for index, (size, _) in headers.items()})
    mode = "RGB" if any(mode in _COLOUR for _, mode in headers.values()) else "L"
    width, height = (size, size) if size else next((s for s, _ in headers.values()), (1, 1))
    pixels = np.empty((len(encoded.images), 3 if mode == "RGB" else 1, height, width), np.uint8)

    def keep(index: int, array: Any) -> None:
        pixels[index] = array.transpose(2, 0, 1) if array.ndim == 3 else array

    _each(encoded, image_module, partial(_pixels, mode=mode, size=size), faults, keep)
    if faults:
        raise DataError(
            f"{encoded.where}: {len(faults)} of {len(encoded.images)} images cannot be decoded: "
            f"{_some([encoded.example(index) for index in sorted(faults)])} "
            f"(the first: {faults[min(faults)]}): repair or remove them"
        )
    return torch.from_numpy(pixels)


def decode_file(file: str, size: int) -> Tensor:
    """One file to ``[3, size, size]`` uint8: the pixels that :func:`decode` gives it, in colour in any case.

    Raises:
        DataError: naming the file, when it cannot be decoded or has more than 8 bits a channel.
    """
    image_module = extra("PIL.Image")
    try:
        with image_module.open(file) as image:
            mode = image.mode
            if mode in _GREY | _COLOUR:
                return torch.from_numpy(np.array(_pixels(image, "RGB", size))).permute(2, 0, 1)
    except (*_FAULTS, image_module.DecompressionBombError) as fault:
        raise DataError(f"{file}: cannot be decoded ({fault}): repair or remove it") from fault
    raise DataError(f"{file}: has more than 8 bits a channel (mode {mode}): convert it to 8 bits first")


def _pixels(image: Any, mode: str, size: int | None) -> Any:
    """Of an opened image the pixels in one mode, its central square resized where a size is asked for."""
    converted = image if image.mode == mode else image.convert(mode)
    if size is not None and converted.size != (size, size):
        converted = _square(converted).resize((size, size), extra("PIL.Image").Resampling.BILINEAR)
    return np.asarray(converted)


def _each(
    encoded: Encoded,
    image_module: Any,
    look: Callable[[Any], T],
    faults: dict[int, str],
    keep: Callable[[int, T], None] | None = None,
) -> dict[int, T]:
    """Open every image that has no fault yet and ``look`` at it; faults are collected, results kept or returned."""
    results: dict[int, T] = {}
    keep = keep or results.__setitem__
    for index, source in enumerate(encoded.images):
        if index in faults:
            continue
        try:
            if source is None:
                raise ValueError("the row has no image bytes")
            with image_module.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
                result = look(image)
        except (*_FAULTS, image_module.DecompressionBombError) as fault:
            # Pillow names the buffer it was given by its address, which helps nobody.
            faults[index] = "no image file that Pillow knows" if "<_io" in str(fault) else str(fault)
        else:
            keep(index, result)
    return results


def _square(image: Any) -> Any:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _same_size(encoded: Encoded, sizes: dict[int, tuple[int, int]]) -> None:
    having: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, size in sizes.items():
        having[size].append(index)
    if len(having) > 1:
        common = sorted(having, key=lambda size: -len(having[size]))
        facts = [
            f"{width} x {height} ({len(having[width, height])} images, the first: "
            f"{encoded.example(having[width, height][0])})"
            for width, height in common
        ]
        raise DataError(
            f"{encoded.where}: images of {len(having)} sizes (width x height): {_some(facts)}: "
            "set size to resize them all, or make them the same size first"
        )


def _some(names: list[str]) -> str:
    """The first few of many.

    >>> _some(["row 1", "row 2", "row 3", "row 4", "row 5", "row 6", "row 7"])
    'row 1, row 2, row 3, row 4, row 5 and 2 more'
    """
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
