"""Networks, built from an input shape, a number of classes and an initialisation seed."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import Spec, derive_seed


def lenet_300_100(input_shape: tuple[int, ...], num_classes: int, *, hidden: tuple[int, int] = (300, 100)) -> nn.Module:
    """LeNet-300-100: two hidden layers of ReLU units (266,610 parameters on 28 x 28 inputs, 10 classes)."""
    first, second = hidden
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(input_shape), first),
        nn.ReLU(),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, num_classes),
    )


class BasicBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus shortcut, then ReLU (He et al. 2016a).

    Where shape changes, the shortcut is option A of the paper: every second pixel, new channels
    filled with zeros - no parameters.
    """

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.extra = channels - channels_in

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1 or self.extra:
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)
            )
        return F.relu(y + x)


class ResNet(nn.Module):
    """A residual network for small images: 3 x 3 stem, stages of basic blocks, mean pool, classifier.

    Args:
        widths: channels of each stage; every stage after the first halves the resolution.
        blocks: basic blocks in each stage.
    """

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(input_shape[0], widths[0], 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        layers, channels = [], widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                layers.append(BasicBlock(channels, width, 2 if stage and not block else 1))
                channels = width
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def digits_resnet(
    input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, stages: int = 2, blocks: int = 1
) -> nn.Module:
    """A small residual net for 8 x 8 digits: widths ``width, 2 * width, ...``, ``blocks`` basic blocks a stage."""
    return ResNet(input_shape, num_classes, tuple(width * 2**stage for stage in range(stages)), blocks)


MODELS: dict[str, Callable[..., nn.Module]] = {"lenet_300_100": lenet_300_100, "digits_resnet": digits_resnet}
"""The only place where a name means a network."""


def build_model(spec: Spec, input_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """Build a network whose initial weights follow from ``seed`` alone; the global random state is not touched.

    >>> a = build_model(Spec("digits_resnet", {"width": 4}), (1, 8, 8), 10, seed=0)
    >>> b = build_model(Spec("digits_resnet", {"width": 4}), (1, 8, 8), 10, seed=0)
    >>> all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    True
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive_seed("init", seed))
        return MODELS[spec.name](input_shape, num_classes, **spec.options)
