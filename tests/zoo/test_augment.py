"""Every augmentation against one obvious loop, and one contract for the table."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from secateurs.zoo import AUGMENTATIONS
from secateurs.zoo.augment import flip_crop, shift
from toys import content, generator, surroundings

contract = pytest.mark.parametrize("name", AUGMENTATIONS)


def pictures(n: int = 40, channels: int = 2, height: int = 5, width: int = 8, seed: int = 0) -> Tensor:
    return torch.randint(1, 256, (n, channels, height, width), generator=generator(seed)).to(torch.uint8)


def moved(image: Tensor, down: int, right: int) -> Tensor:
    """One image ``[C, H, W]`` moved; zeros come in."""
    _, height, width = image.shape
    found = torch.zeros_like(image)
    to_y, to_x = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    from_y, from_x = slice(max(0, -down), height + min(0, -down)), slice(max(0, -right), width + min(0, -right))
    found[:, to_y, to_x] = image[:, from_y, from_x]
    return found


def placements(image: Tensor, pixels: int, mirrored: bool) -> dict[bytes, tuple[int, int, bool]]:
    reach = range(-pixels, pixels + 1)
    sides = (False, True) if mirrored else (False,)
    return {
        content(moved(image.flip(-1) if side else image, down, right)): (down, right, side)
        for down in reach
        for right in reach
        for side in sides
    }


@contract
@pytest.mark.parametrize("shape", [(40, 2, 5, 8), (1, 1, 8, 8), (3, 3, 32, 16), (0, 1, 8, 8)])
def test_an_augmentation_is_pure_and_keeps_the_shape(name: str, shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    before, around = images.clone(), surroundings()
    found = AUGMENTATIONS[name](images, generator(1))
    assert (found.shape, found.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, before)
    assert surroundings() == around
    assert torch.equal(found, AUGMENTATIONS[name](images, generator(1)))


@contract
def test_examples_are_changed_apart_from_each_other(name: str) -> None:
    """What happens to an image depends on its place in the batch, not on what is shown beside it."""
    images = pictures()
    other = images.clone()
    other[1:] = pictures(seed=9)[1:]
    one, two = (AUGMENTATIONS[name](batch, generator(1)) for batch in (images, other))
    assert torch.equal(one[0], two[0])


@pytest.mark.parametrize("pixels", [0, 1, 2])
def test_shift_moves_each_image_somewhere_within_reach(pixels: int) -> None:
    images = pictures(200, height=6)
    chosen = []
    for image, found in zip(images, shift(images, generator(2), pixels), strict=True):
        places = placements(image, pixels, mirrored=False)
        assert content(found) in places
        chosen.append(places[content(found)])
    assert len(set(chosen)) == (2 * pixels + 1) ** 2  # all of them come in 200 draws


def test_flip_crop_flips_half_and_moves_by_an_eighth() -> None:
    images = pictures(300, channels=1, height=8, width=16)
    chosen = []
    for image, found in zip(images, flip_crop(images, generator(3)), strict=True):
        places = placements(image, 2, mirrored=True)
        assert content(found) in places
        chosen.append(places[content(found)])
    assert len(set(chosen)) == 50
    flipped = sum(side for _, _, side in chosen)
    assert abs(flipped - 150) < 4 * 75**0.5  # four standard deviations of a fair coin


@given(
    st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.integers(4, 9), st.integers(4, 9), st.integers(0, 99)
)
def test_shift_is_padding_and_cropping(pixels: int, n: int, channels: int, height: int, width: int, seed: int) -> None:
    images = pictures(n, channels, height, width, seed)
    top, left = torch.randint(0, 2 * pixels + 1, (2, n, 1), generator=generator(seed)).squeeze(2).tolist()
    padded = F.pad(images, (pixels,) * 4)
    expected = [padded[i, :, top[i] : top[i] + height, left[i] : left[i] + width] for i in range(n)]
    assert torch.equal(shift(images, generator(seed), pixels), torch.stack(expected))


def test_none_is_none() -> None:
    images = pictures()
    assert torch.equal(AUGMENTATIONS["none"](images, generator()), images)
