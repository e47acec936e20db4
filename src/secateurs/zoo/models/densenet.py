"""DenseNet and DenseNet-BC (Huang et al. 2017, section 3): each layer sees the outputs of all before it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import BnScale, halvings, initial_weights, positive

BLOCKS = 3


class DenseLayer(nn.Module):
    """BN-ReLU-conv of ``growth`` new channels, put after those that came in.

    With ``bottleneck`` (DenseNet-B) a 1 x 1 convolution to four times ``growth`` channels comes before
    the 3 x 3 one, with BN and ReLU of its own.
    """

    def __init__(self, channels_in: int, growth: int, *, bottleneck: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if bottleneck:
            layers += [nn.BatchNorm2d(channels_in), nn.ReLU(), nn.Conv2d(channels_in, 4 * growth, 1, bias=False)]
            channels_in = 4 * growth
        layers += [nn.BatchNorm2d(channels_in), nn.ReLU(), nn.Conv2d(channels_in, growth, 3, padding=1, bias=False)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], 1)


class DenseNet(nn.Module):
    """Stem, three blocks of :class:`DenseLayer` with transitions between them, BN-ReLU, mean pool, classifier.

    A transition is BN-ReLU-conv (1 x 1) and 2 x 2 mean pooling; with ``bc`` it leaves half of the
    channels, otherwise all. See :func:`densenet`.

    Raises:
        TrainingError: when the depth does not fit three blocks of equal size, a number is below 1, or the
            images are smaller than 4 x 4.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        depth: int,
        growth: int,
        *,
        bc: bool = False,
        initial: int | None = None,
        bn_scale: BnScale = "one",
    ) -> None:
        super().__init__()
        each = 2 if bc else 1
        number, rest = divmod(depth - BLOCKS - 1, BLOCKS * each)
        if rest or number < 1:
            form = "6 n + 4 (10, 16, 22, ..., 40, 100)" if bc else "3 n + 4 (7, 10, 13, ..., 40, 100)"
            raise TrainingError(f"densenet: depth must be {form}, got {depth}")
        channels = initial if initial is not None else 2 * growth if bc else 16
        positive(growth=growth, initial=channels)
        halvings("DenseNet", input_shape, BLOCKS - 1)
        layers: list[nn.Module] = [nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False)]
        for block in range(BLOCKS):
            if block:
                left = max(1, channels // 2) if bc else channels
                layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, left, 1, bias=False)]
                layers.append(nn.AvgPool2d(2))
                channels = left
            for _ in range(number):
                layers.append(DenseLayer(channels, growth, bottleneck=bc))
                channels += growth
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels))
        self.fc = nn.Linear(channels, num_classes)
        initial_weights(self, bn_scale)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(F.relu(self.features(x)).mean((2, 3)))
        return logits


def densenet(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    depth: int = 40,
    growth: int = 12,
    bc: bool = False,
    initial: int | None = None,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """DenseNet for small images, of any ``depth`` = 3 n + 4; with ``bc`` DenseNet-BC, of ``depth`` = 6 n + 4.

    DenseNet-BC with depth 100 and growth 12 has 769,162 parameters on CIFAR-10 (0.8 M in print). The
    paper's dropout is left out: it augments instead.

    Args:
        growth: channels that each layer adds, the paper's k.
        bc: layers have bottlenecks, and transitions leave half of the channels.
        initial: channels of the stem; None for the paper's 16, and twice ``growth`` with ``bc``.

    >>> with torch.device("meta"):
    ...     sum(p.numel() for p in densenet((3, 32, 32), 10, depth=100, bc=True).parameters())
    769162
    """
    return DenseNet(input_shape, num_classes, depth, growth, bc=bc, initial=initial, bn_scale=bn_scale)


def densenet40(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    growth: int = 12,
    initial: int | None = None,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """DenseNet-40 with growth 12: 1,019,722 parameters on CIFAR-10 (1.0 M in print).

    P4 trains it on CIFAR-10 as Liu et al. (2019) have it, which is ``initial=24``: 1,059,298 parameters.
    """
    return densenet(input_shape, num_classes, depth=40, growth=growth, initial=initial, bn_scale=bn_scale)
