"""How labels pass through operations that move entries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from secateurs.how.channels.labels import FIXED, along, core, settled, spread, varying
from secateurs.how.channels.trace import Flow, Source
from secateurs.how.channels.tracing import WHOLE, Call, Rule, Tracer


def entering(tracer: Tracer, tensor: object) -> Flow | None:
    """The labels of an argument. A parameter that enters with one dimension gets labels of its own."""
    flow = tracer.flow(tensor)
    if flow is not None or not isinstance(tensor, Tensor):
        return flow
    source = tracer.source(tensor)
    if source is None:
        return None
    if tensor.ndim != 1 or len(tensor) == 1 or source.dims[0] < 0:
        tracer.trace.whole[source.name] = f"{tracer.told()}: {source.name!r} is used outside a layer"
        return None
    owner, _, attribute = source.name.rpartition(".")
    role = "norm" if attribute in tracer.modules[owner]._parameters else "buffer"
    place = (source.name, source.dims[0])
    if place not in tracer.trace.cuts:
        made = tracer.trace.nodes.fresh(len(tensor))
        tracer.trace.cut(*place, made, role)  # type: ignore[arg-type]
        tracer.trace.loose.update(made.tolist())
    return Flow(tracer.trace.cuts[place].labels)


def moved(tracer: Tracer, call: Call) -> None:
    """Views and copies that neither split nor drop entries of dimensions: labels are moved in the same way."""
    tensor = call.given[0][0]
    if _part(tracer, call):
        return
    flow = entering(tracer, tensor)
    if flow is not None:
        labels = call.func(flow.labels, *call.given[0][1:], **call.given[1])
        tracer.give(call.out, Flow(labels, flow.clean))


def _part(tracer: Tracer, call: Call) -> bool:
    """A view of a parameter that has no labels of its own yet: which of its dimensions are the parameter's."""
    tensor, dim = call.given[0][0], call.args.get("dim", 0)
    source = tracer.source(tensor)
    if source is None or (tensor.ndim == 1 and call.name not in ("t", "alias", "detach")):
        return False
    dims = list(source.dims)
    if call.name in ("t", "transpose", "permute", "alias", "detach"):
        order = call.func(torch.empty([d + 2 for d in range(tensor.ndim)]), *call.given[0][1:], **call.given[1])
        dims = [source.dims[size - 2] for size in order.shape]
    elif call.name == "expand":
        dims = [-1] * (call.out.ndim - tensor.ndim) + dims
        dims = [
            d if size == 1 or stride else -1
            for d, size, stride in zip(dims, call.out.shape, call.out.stride(), strict=True)
        ]
    elif call.name == "unsqueeze":
        dims.insert(dim % call.out.ndim, -1)
    elif call.name == "select":
        del dims[dim % tensor.ndim]
    elif call.name == "slice":
        dims[dim % tensor.ndim] = dims[dim % tensor.ndim] if call.out.shape == tensor.shape else -1
    else:
        return False
    tracer.give(call.out, Source(source.name, tuple(dims)))
    return True


def copied(tracer: Tracer, call: Call) -> None:
    """Copies, casts, and tensors made after another's shape: the labels stay; ``empty_like`` and its kin are not 0."""
    flow = entering(tracer, call.given[0][0])
    if flow is not None:
        known = call.name in ("clone", "_to_copy", "contiguous", "zeros_like", "lift_fresh")
        tracer.give(call.out, Flow(flow.labels, flow.clean and known))


