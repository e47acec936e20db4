"""How labels pass through layers: what makes channels, what reads them, what goes with them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from secateurs.core.groups import Role
from secateurs.how.channels.attending import ATTENTION
from secateurs.how.channels.counting import layer_of
from secateurs.how.channels.labels import FIXED, along, core, spread, varying
from secateurs.how.channels.structural import entering
from secateurs.how.channels.trace import Flow, Source
from secateurs.how.channels.tracing import Call, Rule, Tracer


def convolution(tracer: Tracer, call: Call) -> None:
    """A convolution, plain, grouped, depthwise or transposed.

    The channels of a grouped convolution go by whole groups of it: all that one group reads and
    makes is one unit (of a depthwise convolution: a channel and its filters).
    """
    x, weight, bias = call.args["input"], tracer.source(call.args["weight"]), call.args["bias"]
    groups, turned = call.args["groups"], call.args["transposed"]
    line = _read(tracer, x, 1, call)
    if weight is None or weight.dims != tuple(range(len(weight.dims))):
        tracer.fix(line, f"the weight of {call.func} is computed from others")
        return
    trace, number = tracer.trace, call.out.shape[1]
    if groups == 1:
        trace.cut(weight.name, 0 if turned else 1, line, "input")
        made = trace.made(weight.name, 1 if turned else 0, number)
    elif turned:
        made = trace.nodes.fresh(number)
        trace.cut(weight.name, 0, line, "output")
    else:
        made = trace.made(weight.name, 0, number)
    if groups > 1:
        trace.nodes.unite(made.reshape(groups, -1), line.reshape(groups, -1)[:, :1])
        trace.nodes.unite(line.reshape(groups, -1), line.reshape(groups, -1)[:, :1])
    _bias(tracer, bias, made)
    tracer.give(call.out, Flow(spread(made, call.out.shape, 1)))


def product(tracer: Tracer, call: Call) -> None:
    """A matrix product; with a weight, it is a Linear layer."""
    names = {"addmm": ("mat1", "mat2"), "baddbmm": ("batch1", "batch2"), "mv": ("self", "vec")}
    a, b = (call.args[name] for name in names.get(call.name, ("self", "mat2")))
    weight, added = tracer.source(b), call.args["self"] if call.name in ("addmm", "baddbmm") else None
    if weight is not None and b.ndim == 2 and set(weight.dims) == {0, 1}:
        _linear(tracer, call, a, weight, added)
        return
    for each in (a, b, added):
        if (source := tracer.source(each)) is not None:
            tracer.trace.whole[source.name] = f"{tracer.told()}: {source.name!r} is multiplied outside a layer"
    known = [tracer.flow(each) for each in (a, b, added)]
    if known[2] is not None:
        tracer.fix(known[2].labels, f"{call.func} adds to channels")
    if known[0] is not None or known[1] is not None:
        _contracted(tracer, call, a, b, known[0], known[1])


def _linear(tracer: Tracer, call: Call, x: Tensor, weight: Source, bias: object) -> None:
    flow, trace = tracer.flow(x), tracer.trace
    if flow is not None and varying(flow.labels) == (0,):  # it maps positions, channels lie in its rows
        trace.whole[weight.name] = f"{tracer.told()}: {weight.name!r} maps positions, not channels"
        if (source := tracer.source(bias)) is not None:
            trace.whole[source.name] = trace.whole[weight.name]
        tracer.give(call.out, Flow(flow.labels.narrow(1, 0, 1).expand(call.out.shape), flow.clean and bias is None))
        return
    trace.cut(weight.name, weight.dims[0], _read(tracer, x, 1, call), "input")
    made = trace.made(weight.name, weight.dims[1], call.out.shape[1])
    _bias(tracer, bias, made)
    tracer.give(call.out, Flow(spread(made, call.out.shape, 1)))


def _contracted(tracer: Tracer, call: Call, a: Tensor, b: Tensor, one: Flow | None, other: Flow | None) -> None:
    """A product of two activations, [..., M, K] by [..., K, N]: rows and columns pass, what is summed over is one."""
    fixed = torch.tensor(FIXED)
    left = fixed.expand(a.shape) if one is None else one.labels
    right = fixed.expand(b.shape) if other is None else other.labels
    at, rows, columns = set(varying(left)), a.ndim - 2, a.ndim - 1
    bt = set(varying(right))
    if at == {rows} and not bt and a.ndim == b.ndim:
        tracer.give(call.out, Flow(left.narrow(columns, 0, 1).expand(call.out.shape), bool(one and one.clean)))
    elif bt == {columns} and not at and a.ndim == b.ndim:
        tracer.give(call.out, Flow(right.narrow(rows, 0, 1).expand(call.out.shape), bool(other and other.clean)))
    elif one and other and at <= {0} and bt <= {0} and a.ndim == b.ndim == 3:
        tracer.trace.nodes.unite(left[:, 0, 0], right[:, 0, 0])
        tracer.give(call.out, Flow(spread(left[:, 0, 0], call.out.shape, 0), one.clean or other.clean))
    elif one and other and at == {columns} and bt == {rows} and (one.clean or other.clean):
        tracer.trace.nodes.unite(core(left).reshape(-1), core(right).reshape(-1))
    else:
        for flow in (one, other):
            if flow is not None:
                tracer.fix(flow.labels, f"{call.func} mixes channels")


def _read(tracer: Tracer, x: Tensor, dim: int, call: Call) -> Tensor:
    """Labels of the channels that a layer reads along ``dim``; they stay if they vary along others, too."""
    if tracer.blank(x):
        return tracer.trace.nodes.fresh(x.shape[dim])
    flow = entering(tracer, x)
    line = None if flow is None else along(flow.labels, dim)
    if line is not None:
        return line
    if flow is not None:
        tracer.fix(flow.labels, f"{call.func} reads them along several dimensions")
    return torch.full((x.shape[dim],), FIXED)


def _bias(tracer: Tracer, bias: object, made: Tensor) -> None:
    if not isinstance(bias, Tensor):
        return
    source = tracer.source(bias)
    if source is None or source.dims != (0,):
        tracer.fix(made, "its bias is computed from others")
        if (flow := tracer.flow(bias)) is not None:
            tracer.fix(flow.labels, "it is added as a bias")
    else:
        bare = layer_of(source.name) == source.name  # the weight alone counts as the layer
        tracer.trace.cut(source.name, 0, made, "norm" if bare else "output")


def batch_norm(tracer: Tracer, call: Call) -> None:
    """Batch normalisation: scale, shift and running statistics go with the channels."""
    x = call.args["input"]
    line = _read(tracer, x, 1, call)
    if isinstance(tracer.modules[tracer.where], nn.modules.instancenorm._InstanceNorm):
        tracer.fix(line, "an InstanceNorm keeps the number of its channels")
    for name in ("weight", "bias", "running_mean", "running_var"):
        _with(tracer, call.args[name], line, "buffer" if name.startswith("running") else "norm")
    tracer.give(call.out[0], Flow(spread(line, x.shape, 1)))


def group_norm(tracer: Tracer, call: Call) -> None:
    """Group normalisation: what is normalised together is one unit, so that the rest is normalised as before."""
    x, groups = call.args["input"], call.args["group"]
    line = _read(tracer, x, 1, call)
    if groups == 1:
        tracer.fix(line, "all channels are normalised together")
        line = torch.full_like(line, FIXED)
    tracer.trace.nodes.unite(line.reshape(groups, -1), line.reshape(groups, -1)[:, :1])
    for name in ("weight", "bias"):
        _with(tracer, call.args[name], line, "norm")
    tracer.give(call.out[0], Flow(spread(line, x.shape, 1)))


def layer_norm(tracer: Tracer, call: Call) -> None:
    """Layer normalisation: channels that it normalises over stay, for without them the rest would change."""
    x, over = call.args["input"], len(call.args["normalized_shape"])
    for name in ("weight", "bias"):
        if (source := tracer.source(call.args[name])) is not None:
            tracer.trace.whole[source.name] = f"{tracer.told()}: it is normalised over"
    flow = entering(tracer, x)
    if flow is None:
        return
    if any(d >= x.ndim - over for d in varying(flow.labels)):
        tracer.fix(flow.labels, "all channels are normalised together")
        return
    tracer.give(call.out[0], Flow(flow.labels, flow.clean and call.args["bias"] is None))


def _with(tracer: Tracer, tensor: object, line: Tensor, role: Role) -> None:
    if isinstance(tensor, Tensor):
        source = tracer.source(tensor)
        if source is None or source.dims != (0,):
            tracer.fix(line, "its scale, shift or statistics are computed from others")
        else:
            tracer.trace.cut(source.name, 0, line, role)


def embedding(tracer: Tracer, call: Call) -> None:
    """An embedding makes channels: the columns of its table."""
    source = tracer.source(call.args["weight"])
    if source is not None and source.dims == (0, 1):
        made = tracer.trace.made(source.name, 1, call.out.shape[-1])
        tracer.give(call.out, Flow(spread(made, call.out.shape, call.out.ndim - 1)))


LAYERS: dict[str, Rule] = {
    "convolution": convolution,
    "addmm": product,
    "mm": product,
    "bmm": product,
    "baddbmm": product,
    "native_batch_norm": batch_norm,
    "_native_batch_norm_legit": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "cudnn_batch_norm": batch_norm,
    "native_group_norm": group_norm,
    "native_layer_norm": layer_norm,
    "embedding": embedding,
} | ATTENTION
