"""Residual networks with activation before the weights (He et al. 2016, "Identity mappings", fig. 1b)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.zoo.models.initial import BnScale, initial_weights, positive
from secateurs.zoo.models.residual import Shortcut, shortcut_between
from secateurs.zoo.models.resnet import CifarResNet, blocks_of, of_depth


class PreactivationBlock(nn.Module):
    """BN-ReLU-conv-BN-ReLU-conv plus shortcut, and nothing after the sum.

    The shortcut starts at the block's input as it came, and its projection (option B) has no batch
    normalisation: the next block's follows.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.shortcut = shortcut_between(channels_in, channels, stride, shortcut, normalised=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        sum_: Tensor = y + (x if self.shortcut is None else self.shortcut(x))
        return sum_


class PreResNet(nn.Module):
    """A 3 x 3 convolution, stages of :class:`PreactivationBlock`, BN-ReLU, mean pool, classifier.

    Args:
        widths: channels of each stage; every stage after the first halves the resolution.
        blocks: blocks in each stage.
        shortcut: "A" or "B", see :func:`~secateurs.zoo.models.residual.shortcut_between`.
        bn_scale: initial scales of batch normalisation, see :func:`~secateurs.zoo.models.initial.initial_weights`.

    Raises:
        TrainingError: when a width or the number of blocks is below 1, or an option is none of its choices.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        widths: tuple[int, ...],
        blocks: int,
        shortcut: Shortcut,
        bn_scale: BnScale = "one",
    ) -> None:
        super().__init__()
        positive(width=min(widths), blocks=blocks)
        self.conv = nn.Conv2d(input_shape[0], widths[0], 3, padding=1, bias=False)
        layers, channels = [], widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                layers.append(PreactivationBlock(channels, width, 2 if stage and not block else 1, shortcut))
                channels = width
        self.blocks = nn.Sequential(*layers)
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, num_classes)
        initial_weights(self, bn_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.blocks(self.conv(x))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def preresnet(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    depth: int = 20,
    width: int = 16,
    shortcut: Shortcut = "B",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """The CIFAR network of any ``depth`` = 6 n + 2 with pre-activation blocks: ``width``, 2 and 4 times as wide.

    Shortcuts are projections (option B), as P4 has them from Liu et al. (2019); ``shortcut="A"`` has no
    parameters, as in the paper's CIFAR experiments. P4 scales the width by 0.5 to 8 (table 1) and takes
    depths 20, 32, 44, 56, 80 and 152 (table 2).

    Raises:
        TrainingError: when the depth is not 6 n + 2.

    >>> import torch
    >>> with torch.device("meta"):
    ...     sum(p.numel() for p in preresnet((3, 32, 32), 10, depth=20).parameters())
    272282
    """
    blocks = blocks_of("preresnet", depth)
    return PreResNet(input_shape, num_classes, (width, 2 * width, 4 * width), blocks, shortcut, bn_scale)


def _preresnet(depth: int, size: str) -> CifarResNet:
    text = f"Pre-activation ResNet-{depth} for CIFAR-10: {size}."
    return of_depth(f"preresnet{depth}", preresnet, depth, text, "B")


preresnet20 = _preresnet(20, "272,282 parameters, 269,722 with shortcut A")
preresnet32 = _preresnet(32, "466,714 parameters, 464,154 with shortcut A")
preresnet44 = _preresnet(44, "661,146 parameters, 658,586 with shortcut A")
preresnet56 = _preresnet(56, "855,578 parameters, 853,018 with shortcut A")
preresnet80 = _preresnet(80, "1,244,442 parameters, 1,241,882 with shortcut A")
preresnet110 = _preresnet(110, "1,730,522 parameters, 1,727,962 with shortcut A")
preresnet152 = _preresnet(152, "2,411,034 parameters, 2,408,474 with shortcut A")