def reshaped(tracer: Tracer, call: Call) -> None:
    """Dimensions may be merged (flatten). Channels that are split go by whole slices of one dimension (heads), or stay.

    That dimension is the one whose size is not written down (-1), or the first of two: the trial shows whether it is.
    """
    flow = entering(tracer, call.given[0][0])
    if flow is None:
        return
    labels = settled(flow.labels.reshape(call.out.shape))
    sizes = list(call.args.get("size") or call.args.get("shape") or ())
    for dims in _blocks(flow.labels.shape, labels.shape):
        single = -1 in sizes and sizes.index(-1) in dims[:-1] and labels.shape[sizes.index(-1)] == 1
        if single and set(dims) & set(varying(labels)):
            tracer.fix(flow.labels, f"{call.func} makes a single head of them, whose size is written down")
            return
        split = [d for d in dims if labels.shape[d] > 1]
        if len(split) > 1 and len(set(dims) & set(varying(labels))) > 1:
            free = _free(sizes, split)
            if tracer.heads and free is not None and len(varying(flow.labels)) == 1 and not tracer.inside(WHOLE):
                tracer.has_heads = True
                first = labels
                for d in split:
                    first = first if d == free else first.narrow(d, 0, 1)
                tracer.trace.nodes.unite(core(labels), core(first))
                labels = first.expand(labels.shape)
                continue
            tracer.fix(flow.labels, f"{call.func} splits the channels into several dimensions")
            return
    tracer.give(call.out, Flow(labels, flow.clean))


def _free(sizes: Sequence[int], split: Sequence[int]) -> int | None:
    """The dimension that may get shorter, of those that channels are split into."""
    if -1 in sizes:
        return sizes.index(-1) if sizes.index(-1) in split else None
    return split[0] if len(split) == 2 else None


