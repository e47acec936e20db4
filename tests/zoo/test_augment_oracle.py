"""The vectorised augmentation against one image at a time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from secateurs.zoo.augment import AUGMENTATIONS, flip_crop, flip_crop_rotate, none, rotated, shift


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


@settings(max_examples=30)
@given(shape=shapes, margin=st.integers(1, 4), pixels=st.integers(0, 6), seed=st.integers(0, 2**31))
def test_the_margin_is_what_a_crop_sees_of_the_image_around(
    shape: tuple[int, int, int, int], margin: int, pixels: int, seed: int
) -> None:
    """What comes in is the margin, and zeros beyond it: the window of a larger image."""
    n, channels, height, width = shape
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (n, channels, height + 2 * margin, width + 2 * margin), generator=draw).byte()
    assert torch.equal(none(images, draw, margin=margin), images[:, :, margin:-margin, margin:-margin])
    for flips, reach in ((True, margin), (False, pixels)):
        fast, slow = (torch.Generator().manual_seed(seed) for _ in range(2))
        found = flip_crop(images, fast, margin=margin) if flips else shift(images, fast, pixels, margin=margin)
        mirror = torch.rand(n, generator=slow) < 0.5 if flips else torch.zeros(n)
        top, left = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=slow).squeeze(2)
        for i, image in enumerate(images):
            canvas = torch.nn.functional.pad(image.flip(-1) if mirror[i] else image, (10,) * 4)
            y, x = 10 + margin - reach + int(top[i]), 10 + margin - reach + int(left[i])
            assert torch.equal(found[i], canvas[:, y : y + height, x : x + width])
        assert torch.equal(fast.get_state(), slow.get_state())


def turned(image: torch.Tensor, degrees: float) -> torch.Tensor:
    """One image turned counter-clockwise, pixel by pixel."""
    _, height, width = image.shape
    angle, out = math.radians(degrees), torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            up, right = (height - 1) / 2 - row, column - (width - 1) / 2
            # Turned back by the angle, the target's place is where the pixel comes from.
            from_right = math.cos(angle) * right + math.sin(angle) * up
            from_up = math.cos(angle) * up - math.sin(angle) * right
            y, x = round((height - 1) / 2 - from_up), round((width - 1) / 2 + from_right)
            if 0 <= y < height and 0 <= x < width:
                out[:, row, column] = image[:, y, x]
    return out


@settings(max_examples=30)
@given(shape=shapes, seed=st.integers(0, 2**31))
def test_rotation_is_the_slow_one(shape: tuple[int, int, int, int], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, shape, generator=draw).byte()
    degrees = torch.rand(shape[0], generator=draw, dtype=torch.float64) * 80 - 40
    found = rotated(images, degrees)
    expected = torch.stack([turned(image, float(d)) for image, d in zip(images, degrees, strict=True)])
    assert torch.equal(found, expected)


def test_rotations_that_are_known() -> None:
    images = torch.randint(1, 256, (1, 3, 7, 7), generator=torch.Generator().manual_seed(0)).byte()
    assert torch.equal(rotated(images, torch.zeros(1)), images)
    assert torch.equal(rotated(images, torch.tensor([90.0])), images.rot90(1, (2, 3)))
    assert torch.equal(rotated(images, torch.tensor([-90.0])), images.rot90(-1, (2, 3)))
    assert torch.equal(rotated(images, torch.tensor([180.0])), images.rot90(2, (2, 3)))


def test_flip_crop_rotate_turns_what_was_cropped_by_at_most_15_degrees() -> None:
    """A vertical line through the middle leans by at most tan 15 degrees, and some lean nearly as much to each side."""
    lines = torch.zeros(400, 1, 33, 33, dtype=torch.uint8)
    lines[:, :, :, 16] = 255
    found = flip_crop_rotate(lines, torch.Generator().manual_seed(1))
    leans = []
    for line in found.squeeze(1):
        rows, columns = line.nonzero().double().unbind(1)
        rows, columns = rows - rows.mean(), columns - columns.mean()
        leans.append(math.degrees(math.atan(float((rows * columns).sum() / (rows * rows).sum()))))
    assert max(map(abs, leans)) < 15.5
    assert max(leans) > 13
    assert min(leans) < -13
    fast, slow = (torch.Generator().manual_seed(5) for _ in range(2))
    cropped = flip_crop(lines, slow)
    angles = 30 * torch.rand(400, generator=slow, dtype=torch.float64) - 15
    torch.testing.assert_close(flip_crop_rotate(lines, fast), rotated(cropped, angles))


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
