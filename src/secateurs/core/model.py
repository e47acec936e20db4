"""What of a model may be pruned, and how to look at it without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from torch import nn

from secateurs.core.errors import PruningError, did_you_mean


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode for the time of the block; afterwards every module's mode is as it was.

    >>> net = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(net):
    ...     [m.training for m in net]
    [False, False]
    >>> [m.training for m in net]
    [True, False]
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, mode in modes:
            module.training = mode


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
        if not isinstance(module, _PRUNABLE) or id(module.weight) in seen or not module.weight.requires_grad:
            continue
        seen.add(id(module.weight))
        found[f"{module_name}.weight" if module_name else "weight"] = cast(nn.Parameter, module.weight)
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
