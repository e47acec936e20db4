"""Per-sample gradients of one layer, from its input and the gradient of its output.

Where a layer's parameters are used once in a forward pass, the gradient of example i follows from
the layer's input a_i and the gradient g_i with respect to its output; one backward pass of the
summed objective gives the g_i of all examples. What is wanted of per-sample gradients (their
squared norms, or their squares summed over examples) is taken layer by layer and a few examples at
a time, so that at most those of one layer are in memory, and none where the norm has a cheaper
form. Convolutions have a file of their own: :mod:`secateurs.what.convolutions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.what import convolutions
from secateurs.what.convolutions import Conv, squared

Gradients = dict[str, Tensor]

_BYTES = 4 * 2**20
"""Of one layer, worked on at a time: about what stays in a core's cache."""


def gradients(module: nn.Module, a: Tensor, g: Tensor) -> Gradients:
    """Per-sample gradients of a layer's own parameters, ``{"weight": [n, *shape], "bias": ...}``.

    Args:
        a: the layer's input, ``[n, ...]``.
        g: gradient of the summed objective with respect to the layer's output, ``[n, ...]``.

    >>> layer = nn.Linear(3, 2)
    >>> {name: tuple(each.shape) for name, each in gradients(layer, torch.ones(5, 3), torch.ones(5, 2)).items()}
    {'weight': (5, 2, 3), 'bias': (5, 2)}
    """
    return _RULES[type(module)](module, a, g)


def squared_norms(module: nn.Module, names: frozenset[str], a: Tensor, g: Tensor) -> Tensor:
    """Squared norm of each example's gradient of a layer's parameters ``names``, ``[n]``.

    For Linear and Conv weights the cheapest of several forms is taken: the gradient itself, or
    Gram matrices over positions s, t of inputs and output gradients, ||sum_t g_t a_t'||^2 =
    sum_{s,t} (a_s . a_t) (g_s . g_t).

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> squared_norms(layer, frozenset({"weight"}), torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0]]))
    tensor([100.])
    """
    if not isinstance(module, nn.Linear | Conv):
        own = gradients(module, a, g)
        return torch.stack([squared(own[name]) for name in sorted(names)]).sum(0)
    total = torch.zeros(len(a), device=a.device, dtype=_wide(g))
    if "weight" in names:
        total += (
            _linear_norms(module, a, g) if isinstance(module, nn.Linear) else convolutions.squared_norms(module, a, g)
        )
    if "bias" in names:
        total += squared(_bias(module, g))
    return total


def supported(module: nn.Module) -> bool:
    """Whether this layer's per-sample gradients have a rule here."""
    plain = getattr(module, "padding_mode", "zeros") == "zeros" and not isinstance(getattr(module, "padding", 0), str)
    return type(module) in _RULES and plain and getattr(module, "track_running_stats", True)


def pieces(module: nn.Module, a: Tensor, g: Tensor, *, norms: bool) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """The examples in pieces small enough to be worked on at once: which, their inputs and gradients."""
    numbers = g[0].numel() + a[0].numel()
    if isinstance(module, Conv):
        numbers += convolutions.numbers(module, a, g, norms=norms)
    elif not (norms and isinstance(module, nn.Linear)):
        numbers += sum(p.numel() for p in module.parameters(recurse=False))
    size = max(1, _BYTES // max(1, numbers * g.element_size()))
    for start in range(0, len(a), size):
        which = slice(start, start + size)
        yield which, a[which], g[which]


def _wide(g: Tensor) -> torch.dtype:
    """What sums are taken in: float32 at least."""
    return torch.promote_types(g.dtype, torch.float32)


def _linear_norms(module: nn.Linear, a: Tensor, g: Tensor) -> Tensor:
    inputs, outputs = module.in_features, module.out_features
    rows, columns = _positions_last_but_one(g), _positions_last_but_one(a)
    length = rows.shape[1]
    if length == 1:
        return squared(rows) * squared(columns)
    if length * (outputs + inputs) < outputs * inputs:
        return ((rows @ rows.mT) * (columns @ columns.mT)).sum((1, 2), dtype=_wide(g))
    return squared(rows.mT @ columns)


def _positions_last_but_one(x: Tensor) -> Tensor:
    """``[n, ..., features]`` as ``[n, positions, features]``."""
    return x.unsqueeze(1).flatten(1, -2)


def _linear(module: nn.Linear, a: Tensor, g: Tensor) -> Gradients:
    rows, columns = _positions_last_but_one(g), _positions_last_but_one(a)
    return _with_bias(module, rows.mT @ columns, lambda: _bias(module, g))


def _conv(module: Conv, a: Tensor, g: Tensor) -> Gradients:
    return _with_bias(module, convolutions.gradient(module, a, g), lambda: _bias(module, g))


def _bias(module: nn.Module, g: Tensor) -> Tensor:
    """The gradient of what is added to each channel: second dimension, or last where the layer is linear."""
    if isinstance(module, nn.Linear):
        return _positions_last_but_one(g).sum(1, dtype=_wide(g))
    return g.unsqueeze(-1).flatten(2).sum(2, dtype=_wide(g))


def _batch_norm(module: Any, a: Tensor, g: Tensor) -> Gradients:
    # sum_l g (a - mean) scale, with the two sums taken apart: no normalised copy of the input is made.
    shift, products = _bias(module, g), _bias(module, g * a)
    scale = (module.running_var + module.eps).rsqrt()
    return _with_bias(module, (products - module.running_mean * shift) * scale, lambda: shift)


def _group_norm(module: nn.GroupNorm, a: Tensor, g: Tensor) -> Gradients:
    normal = F.group_norm(a, module.num_groups, eps=module.eps)
    return _with_bias(module, _bias(module, normal * g), lambda: _bias(module, g))


def _layer_norm(module: nn.LayerNorm, a: Tensor, g: Tensor) -> Gradients:
    shape, n = module.normalized_shape, len(a)

    def summed(x: Tensor) -> Tensor:
        return x.reshape(n, -1, *shape).sum(1, dtype=_wide(x))

    normal = F.layer_norm(a, shape, eps=module.eps)
    return _with_bias(module, summed(normal * g), lambda: summed(g))


def _embedding(module: nn.Embedding, a: Tensor, g: Tensor) -> Gradients:
    n = len(a)
    weight = g.new_zeros(n, *module.weight.shape)
    tokens = a.reshape(n, -1)
    rows = g.reshape(n, -1, g.shape[-1])
    if module.padding_idx is not None:
        rows = rows.masked_fill((tokens == module.padding_idx).unsqueeze(-1), 0)
    return {"weight": weight.scatter_add_(1, tokens.unsqueeze(-1).expand_as(rows), rows)}


def _with_bias(module: Any, weight: Tensor, bias: Callable[[], Tensor]) -> Gradients:
    return {"weight": weight} if module.bias is None else {"weight": weight, "bias": bias()}


_RULES: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], Gradients]] = {
    nn.Linear: _linear,
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.Conv3d: _conv,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
    nn.Embedding: _embedding,
}
