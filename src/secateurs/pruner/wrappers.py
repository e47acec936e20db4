"""What people wrap models in: the module inside, its parameters' plain names, and how to call it undisturbed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from secateurs.core import Keep

_COMPILED = "_orig_mod"


def bare(model: nn.Module) -> nn.Module:
    """The module without DistributedDataParallel, DataParallel, AveragedModel and torch.compile around it.

    >>> net = nn.Linear(1, 1)
    >>> bare(DataParallel(net)) is net
    True
    """
    return layers(model)[-1]


def layers(model: nn.Module) -> list[nn.Module]:
    """``model`` and what it wraps, from the outside in; the last is the bare module."""
    found = [model]
    while True:
        if isinstance(model, DistributedDataParallel | DataParallel | AveragedModel):
            model = model.module
        elif isinstance(inside := model._modules.get(_COMPILED), nn.Module):
            model = inside
        else:
            return found
        found.append(model)


def plain(name: str) -> str:
    """A parameter's name without the marks of compiled parts.

    >>> plain("features._orig_mod.0.weight")
    'features.0.weight'
    """
    return ".".join(part for part in name.split(".") if part != _COMPILED)


def laid_on(model: nn.Module, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``mask`` with the names that its parameters bear in ``model``; a name that is not there stays as it is."""
    names = {plain(name): name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {names.get(name, name): kept for name, kept in mask.items()}


def keep_laid_on(model: nn.Module, keep: Keep) -> Keep:
    """``keep``, of plain names, with those that modules and parameters bear in ``model``."""
    tensors = {plain(name): name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    modules = {plain(name): name for name, _ in model.named_modules()}
    return _renamed(keep, lambda name: tensors.get(name, name), lambda name: modules.get(name, name))


def plain_keep(keep: Keep) -> Keep:
    """``keep`` without the marks of compiled parts."""
    return _renamed(keep, plain, plain)


def _renamed(keep: Keep, tensor: Callable[[str], str], module: Callable[[str], str]) -> Keep:
    groups = [
        replace(
            group,
            name=module(group.name),
            members=tuple(replace(member, name=tensor(member.name)) for member in group.members),
            paddings=tuple(replace(padding, name=module(padding.name)) for padding in group.paddings),
            weights={tensor(name): shape for name, shape in group.weights.items()},
        )
        for group in keep.groups
    ]
    return Keep(groups, {group.name: keep[old.name] for group, old in zip(groups, keep.groups, strict=True)})


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Measure in the model's own precision, uncompiled, differentiably; the global random state comes back."""
    device = device_of(model)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng([]))
        if device.type in ("cuda", "xpu"):
            stack.enter_context(torch.random.fork_rng([device], device_type=device.type))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.is_autocast_enabled(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if "torch._dynamo" in sys.modules:  # compiled parts have no place for hooks
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
