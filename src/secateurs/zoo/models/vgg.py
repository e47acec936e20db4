"""VGG-11, 13, 16 and 19 (Simonyan & Zisserman 2015, configurations A, B, D, E) for 32 x 32 images.

As P0 and P2 train them: batch normalisation after every convolution, and one linear classifier in
place of the three fully connected layers for ImageNet. P2's VGG2-16 (section 5.3.3) has two fully
connected layers, which is ``fully_connected=2``: a hidden one as wide as the last convolution (512)
with ReLU, and the classifier.
"""

from __future__ import annotations

from typing import Literal, Protocol

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


class VGGOfDepth(Protocol):
    """The network of one depth."""

    def __call__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        width: int = 64,
        fully_connected: Literal[1, 2] = 1,
        bn_scale: BnScale = "one",
    ) -> nn.Module: ...


def _of_depth(depth: int, size: str) -> VGGOfDepth:
    """The function ``vgg<depth>``; its docstring tells the ``size``."""

    def vgg(
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        width: int = 64,
        fully_connected: Literal[1, 2] = 1,
        bn_scale: BnScale = "one",
    ) -> nn.Module:
        return VGG(input_shape, num_classes, depth, width, fully_connected, bn_scale)

    vgg.__name__ = vgg.__qualname__ = f"vgg{depth}"
    vgg.__doc__ = f"VGG-{depth} with batch normalisation ({size})."
    return vgg


vgg11 = _of_depth(11, "9,228,362 parameters on CIFAR-10")
vgg13 = _of_depth(13, "9,413,066 parameters on CIFAR-10")
vgg16 = _of_depth(16, "14,724,042 parameters on CIFAR-10; 14,986,698 with ``fully_connected=2``, P2's VGG2-16")
vgg19 = _of_depth(19, "20,035,018 parameters on CIFAR-10")
