"""What the networks share: their initial weights, and the refusal of sizes that make no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from secateurs.core import TrainingError

BnScale = Literal["one", "uniform"]


def initial_weights(model: nn.Module, bn_scale: BnScale = "one") -> None:
    """Weights as :func:`kaiming` draws them, then scales of batch normalisation.

    Args:
        bn_scale: "one" leaves the scales at 1; "uniform" draws them from U(0, 1), as P2 does (section
            5.5.4) and PyTorch once did. All other weights are the same for both.

    Raises:
        TrainingError: when ``bn_scale`` is neither.
    """
    one_of("bn_scale", bn_scale, ("one", "uniform"))
    kaiming(model)
    if bn_scale == "uniform":
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight)


def kaiming(model: nn.Module) -> None:
    """Draw every Conv2d and Linear weight from N(0, 2 / fan_in) (He et al. 2015), in the order of ``model.modules()``.

    Biases keep PyTorch's uniform draw, normalisation its scale 1 and shift 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:  # there it loads half of PyTorch
            nn.init.kaiming_normal_(module.weight)


def positive(**options: int) -> None:
    """Refuse options below 1.

    Raises:
        TrainingError: naming the option.

    >>> positive(width=0)
    Traceback (most recent call last):
    ...
    secateurs.core.errors.TrainingError: width must be at least 1, got 0
    """
    for name, value in options.items():
        if value < 1:
            raise TrainingError(f"{name} must be at least 1, got {value}")


def one_of(option: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        TrainingError: naming the option and its choices.

    >>> one_of("stem", "large", ("small", "imagenet"))
    Traceback (most recent call last):
    ...
    secateurs.core.errors.TrainingError: stem must be 'small' or 'imagenet', got 'large'
    """
    if value not in choices:
        raise TrainingError(f"{option} must be {' or '.join(map(repr, choices))}, got {value!r}")


def halvings(network: str, input_shape: tuple[int, ...], times: int) -> None:
    """Refuse images of which nothing is left after ``times`` poolings by two.

    Raises:
        TrainingError: naming both sizes and the remedy.

    >>> halvings("VGG", (1, 28, 28), 5)
    Traceback (most recent call last):
    ...
    secateurs.core.errors.TrainingError: VGG halves its input 5 times and needs images of at least 32 x 32, ...
    """
    _, height, width = input_shape
    least = 2**times
    if min(height, width) < least:
        raise TrainingError(
            f"{network} halves its input {times} times and needs images of at least {least} x {least}, got "
            f"{height} x {width}: enlarge the images (the data's option `size`, for digits `enlarge`) or take "
            "another network"
        )
