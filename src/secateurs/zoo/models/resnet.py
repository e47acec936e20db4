"""Residual networks of basic blocks for small images (He et al. 2016a)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import kaiming, positive

Shortcut = Literal["A", "B"]


class BasicBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus shortcut, then ReLU.

    Where the shape changes, the shortcut is one of the paper's: option A takes every second pixel
    and fills new channels with zeros, half of them on each side, without parameters; option B is
    a 1 x 1 convolution with batch normalisation.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, shortcut: Shortcut = "A") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.extra = channels - channels_in
        self.shortcut: nn.Module | None = None
        if shortcut == "B" and (stride != 1 or self.extra):
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.stride != 1 or self.extra:
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)
            )
        return F.relu(y + x)


class ResNet(nn.Module):
    """A residual network for small images: 3 x 3 stem, stages of basic blocks, mean pool, classifier.

    Args:
        widths: channels of each stage; every stage after the first halves the resolution.
        blocks: basic blocks in each stage.
        shortcut: "A" or "B", see :class:`BasicBlock`.

    Raises:
        TrainingError: when a width or the number of stages or blocks is below 1, or the shortcut is neither.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        widths: tuple[int, ...],
        blocks: int,
        shortcut: Shortcut = "A",
    ) -> None:
        super().__init__()
        positive(stages=len(widths), width=min(widths, default=1), blocks=blocks)
        if shortcut not in ("A", "B"):
            raise TrainingError(f"shortcut must be 'A' or 'B', got {shortcut!r}")
        self.conv = nn.Conv2d(input_shape[0], widths[0], 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        layers, channels = [], widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                layers.append(BasicBlock(channels, width, 2 if stage and not block else 1, shortcut))
                channels = width
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)
        kaiming(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def digits_resnet(
    input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, stages: int = 2, blocks: int = 1
) -> nn.Module:
    """A small residual net for 8 x 8 digits: widths ``width, 2 * width, ...``, ``blocks`` basic blocks a stage."""
    return ResNet(input_shape, num_classes, tuple(width * 2**stage for stage in range(stages)), blocks)


def cifar_resnet(
    input_shape: tuple[int, ...], num_classes: int, *, depth: int = 20, width: int = 16, shortcut: Shortcut = "A"
) -> nn.Module:
    """The paper's CIFAR network of any ``depth`` = 6 n + 2: three stages of n blocks, ``width``, 2 and 4 times as wide.

    Shortcuts are option A, as in the paper's CIFAR experiments, unless ``shortcut="B"``.

    Raises:
        TrainingError: when the depth is not 6 n + 2.
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise TrainingError(f"cifar_resnet: depth must be 6 n + 2 (8, 14, 20, 26, 32, ...), got {depth}")
    return ResNet(input_shape, num_classes, (width, 2 * width, 4 * width), blocks, shortcut)


def resnet20(input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, shortcut: Shortcut = "A") -> nn.Module:
    """ResNet-20 for CIFAR-10: 269,722 parameters with shortcut A, 272,474 with B (0.27 M in print)."""
    return cifar_resnet(input_shape, num_classes, depth=20, width=width, shortcut=shortcut)


def resnet32(input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, shortcut: Shortcut = "A") -> nn.Module:
    """ResNet-32 for CIFAR-10: 464,154 parameters with shortcut A, 466,906 with B (0.46 M in print)."""
    return cifar_resnet(input_shape, num_classes, depth=32, width=width, shortcut=shortcut)


def resnet44(input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, shortcut: Shortcut = "A") -> nn.Module:
    """ResNet-44 for CIFAR-10: 658,586 parameters with shortcut A, 661,338 with B (0.66 M in print)."""
    return cifar_resnet(input_shape, num_classes, depth=44, width=width, shortcut=shortcut)


def resnet56(input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, shortcut: Shortcut = "A") -> nn.Module:
    """ResNet-56 for CIFAR-10: 853,018 parameters with shortcut A, 855,770 with B (0.85 M in print)."""
    return cifar_resnet(input_shape, num_classes, depth=56, width=width, shortcut=shortcut)


def resnet110(
    input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, shortcut: Shortcut = "A"
) -> nn.Module:
    """ResNet-110 for CIFAR-10: 1,727,962 parameters with shortcut A, 1,730,714 with B (1.7 M in print)."""
    return cifar_resnet(input_shape, num_classes, depth=110, width=width, shortcut=shortcut)


def resnet18(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64, shortcut: Shortcut = "B") -> nn.Module:
    """ResNet-18 with the stem for small images (3 x 3, no max pool): 11,173,962 parameters on CIFAR-10.

    Four stages of two blocks, ``width``, 2, 4 and 8 times as wide, with projection shortcuts (option B).
    """
    return ResNet(input_shape, num_classes, tuple(width * 2**stage for stage in range(4)), 2, shortcut)
