"""The vectorised augmentation against one image at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from secateurs.zoo.augment import AUGMENTATIONS, flip_crop, shift


def one_by_one(images: Tensor, generator: torch.Generator, pixels: int, *, flips: bool) -> Tensor:
    n, channels, height, width = images.shape
    mirror = torch.rand(n, generator=generator) < 0.5 if flips else torch.zeros(n)
    top, left = torch.randint(0, 2 * pixels + 1, (2, n, 1), generator=generator).squeeze(2)
    out = []
    for i, image in enumerate(images):
        canvas = torch.zeros(channels, height + 2 * pixels, width + 2 * pixels, dtype=images.dtype)
        canvas[:, pixels : pixels + height, pixels : pixels + width] = image.flip(-1) if mirror[i] else image
        out.append(canvas[:, top[i] : top[i] + height, left[i] : left[i] + width])
    return torch.stack(out)


shapes = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20))


@settings(max_examples=50)
@given(shape=shapes, seed=st.integers(0, 2**31))
def test_flip_crop_is_the_slow_one(shape: tuple[int, int, int, int], seed: int) -> None:
    images = torch.randint(1, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    fast, slow = (torch.Generator().manual_seed(seed) for _ in range(2))
    expected = one_by_one(images, slow, shape[-1] // 8, flips=True)
    assert torch.equal(flip_crop(images, fast), expected)
    assert torch.equal(fast.get_state(), slow.get_state())


@settings(max_examples=30)
@given(shape=shapes, pixels=st.integers(0, 4), seed=st.integers(0, 2**31))
def test_shift_is_the_slow_one(shape: tuple[int, int, int, int], pixels: int, seed: int) -> None:
    images = torch.randint(1, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    fast, slow = (torch.Generator().manual_seed(seed) for _ in range(2))
    assert torch.equal(shift(images, fast, pixels), one_by_one(images, slow, pixels, flips=False))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmenting_leaves_the_images_it_was_given_alone(name: str) -> None:
    images = torch.arange(2 * 3 * 16 * 16).remainder(251).to(torch.uint8).view(2, 3, 16, 16)
    before = images.clone()
    changed = AUGMENTATIONS[name](images, torch.Generator().manual_seed(3))
    assert torch.equal(images, before)
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8


def test_images_need_not_be_contiguous() -> None:
    images = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    grey = images[:, :1].expand(-1, 3, -1, -1)
    for some in (images, grey):
        fast, slow = (torch.Generator().manual_seed(1) for _ in range(2))
        assert torch.equal(flip_crop(some, fast), flip_crop(some.contiguous(), slow))