def _blocks(before: Sequence[int], after: Sequence[int]) -> list[list[int]]:
    """Dimensions of ``after``, in blocks that hold the same entries as a block of ``before``."""
    blocks: list[list[int]] = []
    i = j = 0
    while j < len(after):
        block, left, right = [j], math.prod(before[i : i + 1]), after[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right:
                left, i = left * before[i], i + 1
            else:
                block.append(j)
                right, j = right * after[j], j + 1
        blocks.append(block)
    return blocks


def sliced(tracer: Tracer, call: Call) -> None:
    """A slice of the channels: the pieces that it makes out of them must stay equally long."""
    tensor, dim = call.args["self"], call.args["dim"]
    flow = None if _part(tracer, call) else entering(tracer, tensor)
    if flow is None:
        return
    dim %= tensor.ndim
    size, left = tensor.shape[dim], call.out.shape[dim]
    if dim in varying(flow.labels) and left != size:
        start = call.args["start"] or 0
        piece = math.gcd(start + size if start < 0 else start, left, size) if call.args["step"] == 1 else 1
        _pieces(tracer, flow, [piece] * (size // max(piece, 1)), dim)
    tracer.give(call.out, Flow(call.func(flow.labels, *call.given[0][1:], **call.given[1]), flow.clean))


def split(tracer: Tracer, call: Call) -> None:
    """Pieces of the channels: they must stay equally long."""
    flow = entering(tracer, call.given[0][0])
    if flow is None:
        return
    dim = call.args["dim"] % flow.labels.ndim
    if dim in varying(flow.labels) and len(call.out) > 1:
        _pieces(tracer, flow, [each.shape[dim] for each in call.out], dim)
    labels = call.func(flow.labels, *call.given[0][1:], **call.given[1])
    for out, each in zip(call.out, labels, strict=True):
        tracer.give(out, Flow(each, flow.clean))


def _pieces(tracer: Tracer, flow: Flow, sizes: list[int], dim: int) -> None:
    pieces = core(flow.labels).split(sizes, dim)
    why = f"{tracer.told()}: unequal parts are taken out of its channels, or parts that do not go together"
    tracer.trace.alike.append(([piece.reshape(-1) for piece in pieces], why))


def taken(tracer: Tracer, call: Call) -> None:
    """Entries picked by number or order: channels among which some are picked stay."""
    flow = None if _part(tracer, call) else entering(tracer, call.given[0][0])
    if flow is None:
        return
    if {d % flow.labels.ndim for d in _picked(call)} & set(varying(flow.labels)):
        tracer.fix(flow.labels, f"{call.func} picks channels by number")
        return
    given = (flow.labels, *call.given[0][1:])
    outs = call.out if isinstance(call.out, list | tuple) else [call.out]
    labels = call.func(*given, **call.given[1])
    for out, each in zip(outs, labels if isinstance(labels, list | tuple) else [labels], strict=True):
        tracer.give(out, Flow(settled(each), flow.clean))


def _picked(call: Call) -> Sequence[int]:
    """The dimensions along which entries are picked."""
    if call.name == "index":
        return [d for d, each in enumerate(call.args["indices"]) if each is not None]
    return listed(call.args["dims"] if "dims" in call.args else call.args["dim"])


def joined(tracer: Tracer, call: Call) -> None:
    """Concatenation and stacking: each part keeps its labels."""
    tensors, dim = call.args["tensors"], call.args["dim"]
    flows = [entering(tracer, each) for each in tensors]
    if not any(flows):
        return
    if call.name == "cat":  # empty one-dimensional tensors may be joined to anything
        kept = [(each, flow) for each, flow in zip(tensors, flows, strict=True) if each.numel()]
        tensors, flows = [each for each, _ in kept], [flow for _, flow in kept]
    fixed = torch.tensor(FIXED)
    labels = [fixed.expand(t.shape) if f is None else f.labels for t, f in zip(tensors, flows, strict=True)]
    if call.name == "stack":
        labels = [each.unsqueeze(dim) for each in labels]
    dim %= labels[0].ndim
    still = set(range(labels[0].ndim)) - {dim} - {d for each in labels for d in varying(each)}
    for d in still:
        labels = [each.narrow(d, 0, 1) for each in labels]
    clean = all(flow is None or flow.clean for flow in flows)
    tracer.give(call.out, Flow(settled(torch.cat(labels, dim)).expand(call.out.shape), clean))


def padded(tracer: Tracer, call: Call) -> None:
    """Padding in space keeps the labels. Zero channels are added by a padding module, whose numbers can follow."""
    flow = entering(tracer, call.args["self"])
    if flow is None:
        return
    pads, value = call.args["pad"], call.args["value"]
    labels = flow.labels
    for d in range(labels.ndim):
        pair = pads[2 * (labels.ndim - 1 - d) :][:2]
        if not any(pair):
            continue
        if d not in varying(labels):
            labels = labels.narrow(d, 0, 1).expand([*labels.shape[:d], call.out.shape[d], *labels.shape[d + 1 :]])
            continue
        line = along(labels, d)
        if line is None or value or min(pair) < 0 or not isinstance(tracer.modules[tracer.where], PADDINGS):
            why = "pads the channels by a number in forward(): make it a module (nn.ZeroPad3d on [N, C, H, W])"
            tracer.fix(flow.labels, why)
            return
        before, after = tracer.trace.padded(tracer.where, *map(tracer.trace.nodes.fresh, pair))
        labels = spread(torch.cat([before, line, after]), call.out.shape, d)
    tracer.give(call.out, Flow(labels.expand(call.out.shape), flow.clean and not value))


PADDINGS = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)


def listed(dims: int | Sequence[int]) -> Sequence[int]:
    """One dimension or several, as several."""
    return [dims] if isinstance(dims, int) else dims


def assigned(tracer: Tracer, call: Call) -> None:
    """Assignment into a part of a tensor: what is assigned, and into what, stays."""
    for argument in call.args.values():
        if (flow := tracer.flow(argument)) is not None:
            tracer.fix(flow.labels, f"{call.func} assigns channels to a part of a tensor")


STRUCTURAL: dict[str, Rule] = {
    name: rule
    for rule, names in (
        (moved, "t transpose permute unsqueeze squeeze expand alias detach repeat"),
        (copied, "clone _to_copy contiguous lift_fresh zeros_like ones_like empty_like full_like rand_like randn_like"),
        (reshaped, "view _unsafe_view reshape _reshape_alias"),
        (sliced, "slice"),
        (split, "split unsafe_split split_with_sizes unsafe_split_with_sizes chunk"),
        (taken, "select unbind index index_select flip roll"),
        (joined, "cat stack"),
        (padded, "constant_pad_nd"),
        (assigned, "copy index_put"),
    )
    for name in names.split()
}
