"""ResNeXt (Xie et al. 2017): residual networks whose bottlenecks work in groups."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from secateurs.zoo.models.initial import BnScale, positive
from secateurs.zoo.models.residual import ResNet, Stem

WIDTH = 64
"""Width of the published networks: of their stem, and a quarter of their first stage."""


def _resnext(
    input_shape: tuple[int, ...],
    num_classes: int,
    blocks: tuple[int, ...],
    groups: int,
    group_width: int,
    width: int,
    stem: Stem,
    bn_scale: BnScale,
) -> nn.Module:
    """Stages of bottlenecks in ``groups`` of ``group_width`` channels, twice as many in each further stage.

    Another ``width`` scales every number of channels; a group keeps one at least.
    """
    positive(groups=groups, group_width=group_width, width=width)
    widths = tuple(width * 2**stage for stage in range(len(blocks)))
    inside = tuple(groups * max(1, group_width * w // WIDTH) for w in widths)
    return ResNet(
        input_shape,
        num_classes,
        widths,
        blocks,
        "B",
        bottleneck=True,
        inside=inside,
        groups=groups,
        stem=stem,
        bn_scale=bn_scale,
    )


def resnext29(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    groups: int = 8,
    group_width: int = 64,
    width: int = WIDTH,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """ResNeXt-29 for small images (section 5.3), three stages of three bottlenecks: 34,426,698 parameters on CIFAR-10.

    That is 8 x 64d (34.4 M in print); ``groups=16`` is the paper's 16 x 64d (68.1 M).

    Args:
        groups: groups of each 3 x 3 convolution, the paper's cardinality.
        group_width: channels of each group in the first stage, where ``width`` is 64.
        width: channels of the stem, and a quarter of those of the first stage; ``group_width`` follows in proportion.

    >>> import torch
    >>> with torch.device("meta"):
    ...     sum(p.numel() for p in resnext29((3, 32, 32), 10).parameters())
    34426698
    """
    return _resnext(input_shape, num_classes, (3, 3, 3), groups, group_width, width, "small", bn_scale)


class ResNeXt101(Protocol):
    """ResNeXt-101 of one size."""

    def __call__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        width: int = WIDTH,
        stem: Stem = "imagenet",
        bn_scale: BnScale = "one",
    ) -> nn.Module: ...


def _of_size(group_width: int, facts: str) -> ResNeXt101:
    """The function ``resnext101_32x<group_width>d``; its docstring tells the ``facts``."""

    def resnext101(
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        width: int = WIDTH,
        stem: Stem = "imagenet",
        bn_scale: BnScale = "one",
    ) -> nn.Module:
        return _resnext(input_shape, num_classes, (3, 4, 23, 3), 32, group_width, width, stem, bn_scale)

    resnext101.__name__ = resnext101.__qualname__ = f"resnext101_32x{group_width}d"
    resnext101.__doc__ = f"""ResNeXt-101 with 32 groups of {group_width} channels, as torchvision has it: {facts}.

    Stages of 3, 4, 23 and 3 bottlenecks. ``stem="small"`` (3 x 3, no max pool) keeps the resolution of
    small images. A ``width`` other than 64 scales all channels; a group keeps one at least.
    """
    return resnext101


resnext101_32x8d = _of_size(8, "88,791,336 parameters on ImageNet with its 1,000 classes")
resnext101_32x16d = _of_size(
    16,
    """194,026,792 parameters on ImageNet with its
    1,000 classes, 191,998,282 on CIFAR-10. P1's small model of table 3, counted there as 193 M""",
)
resnext101_32x48d = _of_size(
    48,
    """828,411,176 parameters on ImageNet with its
    1,000 classes, 826,382,666 on CIFAR-10. P1 cuts it before training, on the CPU, because it is too large to
    be trained dense (section 5.2), and counts 829 M""",
)
