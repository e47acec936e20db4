"""VGG-11, 13, 16 and 19 (Simonyan & Zisserman 2015, configurations A, B, D, E) for 32 x 32 images.

As P0 and P2 train them: batch normalisation after every convolution, and one linear classifier in
place of the three fully connected layers for ImageNet.
"""

from __future__ import annotations

from torch import Tensor, nn

from secateurs.zoo.models.initial import halvings, kaiming, positive

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
    position of 32 x 32) is averaged before the classifier.

    Raises:
        TrainingError: for images smaller than 32 x 32.
    """

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, depth: int, width: int) -> None:
        super().__init__()
        positive(width=width)
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
        self.fc = nn.Linear(channels_in, num_classes)
        kaiming(self)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.features(x).mean((2, 3)))
        return logits


def vgg11(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """VGG-11 with batch normalisation (9,228,362 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 11, width)


def vgg13(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """VGG-13 with batch normalisation (9,413,066 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 13, width)


def vgg16(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """VGG-16 with batch normalisation (14,724,042 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 16, width)


def vgg19(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """VGG-19 with batch normalisation (20,035,018 parameters on CIFAR-10)."""
    return VGG(input_shape, num_classes, 19, width)
