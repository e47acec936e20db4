"""What residual networks are built of (He et al. 2016, ResNeXt: Xie et al. 2017): blocks, stems, the whole of them."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import BnScale, initial_weights, one_of, positive

Shortcut = Literal["A", "B"]
Stem = Literal["small", "imagenet"]


class PaddedShortcut(nn.Module):
    """Option A: every second pixel where the stride is 2, and zeros for new channels, half of them on each side."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        extra = channels - channels_in
        self.stride = stride
        # A module, so that its numbers can follow when channels are removed; three last dimensions: C, H, W.
        self.pad = nn.ZeroPad3d((0, 0, 0, 0, extra // 2, extra - extra // 2))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pad(x[:, :, :: self.stride, :: self.stride])
        return y


def shortcut_between(
    channels_in: int, channels: int, stride: int, shortcut: Shortcut, *, normalised: bool = True
) -> nn.Module | None:
    """What a block adds its branch to, where that is not its input; None where it is.

    Option A is :class:`PaddedShortcut`, without parameters; option B is a 1 x 1 convolution, with batch
    normalisation after it where ``normalised``.

    Raises:
        TrainingError: when ``shortcut`` is neither.
    """
    one_of("shortcut", shortcut, ("A", "B"))
    if stride == 1 and channels_in == channels:
        return None
    if shortcut == "A":
        return PaddedShortcut(channels_in, channels, stride)
    convolution = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels)) if normalised else convolution


class BasicBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus shortcut (see :func:`shortcut_between`), then ReLU."""

    def __init__(self, channels_in: int, channels: int, stride: int, shortcut: Shortcut = "A") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = shortcut_between(channels_in, channels, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Bottleneck(nn.Module):
    """Three convolutions (1 x 1, 3 x 3, 1 x 1), each with BN, plus shortcut, then ReLU.

    Inside it is ``inside`` channels wide, a quarter of ``channels`` unless said otherwise, and its
    3 x 3 convolution works in ``groups`` that do not see each other (ResNeXt; Xie et al. 2017, fig. 3c).

    Where the shape changes, the shortcut is a projection (option B). The stride is that of the 3 x 3
    convolution, as torchvision has it; the paper's first 1 x 1 convolution would pass over three
    pixels of four.
    """

    EXPANSION = 4

    def __init__(
        self, channels_in: int, channels: int, stride: int, inside: int | None = None, groups: int = 1
    ) -> None:
        super().__init__()
        inside = channels // self.EXPANSION if inside is None else inside
        self.conv1 = nn.Conv2d(channels_in, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.shortcut = shortcut_between(channels_in, channels, stride, "B")

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    """A residual network: stem, stages of blocks, mean pool, classifier.

    Args:
        widths: channels of each stage, inside its blocks; every stage after the first halves the resolution.
        blocks: blocks in each stage; one number if all have as many.
        shortcut: "A" or "B", see :func:`shortcut_between`.
        bottleneck: blocks are :class:`Bottleneck`, which have projections for shortcuts: with shortcut "B" only.
        inside: channels inside the bottlenecks of each stage; None for ``widths``. Outside are four times ``widths``.
        groups: groups of the bottlenecks' 3 x 3 convolutions.
        stem: "small" is a 3 x 3 convolution, "imagenet" one of 7 x 7 with stride 2, then 3 x 3 max
            pooling with stride 2.
        bn_scale: initial scales of batch normalisation, see :func:`~secateurs.zoo.models.initial.initial_weights`.

    Raises:
        TrainingError: when a width or the number of stages or blocks is below 1, or an option is none of its choices,
            and for bottlenecks with shortcut "A".
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
        inside: tuple[int, ...] | None = None,
        groups: int = 1,
        stem: Stem = "small",
        bn_scale: BnScale = "one",
    ) -> None:
        super().__init__()
        every = (blocks,) * len(widths) if isinstance(blocks, int) else blocks
        positive(stages=len(widths), width=min(widths, default=1), blocks=min(every, default=1))
        one_of("stem", stem, ("small", "imagenet"))
        if bottleneck and shortcut != "B":
            raise TrainingError(
                f"bottleneck blocks have projections for shortcuts: shortcut must be 'B', got {shortcut!r}"
            )
        size, stride = (3, 1) if stem == "small" else (7, 2)
        self.conv = nn.Conv2d(input_shape[0], widths[0], size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.pool = None if stem == "small" else nn.MaxPool2d(3, 2, 1)
        layers: list[nn.Module] = []
        channels = widths[0]
        for stage, (width, within, number) in enumerate(zip(widths, inside or widths, every, strict=True)):
            for block in range(number):
                stride = 2 if stage and not block else 1
                if bottleneck:
                    layers.append(Bottleneck(channels, Bottleneck.EXPANSION * width, stride, within, groups))
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
