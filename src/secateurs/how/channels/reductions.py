"""How labels pass through operations that take entries together along a dimension: sums, pooling, softmax."""

from __future__ import annotations

from secateurs.how.channels.labels import varying
from secateurs.how.channels.structural import entering, listed
from secateurs.how.channels.trace import Flow
from secateurs.how.channels.tracing import Call, Rule, Tracer


def reduced(tracer: Tracer, call: Call) -> None:
    """Sums over channels, and norms of order 0 or more, leave them free, if masked ones are 0; the rest do not."""
    flow = entering(tracer, call.given[0][0])
    if flow is None:
        return
    dims = call.args.get("dim")
    norm = call.name == "linalg_vector_norm" and call.args["ord"] >= 0  # the others are smallest where an entry is 0
    every = range(flow.labels.ndim)
    over = set(every) if dims is None or dims == [] else {d % flow.labels.ndim for d in listed(dims)}
    crossing = over & set(varying(flow.labels))
    if crossing:
        summed = (call.name == "sum" or norm) and flow.clean and set(varying(flow.labels)) <= over
        if not summed:
            tracer.fix(flow.labels, f"{call.func} goes over all channels")
        return
    keepdim = bool(call.args.get("keepdim", False))
    labels = flow.labels
    for d in sorted(over, reverse=True):
        labels = labels.narrow(d, 0, 1) if keepdim else labels.select(d, 0)
    clean = flow.clean and (norm or call.name in ("sum", "mean", "amax", "amin"))
    for out in call.out if isinstance(call.out, tuple) else (call.out,):
        tracer.give(out, Flow(labels, clean))


def normalised(tracer: Tracer, call: Call) -> None:
    """Softmax, sorting, running sums along one dimension: channels along it stay."""
    flow = entering(tracer, call.given[0][0])
    if flow is None:
        return
    if call.args["dim"] % flow.labels.ndim in varying(flow.labels):
        tracer.fix(flow.labels, f"{call.func} goes over all channels")
        return
    for out in call.out if isinstance(call.out, tuple) else (call.out,):
        tracer.give(out, Flow(flow.labels, clean=False))


def spatial(dims: int) -> Rule:
    """Pooling, upsampling and reflection over the last ``dims`` dimensions: channels come before them."""

    def rule(tracer: Tracer, call: Call) -> None:
        flow = entering(tracer, call.given[0][0])
        if flow is None:
            return
        if any(d >= flow.labels.ndim - dims for d in varying(flow.labels)):
            tracer.fix(flow.labels, f"{call.func} goes over channels as if they were positions")
            return
        lead = flow.labels
        for d in range(lead.ndim - dims, lead.ndim):
            lead = lead.narrow(d, 0, 1)
        for out in call.out if isinstance(call.out, tuple) else (call.out,):
            tracer.give(out, Flow(lead.expand(out.shape), flow.clean))

    return rule


def _table() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    several: list[tuple[Rule, str]] = [
        (
            reduced,
            "sum mean amax amin linalg_vector_norm var std var_mean max min prod any all argmax argmin logsumexp",
        ),
        (normalised, "_softmax _log_softmax _safe_softmax cumsum sort"),
        (spatial(1), "upsample_linear1d"),
        (spatial(2), "upsample_bilinear2d upsample_bicubic2d"),
        (spatial(3), "upsample_trilinear3d"),
    ]
    for rule, names in several:
        rules |= dict.fromkeys(names.split(), rule)
    pools = "avg_pool{}d _adaptive_avg_pool{}d adaptive_max_pool{}d max_pool{}d max_pool{}d_with_indices "
    for d in (1, 2, 3):
        names = (pools + "reflection_pad{}d replication_pad{}d upsample_nearest{}d").replace("{}", str(d))
        rules |= dict.fromkeys(names.split(), spatial(d))
    return rules


REDUCTIONS = _table()
