"""Inception-v3: its parameters by hand, the resolutions inside it, what its blocks compute."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import Spec, prunable
from secateurs.zoo import MODELS, build_model
from secateurs.zoo.models.inception import LEAST, Branches
from toys import generator

IMAGENET = (3, 299, 299)


def described(input_shape: tuple[int, ...] = IMAGENET, num_classes: int = 1000, **options: object) -> nn.Module:
    """Without its weights."""
    with torch.device("meta"):
        return MODELS["inception_v3"](input_shape, num_classes, **options)


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def conv_bn(area: int, channels_in: int, channels: int) -> int:
    return area * channels_in * channels + 2 * channels


def by_hand() -> int:
    """Block by block, as torchvision's source names them."""
    total = conv_bn(9, 3, 32) + conv_bn(9, 32, 32) + conv_bn(9, 32, 64) + conv_bn(1, 64, 80) + conv_bn(9, 80, 192)
    for seen, pooled in ((192, 32), (256, 64), (288, 64)):  # 5b, 5c, 5d
        total += conv_bn(1, seen, 64) + conv_bn(1, seen, 48) + conv_bn(25, 48, 64)
        total += conv_bn(1, seen, 64) + conv_bn(9, 64, 96) + conv_bn(9, 96, 96) + conv_bn(1, seen, pooled)
    total += conv_bn(9, 288, 384) + conv_bn(1, 288, 64) + conv_bn(9, 64, 96) + conv_bn(9, 96, 96)  # 6a
    for inside in (128, 160, 160, 192):  # 6b to 6e
        total += 2 * conv_bn(1, 768, 192)
        total += conv_bn(1, 768, inside) + conv_bn(7, inside, inside) + conv_bn(7, inside, 192)
        total += conv_bn(1, 768, inside) + 3 * conv_bn(7, inside, inside) + conv_bn(7, inside, 192)
    total += conv_bn(1, 768, 192) + conv_bn(9, 192, 320)  # 7a
    total += conv_bn(1, 768, 192) + 2 * conv_bn(7, 192, 192) + conv_bn(9, 192, 192)
    for seen in (1280, 2048):  # 7b, 7c
        total += conv_bn(1, seen, 320) + conv_bn(1, seen, 384) + 2 * conv_bn(3, 384, 384)
        total += conv_bn(1, seen, 448) + conv_bn(9, 448, 384) + 2 * conv_bn(3, 384, 384) + conv_bn(1, seen, 192)
    return total + 2049 * 1000


def test_it_has_torchvision_s_number_of_parameters() -> None:
    model = described()
    assert size(model) == by_hand() == 23_834_568
    # P2's 27.1 M are with the auxiliary classifier.
    auxiliary = conv_bn(1, 768, 128) + conv_bn(25, 128, 768) + 769 * 1000
    assert size(model) + auxiliary == 27_161_264
    for total in (size(model), size(model) + auxiliary):
        assert f"{total:,}" in str(MODELS["inception_v3"].__doc__)
    assert size(described((3, 32, 32), 1000, stem="small")) == size(model)
    assert sum(p.ndim == 4 for p in prunable(model).values()) == 94


def test_its_resolutions_are_those_in_print() -> None:
    model = described(num_classes=7)
    x, sides = torch.zeros(2, *IMAGENET, device="meta"), []
    for layer in (*model.get_submodule("stem"), *model.get_submodule("blocks")):  # type: ignore[misc]
        x = layer(x)
        sides.append((x.shape[1], x.shape[-1]))
    stem = [(32, 149), (32, 147), (64, 147), (64, 73), (80, 73), (192, 71), (192, 35)]
    blocks = [(256, 35), *[(288, 35)] * 2, *[(768, 17)] * 5, (1280, 8), *[(2048, 8)] * 2]
    assert sides == stem + blocks


@pytest.mark.parametrize("stem", LEAST)
def test_the_smallest_images_leave_one_position(stem: str) -> None:
    side = LEAST[stem]  # type: ignore[index]
    model = build_model(Spec("inception_v3", {"width": 1, "stem": stem}), (3, side, side), 5, seed=0).eval()
    seen: list[tuple[int, ...]] = []
    model.get_submodule("blocks").register_forward_hook(lambda *_: seen.append(tuple(_[2].shape[2:])))
    assert model(torch.zeros(2, 3, side, side)).shape == (2, 5)
    assert seen == [(1, 1)]


def test_branches_are_side_by_side() -> None:
    first, second = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 4, 3, padding=1)
    x = torch.randn(2, 3, 5, 5, generator=generator(1))
    y: Tensor = Branches(first, second)(x)
    assert torch.equal(y[:, :2], first(x))
    assert torch.equal(y[:, 2:], second(x))


@pytest.mark.parametrize(("width", "channels"), [(1, 64), (2, 128), (16, 1024), (64, 4096)])
def test_width_scales_all_channels(width: int, channels: int) -> None:
    model = described((3, 32, 32), 7, width=width, stem="small")
    assert model.get_submodule("fc").in_features == channels
    assert size(model) / size(described(num_classes=7)) == pytest.approx((width / 32) ** 2, rel=0.35)
