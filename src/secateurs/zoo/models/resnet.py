"""Residual networks by name (He et al. 2016), and wide ones (Zagoruyko & Komodakis 2016)."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from secateurs.core import TrainingError
from secateurs.zoo.models.initial import BnScale, positive
from secateurs.zoo.models.residual import ResNet, Shortcut, Stem


def digits_resnet(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 16,
    stages: int = 2,
    blocks: int = 1,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """A small residual net for 8 x 8 digits: widths ``width, 2 * width, ...``, ``blocks`` basic blocks a stage."""
    widths = tuple(width * 2**stage for stage in range(stages))
    return ResNet(input_shape, num_classes, widths, blocks, bn_scale=bn_scale)


def cifar_resnet(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    depth: int = 20,
    width: int = 16,
    shortcut: Shortcut = "A",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """The paper's CIFAR network of any ``depth`` = 6 n + 2: three stages of n blocks, ``width``, 2 and 4 times as wide.

    Shortcuts are option A, as in the paper's CIFAR experiments, unless ``shortcut="B"``; P2 has B. Its
    ``bn_scale`` is "uniform" (P2 section 5.5.4): initial scales of batch normalisation drawn from U(0, 1).

    Raises:
        TrainingError: when the depth is not 6 n + 2.
    """
    blocks = blocks_of("cifar_resnet", depth)
    return ResNet(input_shape, num_classes, (width, 2 * width, 4 * width), blocks, shortcut, bn_scale=bn_scale)


def blocks_of(network: str, depth: int) -> int:
    """Blocks in each of the three stages of a CIFAR network of two convolutions a block: n, where depth = 6 n + 2.

    Raises:
        TrainingError: when the depth is not 6 n + 2.

    >>> blocks_of("cifar_resnet", 20)
    3
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise TrainingError(f"{network}: depth must be 6 n + 2 (8, 14, 20, 26, 32, ...), got {depth}")
    return blocks


class CifarResNet(Protocol):
    """A CIFAR network of one depth."""

    def __call__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        width: int = 16,
        shortcut: Shortcut = "A",
        bn_scale: BnScale = "one",
    ) -> nn.Module: ...


class AnyDepth(Protocol):
    """A CIFAR network of any depth."""

    __name__: str

    def __call__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        depth: int = 20,
        width: int = 16,
        shortcut: Shortcut = "A",
        bn_scale: BnScale = "one",
    ) -> nn.Module: ...


def of_depth(name: str, network: AnyDepth, depth: int, text: str, default: Shortcut = "A") -> CifarResNet:
    """The function ``name``: ``network`` of one depth, with another ``default`` shortcut and the docstring ``text``."""

    def resnet(
        input_shape: tuple[int, ...],
        num_classes: int,
        *,
        width: int = 16,
        shortcut: Shortcut = default,
        bn_scale: BnScale = "one",
    ) -> nn.Module:
        return network(input_shape, num_classes, depth=depth, width=width, shortcut=shortcut, bn_scale=bn_scale)

    resnet.__name__ = resnet.__qualname__ = name
    resnet.__module__ = network.__module__
    resnet.__doc__ = text
    return resnet


def _resnet(depth: int, size: str) -> CifarResNet:
    return of_depth(f"resnet{depth}", cifar_resnet, depth, f"ResNet-{depth} for CIFAR-10: {size}.")


resnet20 = _resnet(20, "269,722 parameters with shortcut A, 272,474 with B (0.27 M in print)")
resnet32 = _resnet(32, "464,154 parameters with shortcut A, 466,906 with B (0.46 M in print)")
resnet44 = _resnet(44, "658,586 parameters with shortcut A, 661,338 with B (0.66 M in print)")
resnet56 = _resnet(56, "853,018 parameters with shortcut A, 855,770 with B (0.85 M in print)")
resnet110 = _resnet(110, "1,727,962 parameters with shortcut A, 1,730,714 with B (1.7 M in print)")


def wide_resnet(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    depth: int = 14,
    widen: int = 8,
    width: int = 16,
    shortcut: Shortcut = "B",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """WRN-``depth``-``widen`` as P2 names it: the CIFAR network of that depth, ``widen`` times ``width`` channels wide.

    P2's WRN-14-8, WRN-14-10, WRN-20-8 and WRN-32-2 have 11,093,130, 17,327,530, 17,289,866 and
    1,860,522 parameters on CIFAR-10. Zagoruyko & Komodakis count the
    shortcuts' layers as depth and call the first three WRN-16-8, WRN-16-10 and WRN-22-8; theirs have
    batch normalisation and ReLU before each convolution and a stem that is not widened.

    Raises:
        TrainingError: when the depth is not 6 n + 2, or ``widen`` is below 1.
    """
    positive(widen=widen)
    return cifar_resnet(
        input_shape, num_classes, depth=depth, width=widen * width, shortcut=shortcut, bn_scale=bn_scale
    )


def resnet18(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    shortcut: Shortcut = "B",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """ResNet-18 with the stem for small images (3 x 3, no max pool): 11,173,962 parameters on CIFAR-10.

    Four stages of two blocks, ``width``, 2, 4 and 8 times as wide, with projection shortcuts (option B).
    P2 calls it modified ResNet-18.
    """
    widths = tuple(width * 2**stage for stage in range(4))
    return ResNet(input_shape, num_classes, widths, 2, shortcut, bn_scale=bn_scale)


def resnet18_imagenet(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    bn_scale: BnScale = "one",
) -> nn.Module:
    """ResNet-18 with the paper's own stem (7 x 7, max pool): 11,689,512 parameters on ImageNet, as torchvision's has.

    For images of about 224 x 224, to which P1 enlarges Tiny ImageNet's: the other stem would keep 16
    times as many numbers of each.
    """
    widths = tuple(width * 2**stage for stage in range(4))
    return ResNet(input_shape, num_classes, widths, 2, "B", stem="imagenet", bn_scale=bn_scale)


def resnet50(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    stem: Stem = "imagenet",
    bn_scale: BnScale = "one",
) -> nn.Module:
    """ResNet-50: 25,557,032 parameters on ImageNet with its 1,000 classes, as torchvision's has.

    Stages of 3, 4, 6 and 3 bottleneck blocks, inside ``width``, 2, 4 and 8 times as wide and four times
    that outside. ``stem="small"`` (3 x 3, no max pool) keeps the resolution of small images.
    """
    widths = tuple(width * 2**stage for stage in range(4))
    return ResNet(input_shape, num_classes, widths, (3, 4, 6, 3), "B", bottleneck=True, stem=stem, bn_scale=bn_scale)
