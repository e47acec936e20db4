"""What residual networks are built of (He et al. 2016): blocks, stems, and the whole out of them."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import BnScale, initial_weights, positive

Shortcut = Literal["A", "B"]
Stem = Literal["small", "imagenet"]


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
        extra = channels - channels_in
        self.shortcut: nn.Module | None = None
        self.pad: nn.Module | None = None
        if shortcut == "B" and (stride != 1 or extra):
            self.shortcut = _projection(channels_in, channels, stride)
        elif stride != 1 or extra:
            # A module, so that its numbers can follow when channels are removed; three last dimensions: C, H, W.
            self.pad = nn.ZeroPad3d((0, 0, 0, 0, extra // 2, extra - extra // 2))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.pad is not None:
            x = self.pad(x[:, :, :: self.stride, :: self.stride])
        return F.relu(y + x)


class Bottleneck(nn.Module):
    """Three convolutions (1 x 1, 3 x 3, 1 x 1), each with BN, plus shortcut, then ReLU; inside a quarter as wide.

    Where the shape changes, the shortcut is a projection (option B). The stride is that of the 3 x 3
    convolution, as torchvision has it; the paper's first 1 x 1 convolution would pass over three
    pixels of four.
    """

    EXPANSION = 4

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        inside = channels // self.EXPANSION
        self.conv1 = nn.Conv2d(channels_in, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.shortcut = _projection(channels_in, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def _projection(channels_in: int, channels: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))


class ResNet(nn.Module):
    """A residual network: stem, stages of blocks, mean pool, classifier.

    Args:
        widths: channels of each stage, inside its blocks; every stage after the first halves the resolution.
        blocks: blocks in each stage; one number if all have as many.
        shortcut: "A" or "B", see :class:`BasicBlock`.
        bottleneck: blocks are :class:`Bottleneck`, which have projections for shortcuts (shortcut B).
        stem: "small" is a 3 x 3 convolution, "imagenet" one of 7 x 7 with stride 2, then 3 x 3 max
            pooling with stride 2.
        bn_scale: initial scales of batch normalisation, see :func:`~secateurs.zoo.models.initial.initial_weights`.

    Raises:
        TrainingError: when a width or the number of stages or blocks is below 1, or an option is none of its choices.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        widths: tuple[int, ...],
        blocks: int | tuple[int, ...],
        shortcut: Shortcut = "A",
        *,
        bottleneck: bool = False,
        stem: Stem = "small",
        bn_scale: BnScale = "one",
    ) -> None:
        super().__init__()
        every = (blocks,) * len(widths) if isinstance(blocks, int) else blocks
        positive(stages=len(widths), width=min(widths, default=1), blocks=min(every, default=1))
        if shortcut not in ("A", "B"):
            raise TrainingError(f"shortcut must be 'A' or 'B', got {shortcut!r}")
        if stem not in ("small", "imagenet"):
            raise TrainingError(f"stem must be 'small' or 'imagenet', got {stem!r}")
        size, stride = (3, 1) if stem == "small" else (7, 2)
        self.conv = nn.Conv2d(input_shape[0], widths[0], size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.pool = None if stem == "small" else nn.MaxPool2d(3, 2, 1)
        layers: list[nn.Module] = []
        channels = widths[0]
        for stage, (width, number) in enumerate(zip(widths, every, strict=True)):
            for block in range(number):
                stride = 2 if stage and not block else 1
                if bottleneck:
                    layers.append(Bottleneck(channels, Bottleneck.EXPANSION * width, stride))
                else:
                    layers.append(BasicBlock(channels, width, stride, shortcut))
                channels = Bottleneck.EXPANSION * width if bottleneck else width
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)
        initial_weights(self, bn_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x)))
        x = self.blocks(x if self.pool is None else self.pool(x))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits
