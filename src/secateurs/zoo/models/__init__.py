"""Networks, built from an input shape, a number of classes and an initialisation seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from secateurs.core import Spec, TrainingError, derive_seed, did_you_mean
from secateurs.zoo.models.conv import conv_2, conv_4, conv_6, conv_8
from secateurs.zoo.models.densenet import densenet, densenet40
from secateurs.zoo.models.inception import inception_v3
from secateurs.zoo.models.mlp import lenet_300_100
from secateurs.zoo.models.mobilenet import mobilenet_v1
from secateurs.zoo.models.preactivation import (
    preresnet,
    preresnet20,
    preresnet32,
    preresnet44,
    preresnet56,
    preresnet80,
    preresnet110,
    preresnet152,
)
from secateurs.zoo.models.residual import BasicBlock, Bottleneck, ResNet
from secateurs.zoo.models.resnet import (
    cifar_resnet,
    digits_resnet,
    resnet18,
    resnet18_imagenet,
    resnet20,
    resnet32,
    resnet44,
    resnet50,
    resnet56,
    resnet110,
    wide_resnet,
)
from secateurs.zoo.models.resnext import resnext29, resnext101_32x8d, resnext101_32x16d, resnext101_32x48d
from secateurs.zoo.models.vgg import VGG, vgg11, vgg13, vgg16, vgg19

__all__ = [
    "MODELS",
    "VGG",
    "BasicBlock",
    "Bottleneck",
    "ResNet",
    "build_model",
    "cifar_resnet",
    "conv_2",
    "conv_4",
    "conv_6",
    "conv_8",
    "densenet",
    "densenet40",
    "digits_resnet",
    "inception_v3",
    "lenet_300_100",
    "mobilenet_v1",
    "preresnet",
    "preresnet20",
    "preresnet32",
    "preresnet44",
    "preresnet56",
    "preresnet80",
    "preresnet110",
    "preresnet152",
    "resnet18",
    "resnet18_imagenet",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet110",
    "resnext29",
    "resnext101_32x8d",
    "resnext101_32x16d",
    "resnext101_32x48d",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "wide_resnet",
]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "lenet_300_100": lenet_300_100,
    "conv_2": conv_2,
    "conv_4": conv_4,
    "conv_6": conv_6,
    "conv_8": conv_8,
    "digits_resnet": digits_resnet,
    "cifar_resnet": cifar_resnet,
    "wide_resnet": wide_resnet,
    "resnet18": resnet18,
    "resnet18_imagenet": resnet18_imagenet,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet44": resnet44,
    "resnet50": resnet50,
    "resnet56": resnet56,
    "resnet110": resnet110,
    "vgg11": vgg11,
    "vgg13": vgg13,
    "vgg16": vgg16,
    "vgg19": vgg19,
    "mobilenet_v1": mobilenet_v1,
    "densenet": densenet,
    "densenet40": densenet40,
    "preresnet": preresnet,
    "preresnet20": preresnet20,
    "preresnet32": preresnet32,
    "preresnet44": preresnet44,
    "preresnet56": preresnet56,
    "preresnet80": preresnet80,
    "preresnet110": preresnet110,
    "preresnet152": preresnet152,
    "inception_v3": inception_v3,
    "resnext29": resnext29,
    "resnext101_32x8d": resnext101_32x8d,
    "resnext101_32x16d": resnext101_32x16d,
    "resnext101_32x48d": resnext101_32x48d,
}
"""The only place where a name means a network."""


def build_model(spec: Spec, input_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """Build a network whose initial weights follow from ``seed`` alone; the global random state is not touched.

    Raises:
        TrainingError: when no network has the name, or its options or the input's size make no network.

    >>> a = build_model(Spec("digits_resnet", {"width": 4}), (1, 8, 8), 10, seed=0)
    >>> b = build_model(Spec("digits_resnet", {"width": 4}), (1, 8, 8), 10, seed=0)
    >>> all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    True
    """
    if spec.name not in MODELS:
        raise TrainingError(f"no network is named {spec.name!r}{did_you_mean(spec.name, MODELS)}")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive_seed("init", seed))
        return MODELS[spec.name](input_shape, num_classes, **spec.options)
