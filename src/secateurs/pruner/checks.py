"""What a pruner refuses before training begins, rather than epochs later, and which signals it follows."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from typing import Any, Protocol

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from secateurs.core import (
    Predicts,
    PruningError,
    Signal,
    SignalError,
    Task,
    Trigger,
    did_you_mean,
)
from secateurs.how import Enforcement, Mask
from secateurs.how.channels.moving import moved_state
from secateurs.pruner.wrappers import plain
from secateurs.when import SIGNALS, EmpiricalFisherTrace, FisherTrace, GradientNorms, default_trigger


def check_optimizer(model: nn.Module, optimizer: object, names: Sequence[str]) -> None:
    """One optimiser, which holds the weights that are to be pruned, and on which no mask is in force."""
    if isinstance(optimizer, list | tuple | dict):
        raise PruningError(
            f"optimizer: got {len(optimizer)} optimizers: the pruner takes one; put all parameters into one optimizer "
            "with several parameter groups, or exclude= what others hold and give the one that holds the rest"
        )
    if not isinstance(optimizer, Optimizer):
        raise PruningError(f"optimizer: expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name in names:
        if name not in parameters:
            raise PruningError(
                f"how: names {plain(name)!r}, which the model does not have{did_you_mean(name, parameters)}"
            )
    missing = [plain(name) for name in names if id(parameters[name]) not in held]
    if missing:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise PruningError(
            f"the optimizer does not hold {named}: build it from the parameters of this very model, or leave them out "
            "with exclude=..., or freeze them"
        )
    for hook in optimizer._optimizer_step_post_hooks.values():
        if isinstance(getattr(hook, "__self__", None), Enforcement):
            raise PruningError(
                "a mask is in force on this optimizer already: a network is pruned once; to go on with a pruned run "
                "build one pruner and load its state_dict"
            )


def check_how(how: object) -> None:
    """An object that says how, not its class, nor a density."""
    if isinstance(how, type) or not hasattr(how, "find") or not hasattr(how, "names"):
        raise PruningError(f"how: expected Unstructured(...) or Channels(...), got {how!r}")


def extent(model: nn.Module, names: Sequence[str]) -> str:
    """The prunable part of a network in a few words: by it a state knows whether it is of this network.

    >>> extent(nn.Linear(4, 2), ["weight"])
    '8 weights in 1 tensors'
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return f"{sum(parameters[name].numel() for name in names)} weights in {len(names)} tensors"


class Watching(Protocol):
    """What :func:`watch_zeros` asks of a pruner."""

    @property
    def event(self) -> object | None:
        """None before pruning."""
        ...


def watch_zeros(pruner: Watching, optimizer: Optimizer, model: nn.Module, names: Sequence[str]) -> RemovableHandle:
    """Look for lost masks just before each step, that is, the first: after it most zeros have moved.

    Returns:
        What removes it, to be called after the step: hooks must not go while they are called.
    """
    asked = weakref.ref(pruner)

    def look(*_: object) -> None:
        here = asked()
        if here is not None and here.event is None:
            warn_of_zeros(model, names)

    return optimizer.register_step_pre_hook(look)


def warn_of_zeros(model: nn.Module, names: Sequence[str]) -> None:
    """A network most of whose weights are zero was pruned before, and its mask is lost."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    zeros = sum(p.numel() - int(p.count_nonzero()) for p in (parameters[name].detach() for name in names))
    total = sum(parameters[name].numel() for name in names)
    if 2 * zeros > total:
        warnings.warn(
            f"EarlyPruner: {zeros / total:.0%} of the prunable weights are exactly 0: a pruned network is trained on "
            "without its mask; load the pruner's state_dict, too",
            stacklevel=3,
        )


def check_movable(model: nn.Module, optimizer: Optimizer) -> None:
    """What the optimiser remembers can be cut.

    Raises:
        PruningError: when it keeps tensors of which nobody knows what goes with a channel.
    """
    moved_state(optimizer, {p: (plain(name), p, {}) for name, p in model.named_parameters()})


def check_counts(examples: int, per_class: int) -> None:
    """There are examples to look at."""
    if min(examples, per_class) < 1:
        raise PruningError(f"examples and examples_per_class must be at least 1, got {examples} and {per_class}")


def warn_of_empty(mask: Mask) -> None:
    """Nothing gets through a layer in which nothing is left."""
    if empty := mask.empty_layers():
        warnings.warn(
            f"EarlyPruner: nothing is left of {', '.join(empty)}: keep more, or let weights compete layer by layer "
            'with Unstructured(scope="layer") or scope="erk"',
            stacklevel=4,
        )


def check_parallel(model: nn.Module, wrapped: Sequence[nn.Module]) -> None:
    """Several processes, and the model does not say that they train it together: then each would prune on its own."""
    if any(isinstance(each, DistributedDataParallel) for each in wrapped) or not dist.is_available():
        return
    if dist.is_initialized() and dist.get_world_size() > 1:
        warnings.warn(
            f"EarlyPruner: {dist.get_world_size()} processes, but the model is a {type(model).__name__}: each process "
            "decides for itself; if they train one network, pass the DistributedDataParallel model",
            stacklevel=3,
        )


def trigger_for(when: Trigger | None, epochs: int | None) -> Trigger:
    """``when``, or the default trigger of a run of ``epochs``.

    Raises:
        PruningError: when there is neither, or the number of epochs is none.
        SignalError: when the default trigger has no place in so short a run.
    """
    if epochs is not None and (not isinstance(epochs, int) or epochs < 1):
        raise PruningError(f"epochs: expected how many epochs the loop trains, got {epochs!r}")
    if when is not None:
        return when
    if epochs is None:
        raise PruningError(
            "when: there is no trigger, and the default one depends on how long the run is: pass epochs=, the number "
            'of epochs that the loop trains, or a trigger of your own, when=At("10ep")'
        )
    return default_trigger(epochs=epochs)


def signals_for(trigger: Trigger, given: Sequence[Signal], task: Task) -> tuple[Signal, ...]:
    """``given``, and by default settings what the trigger needs beside.

    Raises:
        SignalError: when there is no such signal, or it cannot be measured or decided upon.
    """
    if not hasattr(trigger, "needs") or not hasattr(trigger, "update"):
        raise SignalError(f'when: expected a trigger such as Peak("fisher_trace") or At("10ep"), got {trigger!r}')
    signals: dict[str, Any] = {signal.name: signal for signal in given}
    if len(signals) < len(given):
        raise SignalError(f"signals: two bear the same name: {', '.join(signal.name for signal in given)}")
    standard = {signal.name: signal for signal in (make() for make in SIGNALS.values())}
    for name in sorted(trigger.needs - signals.keys()):
        if name not in standard:
            told = f"when: {trigger} needs the signal {name!r}, which is none of ours{did_you_mean(name, standard)}"
            raise SignalError(f"{told}; or add your own with signals=")
        signals[name] = standard[name]
    for signal in signals.values():
        if isinstance(signal, FisherTrace | EmpiricalFisherTrace) and not isinstance(task, Predicts):
            raise SignalError(
                f"{signal.name}: {type(task).__name__} has no predictive distribution p(y | x): give the task "
                "predictive(output), or decide by another signal"
            )
        if isinstance(signal, GradientNorms) and signal.layerwise and signal.name in trigger.needs:
            raise SignalError(f"when: {trigger} needs one number, {signal.name} are one for each layer")
    return tuple(signals.values())
