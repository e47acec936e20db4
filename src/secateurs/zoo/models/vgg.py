"""VGG-11, 13, 16 and 19 (Simonyan & Zisserman 2015, configurations A, B, D, E) for 32 x 32 images.

As P0 and P2 train them: batch normalisation after every convolution, and one linear classifier in
place of the three fully connected layers for ImageNet. P2's VGG2-16 (section 5.3.3) has two fully
connected layers, which is ``fully_connected=2``: a hidden one as wide as the last convolution (512)
with ReLU, and the classifier.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import BnScale, halvings, initial_weights, positive

CONVOLUTIONS: dict[int, tuple[int, int, int, int, int]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Depth -> convolutions in each of the five stages."""


class VGG(nn.Module):
    """Five stages of 3 x 3 convolutions (no bias: batch normalisation has one), each ended by 2 x 2 max pooling.

    Stages are ``width``, 2, 4, 8 and 8 times ``width`` channels wide. What is left of the image (one
    position of 32 x 32) is averaged before the fully connected layers: the classifier alone, or after a
    hidden one.

    Raises:
        TrainingError: for images smaller than 32 x 32, and options that make no network.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        depth: int,
        width: int,
        fully_connected: Literal[1, 2] = 1,
        bn_scale: BnScale = "one",
    ) -> None:
        super().__init__()
        positive(width=width)
        if fully_connected not in (1, 2):
            raise TrainingError(f"fully_connected must be 1 or 2, got {fully_connected}")
        halvings(f"VGG-{depth}", input_shape, 5)
        layers: list[nn.Module] = []
        channels_in = input_shape[0]
        for stage, convolutions in enumerate(CONVOLUTIONS[depth]):
            channels = width * min(2**stage, 8)
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels_in, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
                layers.append(nn.ReLU())
                channels_in = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(channels_in, channels_in), nn.ReLU()) if fully_connected == 2 else None
        self.fc = nn.Linear(channels_in, num_classes)
        initial_weights(self, bn_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).mean((2, 3))
        logits: Tensor = self.fc(x if self.hidden is None else self.hidden(x))
        return logits


def vgg11(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    fully_connected: Literal[1, 2] = 1,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """VGG-11 with batch normalisation (9,228,362 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 11, width, fully_connected, bn_scale)


def vgg13(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    fully_connected: Literal[1, 2] = 1,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """VGG-13 with batch normalisation (9,413,066 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 13, width, fully_connected, bn_scale)


def vgg16(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    fully_connected: Literal[1, 2] = 1,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """VGG-16 with batch normalisation (14,724,042 parameters on CIFAR-10); with ``fully_connected=2`` P2's VGG2-16
    (14,986,698).
    """
    return VGG(input_shape, num_classes, 16, width, fully_connected, bn_scale)


def vgg19(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    fully_connected: Literal[1, 2] = 1,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """VGG-19 with batch normalisation (20,035,018 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 19, width, fully_connected, bn_scale)
