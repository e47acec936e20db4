"""Augmentation of whole batches of uint8 images ``[N, C, H, W]``, with explicit randomness.

Images may come with a ``margin``: so many pixels on each side that networks do not see unless
augmentation moves the window there. ``[N, C, H + 2 margin, W + 2 margin]`` goes in, ``[N, C, H, W]`` comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

DEGREES = 15.0


def none(images: Tensor, generator: torch.Generator, *, margin: int = 0) -> Tensor:
    """The images as they are, without their margin.

    >>> none(torch.arange(9, dtype=torch.uint8).view(1, 1, 3, 3), torch.Generator(), margin=1)
    tensor([[[[4]]]], dtype=torch.uint8)
    """
    del generator
    return images[..., margin : images.shape[-2] - margin, margin : images.shape[-1] - margin]


def shift(images: Tensor, generator: torch.Generator, pixels: int = 1, *, margin: int = 0) -> Tensor:
    """Move each image by up to ``pixels`` in each direction; the margin comes in, zeros beyond it.

    >>> shift(torch.ones(1, 1, 3, 3, dtype=torch.uint8), torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 3, 3])
    """
    top, left = torch.randint(0, 2 * pixels + 1, (2, len(images), 1), generator=generator)
    return _windows(images, top, left, torch.zeros(len(images), 1, dtype=torch.bool), pixels, margin)


def flip_crop(images: Tensor, generator: torch.Generator, *, margin: int = 0) -> Tensor:
    """Horizontal flip with probability 1/2, then a random crop.

    The crop is out of the image with its margin; without one, out of the image padded with zeros by an
    eighth of its width.
    """
    pixels = margin or images.shape[-1] // 8
    flip = torch.rand(len(images), generator=generator) < 0.5
    top, left = torch.randint(0, 2 * pixels + 1, (2, len(images), 1), generator=generator)
    return _windows(images, top, left, flip[:, None], pixels, margin)


def flip_crop_rotate(images: Tensor, generator: torch.Generator, *, margin: int = 0) -> Tensor:
    """As :func:`flip_crop`, then a rotation by up to 15 degrees either way (P1 appendix C.2, for CIFAR-100)."""
    moved = flip_crop(images, generator, margin=margin)
    return rotated(moved, (2 * torch.rand(len(images), generator=generator, dtype=torch.float64) - 1) * DEGREES)


def rotated(images: Tensor, degrees: Tensor) -> Tensor:
    """Each image turned counter-clockwise about its centre by its own angle, ``[N]``; zeros come in.

    Each pixel is the nearest one of the image, as torchvision's ``RandomRotation`` has it.

    >>> rotated(torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8), torch.tensor([90.0])).flatten().tolist()
    [2, 4, 1, 3]
    """
    _, channels, height, width = images.shape
    angle = degrees.to(images.device, torch.float64).view(-1, 1, 1) * (math.pi / 180)
    y = torch.arange(height, device=images.device).double().sub((height - 1) / 2).view(-1, 1)
    x = torch.arange(width, device=images.device).double().sub((width - 1) / 2)
    rows = (y * angle.cos() + x * angle.sin() + (height - 1) / 2).round().long()
    columns = (x * angle.cos() - y * angle.sin() + (width - 1) / 2).round().long()
    outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    # What lies outside is read from one pixel of zeros, put after all others.
    index = (rows * width + columns).masked_fill(outside, height * width).flatten(1).unsqueeze(1)
    return F.pad(images.flatten(2), (0, 1)).gather(2, index.expand(-1, channels, -1)).view(images.shape)


def _windows(images: Tensor, top: Tensor, left: Tensor, flip: Tensor, pixels: int, margin: int) -> Tensor:
    """Of each image, mirrored where ``flip`` says so, the window without margins that ``(top, left)`` moves.

    ``top``, ``left`` and ``flip`` are ``[N, 1]``; ``(pixels, pixels)`` is the window in the middle. Zeros lie
    beyond the margin. One gather of bytes does it all: mirroring is reading the columns of the
    unmirrored image from the right, and channels share their index.
    """
    count, channels = images.shape[:2]
    height, width = images.shape[2] - 2 * margin, images.shape[3] - 2 * margin
    pad = max(0, pixels - margin)
    wide = images.shape[3] + 2 * pad
    top, left, flip = (choice.to(images.device) for choice in (top, left, flip))
    rows = top + (margin + pad - pixels) + torch.arange(height, device=images.device)
    columns = left + (margin + pad - pixels) + torch.arange(width, device=images.device)
    columns = torch.where(flip, wide - 1 - columns, columns)
    index = (rows[:, :, None] * wide + columns[:, None, :]).flatten(1).unsqueeze(1)
    padded = F.pad(images, (pad,) * 4).flatten(2)
    return padded.gather(2, index.expand(-1, channels, -1)).view(count, channels, height, width)


AUGMENTATIONS: dict[str, Callable[..., Tensor]] = {
    "none": none,
    "shift": shift,
    "flip_crop": flip_crop,
    "flip_crop_rotate": flip_crop_rotate,
}
"""The only place where a name means an augmentation."""
