"""Filters one by one: whose weights count as such, and which batch norm scales what they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from secateurs.core import PruningError, evaluating, prunable


def filter_weights(model: nn.Module, *, depthwise: bool = True, exclude: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the weights of convolutions, in the model's order; a filter is one entry along their first dimension.

    Args:
        depthwise: False leaves depthwise convolutions out, which only follow the layer before them: P3
            scores MobileNet's pointwise filters alone.
        exclude: names of modules or parameters that are left out (P3: the stem of ResNets).

    Raises:
        PruningError: when there is none, or no part of an excluded name.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(2, 4, 1), nn.Linear(4, 2))
    >>> filter_weights(net), filter_weights(net, depthwise=False)
    (('0.weight', '1.weight', '2.weight'), ('0.weight', '2.weight'))
    """
    found = []
    for name in prunable(model, exclude):
        module = model.get_submodule(name.rpartition(".")[0])
        if isinstance(module, _ConvNd) and (depthwise or not module.groups == module.in_channels > 1):
            found.append(name)
    if not found:
        raise PruningError(
            "the model has no convolution whose filters could be looked at: take another network, or exclude less"
        )
    return tuple(found)


def scales_after(model: nn.Module, example: Tensor) -> dict[str, str]:
    """Convolution's weight -> scale gamma of the batch norm that reads its output, by name.

    Found by passing the example through in evaluation mode: a norm that is given the very tensor that a
    convolution returned. Convolutions that are followed by something else are left out. The model is
    left as it was.

    Args:
        example: what the model is called with, ``[n, ...]``; n = 1 will do.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 1))
    >>> scales_after(net, torch.zeros(1, 1, 3, 3))
    {'0.weight': '1.weight'}
    """
    made: dict[int, tuple[Tensor, str]] = {}  # tensors are held, so that no other gets the same id
    found: dict[str, str] = {}

    def returned(name: str, output: Tensor) -> None:
        made[id(output)] = (output, name)

    def given(name: str, inputs: tuple[Any, ...]) -> None:
        if inputs and id(inputs[0]) in made:
            found.setdefault(made[id(inputs[0])][1], name)

    hooks = []
    try:
        for path, module in model.named_modules():
            name = f"{path}.weight".lstrip(".")
            if isinstance(module, _ConvNd):
                hooks.append(module.register_forward_hook(lambda _, __, output, name=name: returned(name, output)))
            elif isinstance(module, _BatchNorm) and module.affine:
                hooks.append(module.register_forward_pre_hook(lambda _, inputs, name=name: given(name, inputs)))
        with torch.no_grad(), evaluating(model):
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return found
