"""Augmentation of whole batches of uint8 images ``[N, C, H, W]``, with explicit randomness."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def none(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images as they are."""
    del generator
    return images


def shift(images: Tensor, generator: torch.Generator, pixels: int = 1) -> Tensor:
    """Move each image by up to ``pixels`` in each direction, zeros coming in.

    >>> shift(torch.ones(1, 1, 3, 3, dtype=torch.uint8), torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 3, 3])
    """
    top, left = torch.randint(0, 2 * pixels + 1, (2, len(images), 1), generator=generator)
    return _windows(images, top, left, torch.zeros(len(images), 1, dtype=torch.bool), pixels)


def flip_crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Horizontal flip with probability 1/2, then a random crop out of the image padded by an eighth of its width."""
    pixels = images.shape[-1] // 8
    flip = torch.rand(len(images), generator=generator) < 0.5
    top, left = torch.randint(0, 2 * pixels + 1, (2, len(images), 1), generator=generator)
    return _windows(images, top, left, flip[:, None], pixels)


def _windows(images: Tensor, top: Tensor, left: Tensor, flip: Tensor, pixels: int) -> Tensor:
    """Of each image, mirrored where ``flip`` says so and padded with zeros, the window that begins at ``(top, left)``.

    ``top``, ``left`` and ``flip`` are ``[N, 1]``. One gather of bytes does it all: mirroring is
    reading the columns of the unmirrored image from the right, and channels share their index.
    """
    _, channels, height, width = images.shape
    wide = width + 2 * pixels
    top, left, flip = (choice.to(images.device) for choice in (top, left, flip))
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    columns = torch.where(flip, wide - 1 - columns, columns)
    index = (rows[:, :, None] * wide + columns[:, None, :]).flatten(1).unsqueeze(1)
    padded = F.pad(images, (pixels,) * 4).flatten(2)
    return padded.gather(2, index.expand(-1, channels, -1)).view(images.shape)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": none,
    "shift": shift,
    "flip_crop": flip_crop,
}
"""The only place where a name means an augmentation."""
