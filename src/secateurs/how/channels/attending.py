"""How labels pass through scaled dot-product attention: by whole heads."""

from __future__ import annotations

from torch import Tensor

from secateurs.how.channels.labels import spread, varying
from secateurs.how.channels.structural import entering
from secateurs.how.channels.trace import Flow
from secateurs.how.channels.tracing import Call, Rule, Tracer


def attention(tracer: Tracer, call: Call) -> None:
    """Queries, keys and values [N, heads, positions, channels] of a head go together, and with them what it gives.

    Where several heads of queries share one of keys and values, all of these are one unit, so that as many
    share each as before.
    """
    flows = [entering(tracer, each) for each in call.given[0][:3]]
    lines = [_heads(flow) for flow in flows]
    mask = call.args.get("attn_mask", call.args.get("attn_bias"))
    q, k, v = lines
    if q is None or k is None or v is None or len(k) != len(v) or len(q) % len(k) or not _masked(tracer, mask, q):
        for flow in (*flows, tracer.flow(mask)):
            if flow is not None:
                tracer.fix(flow.labels, f"{call.func} mixes channels")
        return
    tracer.trace.nodes.unite(q.reshape(len(k), -1), k[:, None])
    tracer.trace.nodes.unite(v, k)
    out = call.out[0] if isinstance(call.out, tuple) else call.out
    tracer.give(out, Flow(spread(q, out.shape, 1), bool(flows[2] and flows[2].clean)))


def _heads(flow: Flow | None) -> Tensor | None:
    """Labels [heads] of queries, keys or values, if they vary along their heads only."""
    if flow is None or flow.labels.ndim != 4 or varying(flow.labels) not in ((), (1,)):
        return None
    return flow.labels[0, :, 0, 0]


def _masked(tracer: Tracer, mask: object, heads: Tensor) -> bool:
    """Whether heads may go as far as a mask is concerned: it is the same for all, or its heads go with them."""
    if not isinstance(mask, Tensor):
        return True
    if (source := tracer.source(mask)) is not None:
        tracer.trace.whole[source.name] = f"{tracer.told()}: {source.name!r} is added to attention scores"
    flow = tracer.flow(mask)
    if flow is None:
        return mask.ndim < 3 or mask.shape[-3] == 1 or mask.stride(-3) == 0
    labels = flow.labels
    if labels.ndim < 3 or varying(labels) != (labels.ndim - 3,):
        return False
    line = labels.movedim(-3, -1)
    tracer.trace.nodes.unite(line.reshape(-1, len(heads))[0], heads)
    return True


ATTENTION: dict[str, Rule] = dict.fromkeys(
    (
        "scaled_dot_product_attention",
        "_scaled_dot_product_attention_math",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_fused_attention_overrideable",
    ),
    attention,
)
