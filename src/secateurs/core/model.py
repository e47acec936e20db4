"""What of a model may be pruned, and how to look at it without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from secateurs.core.errors import PruningError, did_you_mean


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode for the time of the block; afterwards modes and the global random state are as they were.

    A model may draw in evaluation mode, too (Monte Carlo dropout).

    >>> net = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(net):
    ...     [m.training for m in net]
    [False, False]
    >>> [m.training for m in net]
    [True, False]
    """
    modes = [(module, module.training) for module in model.modules()]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    model.eval()
    try:
        with torch.random.fork_rng(devices=sorted(devices)):
            yield model
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def plain_attention() -> Iterator[None]:
    """Torch's attention modules without the kernel that does a whole layer at once, and has no derivative.

    >>> with plain_attention():
    ...     torch.backends.mha.get_fastpath_enabled()
    False
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


_PRUNABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def prunable(model: nn.Module, exclude: Sequence[str] = ()) -> dict[str, nn.Parameter]:
    """The weights that may be pruned, by name in the model's own order: those of Conv and Linear layers.

    Never biases nor normalisation parameters. ``exclude`` takes names of parameters or modules,
    each of which must exist; frozen parameters (``requires_grad=False``) are left out.

    Raises:
        PruningError: when an excluded name does not exist, or nothing is left to prune.

    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> list(prunable(net))
    ['0.weight', '2.weight']
    >>> list(prunable(net, exclude=["2"]))
    ['0.weight']
    """
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for module_name, module in model.named_modules():
        if not isinstance(module, _PRUNABLE):
            continue
        weight = module._parameters.get("weight")  # not module.weight, which a parametrisation computes anew
        name = f"{module_name}.weight" if module_name else "weight"
        if weight is None and not any(module_name == each or module_name.startswith(f"{each}.") for each in exclude):
            raise PruningError(
                f"{name!r} is no parameter but computed from others (weight norm, spectral norm, torch's own pruning): "
                f"make it one with torch.nn.utils.parametrize.remove_parametrizations or prune.remove, or exclude "
                f"{module_name!r}"
            )
        if weight is None or id(weight) in seen or not weight.requires_grad:
            continue
        seen.add(id(weight))
        found[name] = weight
    known = {name for name, _ in model.named_modules()} | {name for name, _ in model.named_parameters()}
    for name in exclude:
        if name not in known:
            raise PruningError(f"exclude: the model has no module or parameter {name!r}{did_you_mean(name, found)}")
        found = {key: p for key, p in found.items() if key != name and not key.startswith(f"{name}.")}
    if not found:
        raise PruningError(
            "the model has no prunable weights: Linear or Conv layers with requires_grad=True that are not excluded"
        )
    return found
