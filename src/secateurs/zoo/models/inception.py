"""Inception-v3 (Szegedy et al. 2016) with the layers of torchvision's: each block is several branches side by side."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import BnScale, initial_weights, one_of, positive
from secateurs.zoo.models.residual import Stem

Kernel = int | tuple[int, int]
Layer = tuple[int, Kernel] | Literal["mean", "max", "split"]
"""Channels and kernel of a convolution, or 3 x 3 pooling; a split is two convolutions side by side, 1 x 3 and 3 x 1."""
Branch = tuple[Layer, ...]

NORM_EPS = 1e-3
LEAST: dict[Stem, int] = {"imagenet": 75, "small": 7}
"""The smallest side of an image that leaves a position after the last block."""


def _wide(pooled: int) -> tuple[Branch, ...]:
    """The paper's figure 5: a convolution of 5 x 5, two of 3 x 3 in a row."""
    return ((64, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)), ("mean", (pooled, 1))


def _factored(inside: int) -> tuple[Branch, ...]:
    """Figure 6: convolutions of 7 x 7 as one row and one column, once and twice."""
    row, column = (1, 7), (7, 1)
    return (
        ((192, 1),),
        ((inside, 1), (inside, row), (192, column)),
        ((inside, 1), (inside, column), (inside, row), (inside, column), (192, row)),
        ("mean", (192, 1)),
    )


SPREAD: tuple[Branch, ...] = (((320, 1),), ((384, 1), "split"), ((448, 1), (384, 3), "split"), ("mean", (192, 1)))
"""Figure 7: the last blocks spread their outputs out."""

HALVED: dict[int, tuple[Branch, ...]] = {
    3: (((384, 3),), ((64, 1), (96, 3), (96, 3)), ("max",)),
    8: (((192, 1), (320, 3)), ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)), ("max",)),
}
"""Place -> a block whose branches end with stride 2 (figure 10)."""

BLOCKS: tuple[tuple[Branch, ...], ...] = (
    *map(_wide, (32, 64, 64)),
    HALVED[3],
    *map(_factored, (128, 160, 160, 192)),
    HALVED[8],
    SPREAD,
    SPREAD,
)


class Branches(nn.Module):
    """Branches that see the same input, their outputs one after the other."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class InceptionV3(nn.Module):
    """Stem, eleven blocks of branches, mean pool, classifier; see :func:`inception_v3`.

    Raises:
        TrainingError: when the width is below 1, an option is none of its choices, or the images are too small.
    """

    def __init__(
        self, input_shape: tuple[int, ...], num_classes: int, width: int, stem: Stem, bn_scale: BnScale = "one"
    ) -> None:
        super().__init__()
        positive(width=width)
        one_of("stem", stem, ("small", "imagenet"))
        channels, height, breadth = input_shape
        if min(height, breadth) < LEAST[stem]:
            remedy = "enlarge the images (the data's option `size`, for digits `enlarge`)"
            raise TrainingError(
                f"Inception-v3 with the stem {stem!r} needs images of at least {LEAST[stem]} x {LEAST[stem]}, got "
                f"{height} x {breadth}: {remedy}{', or set stem to small' if stem == 'imagenet' else ''}"
            )
        self._of_32 = width
        large = stem == "imagenet"
        layers: list[nn.Module] = []
        for each, kernel, stride, padded in ((32, 3, 2, False), (32, 3, 1, False), (64, 3, 1, True)):
            layers.append(_conv_bn(channels, self._scaled(each), kernel, stride if large else 1, padded or not large))
            channels = self._scaled(each)
        layers += [nn.MaxPool2d(3, 2)] * large
        for each, kernel in ((80, 1), (192, 3)):
            layers.append(_conv_bn(channels, self._scaled(each), kernel, 1, not large))
            channels = self._scaled(each)
        layers += [nn.MaxPool2d(3, 2)] * large
        self.stem = nn.Sequential(*layers)
        blocks = []
        for place, branches in enumerate(BLOCKS):
            made = [self._branch(channels, branch, 2 if place in HALVED else 1) for branch in branches]
            blocks.append(Branches(*(branch for branch, _ in made)))
            channels = sum(out for _, out in made)
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, num_classes)
        initial_weights(self, bn_scale)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(self.stem(x)).mean((2, 3)))
        return logits

    def _branch(self, channels: int, branch: Branch, stride: int) -> tuple[nn.Sequential, int]:
        """A branch, and how many channels come out; its last layer has the stride, and no padding if that is 2."""
        layers: list[nn.Module] = []
        for place, layer in enumerate(branch):
            last = stride if place == len(branch) - 1 else 1
            if layer == "mean":
                layers.append(nn.AvgPool2d(3, 1, 1))
            elif layer == "max":
                layers.append(nn.MaxPool2d(3, last))
            elif layer == "split":
                out = self._scaled(384)
                layers.append(Branches(*(_conv_bn(channels, out, kernel) for kernel in ((1, 3), (3, 1)))))
                channels = 2 * out
            else:
                out, kernel = self._scaled(layer[0]), layer[1]
                layers.append(_conv_bn(channels, out, kernel, last, last == 1))
                channels = out
        return nn.Sequential(*layers), channels

    def _scaled(self, channels: int) -> int:
        return max(1, channels * self._of_32 // 32)


def inception_v3(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 32,
    stem: Stem = "imagenet",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """Inception-v3 without its auxiliary classifier: 23,834,568 parameters on ImageNet with its 1,000 classes.

    For images of 299 x 299. P2 counts 27.1 M, with the auxiliary classifier (27,161,264 in torchvision's
    network), which has a loss of its own while training and is no part of what is tested: here there is
    none, and no dropout. A ``width`` other than 32 scales all channels. ``stem="small"`` (no strides, no
    max pools) keeps the resolution of small images.
    """
    return InceptionV3(input_shape, num_classes, width, stem, bn_scale)


def _conv_bn(channels_in: int, channels: int, kernel: Kernel, stride: int = 1, padded: bool = True) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU; padded, it keeps the resolution."""
    height, breadth = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, breadth // 2) if padded else 0
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, (height, breadth), stride, padding, bias=False),
        nn.BatchNorm2d(channels, eps=NORM_EPS),
        nn.ReLU(),
    )
