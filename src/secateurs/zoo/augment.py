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
    n, _, height, width = images.shape
    top, left = torch.randint(0, 2 * pixels + 1, (2, n, 1), generator=generator).to(images.device)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    padded = F.pad(images, (pixels,) * 4)
    which = torch.arange(n, device=images.device)
    # Advanced indices on both sides of the channel slice: the indexed dimensions come first.
    return padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def flip_crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Horizontal flip with probability 1/2, then a random crop out of the image padded by an eighth of its width."""
    flip = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    flipped = torch.where(flip[:, None, None, None], images.flip(-1), images)
    return shift(flipped, generator, pixels=images.shape[-1] // 8)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": none,
    "shift": shift,
    "flip_crop": flip_crop,
}
"""The only place where a name means an augmentation."""
