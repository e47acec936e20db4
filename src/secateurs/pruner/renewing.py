"""Around a network that gets new parameters: wrappers made anew, and checkpoints loaded in the right order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from secateurs.core import PruningError, under
from secateurs.pruner.outcome import Outcome
from secateurs.pruner.wrappers import layers

Rewrap = Callable[[nn.Module], nn.Module]
"""From the bare network to the model as it is trained."""


def prepare(wrapped: Sequence[nn.Module], rewrap: Rewrap | None) -> None:
    """See that what is around the network can be renewed, and have it say what is wrong with states of other widths.

    DistributedDataParallel holds the parameters that it was made with: after a cut it has to be made anew.

    Raises:
        PruningError: when nobody says how.
    """
    if rewrap is None and any(isinstance(each, DistributedDataParallel) for each in wrapped):
        raise PruningError(
            "removing channels gives the network new parameters, of which DistributedDataParallel would not know: pass "
            "rewrap=, which wraps the bare network anew (rewrap=lambda net: DistributedDataParallel(net, "
            "device_ids=[device])), and train pruner.model after each epoch_end()"
        )
    if not _ours(wrapped[-1]):
        wrapped[-1].register_load_state_dict_pre_hook(_check_widths)


def renewed(model: nn.Module, rewrap: Rewrap | None) -> nn.Module:
    """The network of ``model``, which was cut, in a new wrapper; an old one that would train no longer says so.

    Nothing is left on the network itself of what :func:`prepare` put there.

    Raises:
        PruningError: when ``rewrap`` wraps another network, or gives an old wrapper back.
    """
    old = layers(model)
    hooks = old[-1]._load_state_dict_pre_hooks
    for number in _ours(old[-1]):
        del hooks[number]
    if rewrap is None:
        return model
    outdated = [each for each in old if isinstance(each, DistributedDataParallel)]
    for each in outdated:
        each.register_forward_pre_hook(_refuse)
    new = rewrap(old[-1])
    inside = layers(new)
    if inside[-1] is not old[-1] or any(each is one for each in inside for one in outdated):
        raise PruningError(
            "rewrap: expected the bare network that it gets in a new wrapper, got another network or the old wrapper; "
            "the channels are removed"
        )
    return new


def _refuse(_module: nn.Module, _inputs: object) -> None:
    raise PruningError(
        "this DistributedDataParallel was made before the channels were removed and would not train what is left: "
        "call pruner.model"
    )


def _ours(model: nn.Module) -> list[int]:
    """The numbers of the hooks that :func:`prepare` has put on it."""
    hooks = model._load_state_dict_pre_hooks
    return [number for number, each in hooks.items() if getattr(each, "hook", None) is _check_widths]


def _check_widths(module: nn.Module, state: Mapping[str, Any], prefix: str, *_: object) -> None:
    for name, own in (*module.named_parameters(), *module.named_buffers()):
        given = state.get(prefix + name)
        if not isinstance(given, Tensor) or given.ndim != own.ndim or given.shape == own.shape:
            continue
        if any(a > b for a, b in zip(given.shape, own.shape, strict=True)):
            continue  # torch says what is wrong
        raise PruningError(
            f"load_state_dict: {name!r} is {list(given.shape)} in the state, {list(own.shape)} in the network: "
            "the state is of a network with channels removed: load the pruner's state first, which removes them here "
            "as well, then the model's, then the optimizer's"
        )


def check_state(optimizer: Optimizer) -> None:
    """What the optimiser remembers is of its parameters as they are.

    Raises:
        PruningError: when the state of a cut run was loaded before the cut.
    """
    for parameter, entries in optimizer.state.items():
        for each in entries.values():
            odd = isinstance(each, Tensor) and each.ndim == parameter.ndim and each.shape != parameter.shape
            if odd and each.numel() > 1:
                raise PruningError(
                    f"load_state_dict: the optimizer remembers {list(each.shape)} of a parameter of "
                    f"{list(parameter.shape)}: load the pruner's state first, which removes channels, then the "
                    "model's, then the optimizer's; with this one, begin anew"
                )


def check_same(outcome: Outcome, tensors: Mapping[str, Tensor]) -> None:
    """The state of a run fits a network that is cut already: the same channels are left.

    Raises:
        PruningError: when they are others, or the state is of the dense network.
    """
    there, given = under("keep", outcome.state()[0]), under("keep", tensors)
    if there.keys() != given.keys() or not all(torch.equal(flags, given[name].cpu()) for name, flags in there.items()):
        raise PruningError(
            "load_state_dict: channels were removed from this network already, and not those of the state: they do "
            "not come back; build the dense model, its optimizer and the pruner anew, and load into these"
        )
