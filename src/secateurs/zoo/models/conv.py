"""Conv-2, Conv-4 and Conv-6: the scaled-down VGGs of Frankle & Carbin (2019, fig. 2); Conv-8, which P2 adds."""

from __future__ import annotations

from torch import nn

from secateurs.zoo.models.initial import halvings, kaiming, positive


def conv_2(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """Conv-2: one pair of 3 x 3 convolutions (``width`` channels), then 256-256-classes.

    4,301,642 parameters on CIFAR-10 (4.3 M in print).
    """
    return _conv(2, input_shape, num_classes, width)


def conv_4(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """Conv-4: two pairs of 3 x 3 convolutions (``width``, twice ``width``), then 256-256-classes.

    2,425,930 parameters on CIFAR-10 (2.4 M in print).
    """
    return _conv(4, input_shape, num_classes, width)


def conv_6(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """Conv-6: three pairs of 3 x 3 convolutions (``width``, 2 and 4 times ``width``), then 256-256-classes.

    2,262,602 parameters on CIFAR-10. The paper prints 1.7 M, which the layers it lists do not
    make; its number for the convolutions alone, 1.1 M, agrees (1,145,408).
    """
    return _conv(6, input_shape, num_classes, width)


def conv_8(input_shape: tuple[int, ...], num_classes: int, *, width: int = 64) -> nn.Module:
    """Conv-8: four pairs of 3 x 3 convolutions (``width``, 2, 4 and 8 times ``width``), then 256-256-classes.

    5,278,282 parameters on CIFAR-10. P2 (section 3.3.1) names it and says no more: it goes on as Conv-6 does.
    """
    return _conv(8, input_shape, num_classes, width)


def _conv(depth: int, input_shape: tuple[int, ...], num_classes: int, width: int) -> nn.Module:
    """Pairs of padded convolutions with bias, each pair followed by 2 x 2 max pooling; no normalisation."""
    positive(width=width)
    pairs = depth // 2
    halvings(f"Conv-{depth}", input_shape, pairs)
    layers: list[nn.Module] = []
    channels_in, height, breadth = input_shape
    for pair in range(pairs):
        channels = width * 2**pair
        for _ in range(2):
            layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU()]
            channels_in = channels
        layers.append(nn.MaxPool2d(2))
        height, breadth = height // 2, breadth // 2
    layers += [
        nn.Flatten(),
        nn.Linear(channels_in * height * breadth, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, num_classes),
    ]
    model = nn.Sequential(*layers)
    kaiming(model)
    return model
