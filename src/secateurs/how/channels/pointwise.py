"""How labels pass through operations on entries, whatever the operation: arithmetic, activations, comparisons."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from secateurs.core.groups import Role
from secateurs.how.channels.labels import along, varying
from secateurs.how.channels.trace import Flow, Source
from secateurs.how.channels.tracing import Call, Tracer

SOMETHING = (0.618, -0.618, 0.0)
"""What a tensor that is not 0 where channels are masked may be there."""

UNTAGGED = ("_prelu_kernel", "hardswish", "log_sigmoid_forward", "native_dropout", "bernoulli", "fill")
"""Operations on entries that torch does not tag as such."""


def pointwise(tracer: Tracer, call: Call) -> None:
    """Channels that meet entry by entry are one: they go together or stay together.

    A channel that meets one that stays, stays. What is broadcast along the channels (a scalar, a
    spatial mask, a gate per image) leaves them free. A parameter with one entry for each channel
    (layer scale, a bias added by hand) is cut with them.
    """
    shape = tree_leaves(call.out)[0].shape
    tensors = [each for each in tree_leaves(call.given) if isinstance(each, Tensor)]
    flows = [(each, flow) for each in tensors if (flow := tracer.flow(each)) is not None]
    if not flows:
        for each in tensors:
            if (source := tracer.source(each)) is not None:
                tracer.trace.whole[source.name] = f"{tracer.told()}: {source.name!r} meets no channels in {call.func}"
        return
    if len(flows) > 1:
        flows.sort(key=lambda flow: tracer.trace.is_loose(flow[1].labels))
    labels = flows[0][1].labels.broadcast_to(shape)
    zero = {id(each) for each, _ in flows}
    for each, flow in flows[1:]:
        other = flow.labels.broadcast_to(shape)
        if not (_covers(each, labels) and _covers(flows[0][0], other)):
            if tracer.trace.is_loose(flow.labels):  # a table of angles, say: it stays, the channels need not
                tracer.fix(flow.labels, "they meet channels along another dimension")
                zero.discard(id(each))
                continue
            _fix_all(tracer, call, "channels meet others along another dimension")
            return
        tracer.trace.nodes.unite(*_small(labels, other))
    for each in tensors:
        if id(each) in zero:
            continue
        if tracer.blank(each):
            zero.add(id(each))
            continue
        source = tracer.source(each)
        if not _spans(each, labels):
            continue
        dims = varying(labels)
        if source is not None and len(dims) == 1 and (line := along(labels, dims[0])) is not None:
            own = source.dims[dims[0] - (len(shape) - each.ndim)]
            if own >= 0:
                tracer.trace.cut(source.name, own, line, _role(tracer, source))
                zero.add(id(each))
                continue
        _fix_all(tracer, call, f"in {call.func}, channels meet a tensor whose entries stay")
        return
    target = tree_leaves(call.out)[0]
    unclean = {id(each) for each, flow in flows if not flow.clean}
    clean = _zero_stays(tracer, call, zero - unclean)
    in_place = any(target is each for each in tensors)
    if in_place and target._is_view() and not (clean and len(flows) == 1):
        _fix_all(tracer, call, "a part of a tensor is changed in place")
    for out in tree_leaves(call.out):
        if out.shape == shape:
            tracer.give(out, Flow(labels, clean))


def _sizes(tensor: Tensor, labels: Tensor) -> list[int]:
    """Sizes of a tensor that is broadcast to the shape of ``labels``, along the dimensions in which these vary."""
    aligned = [1] * (labels.ndim - tensor.ndim) + list(tensor.shape)
    return [aligned[d] for d in varying(labels)]


def _spans(tensor: Tensor, labels: Tensor) -> bool:
    """Whether a tensor has different entries along a dimension in which labels vary."""
    first = labels.ndim - tensor.ndim
    return any(d >= first and tensor.shape[d - first] > 1 and tensor.stride(d - first) for d in varying(labels))


def _covers(tensor: Tensor, labels: Tensor) -> bool:
    return all(size > 1 for size in _sizes(tensor, labels))


def _small(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both labels, narrowed to one entry along the dimensions in which neither varies."""
    for d in set(range(a.ndim)) - set(varying(a)) - set(varying(b)):
        a, b = a.narrow(d, 0, 1), b.narrow(d, 0, 1)
    return a, b


def _fix_all(tracer: Tracer, call: Call, why: str) -> None:
    for each in tree_leaves(call.given):
        if (flow := tracer.flow(each)) is not None:
            tracer.fix(flow.labels, why)
        if (source := tracer.source(each)) is not None:
            tracer.trace.whole[source.name] = f"{tracer.told()}: {why}"


def _role(tracer: Tracer, source: Source) -> Role:
    owner, _, attribute = source.name.rpartition(".")
    if attribute not in tracer.modules[owner]._parameters:
        return "buffer"
    layers = (nn.Linear, nn.modules.conv._ConvNd)
    return "output" if attribute == "bias" and isinstance(tracer.modules[owner], layers) else "norm"


def _zero_stays(tracer: Tracer, call: Call, zero: set[int]) -> bool:
    """Whether the operation gives 0 where its arguments in ``zero`` are 0: tried out, on one entry.

    The other tensors are several things in turn, whatever they are in the example; numbers that ``forward`` made are
    what they are. Where 0 is divided by 0 the dense network is not finite either.
    """
    others = {
        id(each): each
        for each in tree_leaves(call.given)
        if isinstance(each, Tensor) and id(each) not in zero and not _number(tracer, each)
    }
    alike = ((each,) * len(others) for each in SOMETHING)
    choices = product(SOMETHING, repeat=len(others)) if len(others) <= MOST else alike
    return all(_gives_zero(call, zero, dict(zip(others, values, strict=True))) for values in choices)


MOST = 4
"""Tensors for which all combinations are tried."""


def _number(tracer: Tracer, tensor: Tensor) -> bool:
    return tensor.numel() == 1 and not tensor.is_meta and tracer.unknown(tensor)


def _gives_zero(call: Call, zero: set[int], others: dict[int, float]) -> bool:
    def stand_in(each: Any) -> Any:
        if not isinstance(each, Tensor):
            return each
        if id(each) not in zero and id(each) not in others:
            return each.detach().reshape(()).to("cpu", copy=True)
        value = others.get(id(each), 0.0)
        whole = value if each.is_floating_point() or each.is_complex() else float(math.copysign(bool(value), value))
        return torch.full((), whole, dtype=torch.float64).to(each.dtype)

    args, kwargs = tree_map(stand_in, call.given)
    try:
        outs = tree_leaves(call.func(*args, **kwargs))
    except RuntimeError:
        return 0.0 in others.values()  # else: an operation that wants more than one entry
    return all(
        bool((out == 0).all()) or (0.0 in others.values() and bool(out.isnan().all()))
        for out in outs
        if isinstance(out, Tensor)
    )
