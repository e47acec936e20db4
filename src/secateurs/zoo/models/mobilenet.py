"""MobileNet-V1 (Howard et al. 2017, table 1): convolutions in two steps, depthwise and pointwise."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.zoo.models.initial import BnScale, initial_weights, one_of, positive
from secateurs.zoo.models.residual import Stem

LAYERS: tuple[tuple[int, int], ...] = (
    (2, 1),
    (4, 2),
    (4, 1),
    (8, 2),
    (8, 1),
    (16, 2),
    *((16, 1),) * 5,
    (32, 2),
    (32, 1),
)
"""Of each separable convolution: its channels as a multiple of the stem's, and its stride."""


class SeparableConv(nn.Module):
    """A 3 x 3 convolution of each channel by itself, then a 1 x 1 convolution, each with BN and ReLU."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.pointwise = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.pointwise(F.relu(self.bn1(self.depthwise(x))))))


class MobileNetV1(nn.Module):
    """Stem, thirteen separable convolutions, mean pool, classifier; see :func:`mobilenet_v1`.

    Raises:
        TrainingError: when the width is below 1, or an option is none of its choices.
    """

    def __init__(
        self, input_shape: tuple[int, ...], num_classes: int, width: int, stem: Stem, bn_scale: BnScale = "one"
    ) -> None:
        super().__init__()
        positive(width=width)
        one_of("stem", stem, ("small", "imagenet"))
        self.conv = nn.Conv2d(input_shape[0], width, 3, 1 if stem == "small" else 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        layers, channels = [], width
        for times, stride in LAYERS:
            layers.append(SeparableConv(channels, times * width, stride))
            channels = times * width
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)
        initial_weights(self, bn_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(F.relu(self.bn(self.conv(x))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def mobilenet_v1(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 32,
    stem: Stem = "small",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """MobileNet-V1: 3,217,226 parameters on CIFAR-10, 4,231,976 on ImageNet with its 1,000 classes (4.2 M in print).

    P3 prunes it on CIFAR-10, CIFAR-100 and Tiny-ImageNet.

    Args:
        width: channels of the stem; all others are multiples of it. The paper's width multiplier 0.5 is 16.
        stem: "small" keeps the resolution of small images, "imagenet" has the paper's stride 2. After it,
            four convolutions halve the resolution: 2 x 2 is left of 32 x 32 and of ImageNet's 224 x 224, 7 x 7.

    >>> import torch
    >>> with torch.device("meta"):
    ...     sum(p.numel() for p in mobilenet_v1((3, 32, 32), 10).parameters())
    3217226
    """
    return MobileNetV1(input_shape, num_classes, width, stem, bn_scale)
