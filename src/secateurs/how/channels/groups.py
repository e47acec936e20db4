"""Which channels of a model can only go together, found by following one forward pass."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from secateurs.core import Group, PruningError, did_you_mean, prunable
from secateurs.how.channels.following import follow, tracer_of
from secateurs.how.channels.forming import form
from secateurs.how.channels.leaves import copied_model
from secateurs.how.channels.tracing import Tracer
from secateurs.how.channels.trial import check_by_trial


def channel_groups(model: nn.Module, example: Any, *, exclude: Sequence[str] = ()) -> tuple[Group, ...]:
    """The groups of channels that can be removed from ``model``, in order of execution.

    The example is passed through a copy of the model (same parameters, evaluation mode) once, and every
    operation is followed, channel by channel: what is added, concatenated, normalised, flattened or read
    where. Then the copy is cut to the bone and followed again: what comes out must be what was expected.

    Channels stay, and are in no group, that are inputs or outputs of the model, are added to such,
    are normalised together with all others (LayerNorm and softmax over channels, a mean over them), or are
    picked by number in ``forward``. The channels of a grouped convolution go by whole groups of it, those
    under a GroupNorm by whole groups of that: removing less would change what is left. Channels that
    ``forward`` splits into attention heads go by whole heads if it takes their number from the tensors
    (``view(n, t, -1, size)``), and stay otherwise; heads of queries that share one of keys and values go with
    it. ``torch.nn.MultiheadAttention`` stays whole, the MLP beside it does not. The hidden units of an LSTM, GRU or
    RNN are one group for all its layers and directions, unless it projects them. A layer with a single unit has no
    group.

    A truth value that ``forward`` takes out of its inputs alone (``mask.all()``) is no obstacle: the model is
    followed once for each way that it may go, and what is coupled on one of them is coupled.

    Args:
        model: any network whose forward pass does the same operations whatever the numbers are, and
            however wide it is: layers of one and two channels are tried, but a forward that asks whether a width is
            odd, say, is not found out.
        example: what the model is called with: a tensor, a tuple of arguments, a mapping of keyword arguments,
            or a :class:`~secateurs.core.Batch`. A few examples are enough.
        exclude: names of modules to leave alone: channels that they make or read stay.

    Raises:
        PruningError: naming the layer: control flow that depends on data; an operation that has no rule; a layer that
            is called more than once; sizes written into ``forward`` as numbers, or numbers that it calculates from
            sizes (``/ x.shape[-1] ** 0.5``); a model on several devices; when there is nothing that could be removed.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> (group,) = channel_groups(net, torch.zeros(1, 1, 4, 4))
    >>> group.name, group.units, [member.name for member in group.members][-1]
    ('0', 4, '4.weight')
    >>> group.members[-1].index[1]
    (4, 5, 6, 7)
    """
    names = [name for name, _ in model.named_modules()]
    for name in exclude:
        if name not in names[1:]:
            raise PruningError(f"exclude: the model has no module {name!r}{did_you_mean(name, names[1:])}")
    _one_device(model)
    first = {id(parameter): name for name, parameter in model.named_parameters()}  # tied weights have several names
    weights = {first[id(weight)]: tuple(weight.shape) for weight in prunable(model, _computed(model, exclude)).values()}
    twin = _twin(model)
    tracer, groups = _found(twin, example, exclude, weights, heads=True)
    tried = False
    if tracer.has_heads:  # which works if forward() takes their number from the tensors
        try:
            check_by_trial(twin, example, exclude, groups, tracer.trace)
            tried = True
        except PruningError:
            tracer, groups = _found(twin, example, exclude, weights, heads=False)
    if not groups:
        reasons = "; ".join(dict.fromkeys(tracer.trace.nodes.reasons)) or "it has no layers in a row"
        raise PruningError(f"channel_groups: the model has no channels that could be removed: {reasons}")
    _once(tracer, groups)
    _all_called(tracer, weights)
    if not tried:
        check_by_trial(twin, example, exclude, groups, tracer.trace, tracer.heads)
    return groups


def _found(
    twin: nn.Module, example: Any, exclude: Sequence[str], weights: Mapping[str, tuple[int, ...]], heads: bool
) -> tuple[Tracer, tuple[Group, ...]]:
    tracer = tracer_of(twin, exclude, heads)
    try:
        follow(tracer, example)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise PruningError(
            f"channel_groups: the example does not get through {tracer.told()} ({error}): give what the model is "
            "called with, a tensor, a tuple of arguments or a mapping of keyword arguments"
        ) from error
    return tracer, form(tracer.trace, weights)


def _one_device(model: nn.Module) -> None:
    devices: dict[torch.device, str] = {}
    for name, parameter in model.named_parameters():
        devices.setdefault(parameter.device, name)
    if len(devices) > 1:
        where = ", ".join(f"{name!r} is on {device}" for device, name in devices.items())
        raise PruningError(f"channel_groups: the model is on several devices ({where}): move it to one first")


def _computed(model: nn.Module, exclude: Sequence[str]) -> list[str]:
    """Those of the excluded modules in which weights are computed from others, which nobody counts."""
    layers = (nn.Linear, nn.modules.conv._ConvNd)
    return [
        name
        for name in exclude
        if any(
            isinstance(m, layers) and m._parameters.get("weight") is None for m in model.get_submodule(name).modules()
        )
    ]


def _all_called(tracer: Tracer, weights: Mapping[str, tuple[int, ...]]) -> None:
    used = {name for name, _ in tracer.trace.cuts} | set(tracer.trace.whole)
    idle = [name.rpartition(".")[0] for name in weights if name not in used]
    idle = [name for name in idle if name not in tracer.trace.calls]
    if idle:
        warnings.warn(
            f"channel_groups: {', '.join(map(repr, idle))} took no part in the forward pass in evaluation mode: if "
            "training calls them, they will not fit a cut network. Exclude the layers that they read from",
            stacklevel=3,
        )


def _twin(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode that shares the parameters; buffers are its own."""
    memo: dict[int, Any] = {id(parameter): parameter for parameter in model.parameters()}
    return copied_model(model, memo).eval()


def _once(tracer: Tracer, groups: Sequence[Group]) -> None:
    involved = {name.rpartition(".")[0] for group in groups for name in (member.name for member in group.members)}
    involved |= {padding.name for group in groups for padding in group.paddings}
    for name, calls in tracer.trace.calls.items():
        if calls > 1 and name in involved:
            raise PruningError(
                f"channel_groups: {name!r} ({type(tracer.modules[name]).__name__}) is called {calls} times in one "
                f"forward pass: its channels would be cut in all of them. Leave them whole with exclude=[{name!r}], "
                "or give each place a layer of its own"
            )
