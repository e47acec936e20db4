"""Per-sample gradients of one layer, from its input and the gradient of its output.

Where a layer's parameters are used once in a forward pass, the gradient of example i follows from
the layer's input a_i and the gradient g_i with respect to its output; one backward pass of the
summed objective gives the g_i of all examples. What is wanted of per-sample gradients (their
squared norms, or their squares summed over examples) is taken layer by layer, so that at most
those of one layer are in memory, and none where the norm has a cheaper form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv3d_weight

Gradients = dict[str, Tensor]


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

    For Linear and Conv weights the cheaper of two forms is taken: the gradient itself, or the
    Gram matrices over positions s, t of inputs and output gradients, ||sum_t g_t a_t'||^2 =
    sum_{s,t} (a_s . a_t) (g_s . g_t).

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> squared_norms(layer, frozenset({"weight"}), torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0]]))
    tensor([100.])
    """
    positions = _POSITIONS.get(type(module))
    if positions is None:
        own = gradients(module, a, g)
        return torch.stack([own[name].flatten(1).square().sum(1) for name in sorted(names)]).sum(0)
    rows, columns = positions(module, a, g)
    total = torch.zeros(len(a), device=a.device, dtype=g.dtype)
    if "weight" in names:
        total += _norms_of_products(rows, columns)
    if "bias" in names:
        total += rows.sum(-1).square().flatten(1).sum(1)
    return total


def supported(module: nn.Module) -> bool:
    """Whether this layer's per-sample gradients have a rule here."""
    plain = getattr(module, "padding_mode", "zeros") == "zeros" and not isinstance(getattr(module, "padding", 0), str)
    return type(module) in _RULES and plain and getattr(module, "track_running_stats", True)


def footprint(module: nn.Module, a: Tensor, g: Tensor) -> int:
    """About how many bytes one example takes while a layer is worked on."""
    numbers = g[0].numel() + a[0].numel()
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        numbers += module.weight[0].numel() * module.groups * (g[0].numel() // module.out_channels)
    numbers += sum(p.numel() for p in module.parameters(recurse=False))
    return numbers * g.element_size()


def _norms_of_products(rows: Tensor, columns: Tensor) -> Tensor:
    """||rows @ columns'||_F^2 of each example; rows ``[n, groups, O, L]``, columns ``[n, groups, I, L]``."""
    outputs, inputs, length = rows.shape[-2], columns.shape[-2], rows.shape[-1]
    if length * (outputs + inputs) < outputs * inputs:
        gram = (rows.mT @ rows) * (columns.mT @ columns)
        return gram.flatten(1).sum(1)
    return (rows @ columns.mT).square().flatten(1).sum(1)


def _linear_positions(module: nn.Linear, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    n = len(a)
    rows = g.reshape(n, 1, -1, module.out_features).mT
    return rows, a.reshape(n, 1, -1, module.in_features).mT


def _conv_positions(module: nn.Conv1d | nn.Conv2d, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    flat = isinstance(module, nn.Conv1d)

    def two(values: Any, fill: int) -> tuple[int, ...]:
        return (fill, *values) if flat else tuple(values)

    n, groups = len(a), module.groups
    patches = F.unfold(
        a.unsqueeze(2) if flat else a,
        two(module.kernel_size, 1),
        dilation=two(module.dilation, 1),
        padding=two(module.padding, 0),
        stride=two(module.stride, 1),
    )
    length = patches.shape[-1]
    return g.reshape(n, groups, -1, length), patches.view(n, groups, -1, length)


def _product(module: Any, a: Tensor, g: Tensor) -> Gradients:
    rows, columns = _POSITIONS[type(module)](module, a, g)
    return _with_bias(module, (rows @ columns.mT).reshape(len(a), *module.weight.shape), rows.sum(-1).flatten(1))


def _conv3d(module: nn.Conv3d, a: Tensor, g: Tensor) -> Gradients:
    # Each example a group of its own: one grouped convolution gives all per-sample weight gradients.
    n = len(a)
    shape = (n * module.out_channels, *module.weight.shape[1:])
    weight = conv3d_weight(
        a.reshape(1, -1, *a.shape[2:]),
        shape,
        g.reshape(1, -1, *g.shape[2:]),
        module.stride,
        module.padding,
        module.dilation,
        n * module.groups,
    )
    return _with_bias(module, weight.reshape(n, *module.weight.shape), g.flatten(2).sum(2))


def _batch_norm(module: Any, a: Tensor, g: Tensor) -> Gradients:
    # sum_l g (a - mean) scale, with the two sums taken apart: no normalised copy of the input is made.
    n, channels = a.shape[:2]
    rows = g.reshape(n, channels, 1, -1)
    shift = rows.sum((2, 3))
    products = (rows @ a.reshape(n, channels, -1, 1)).view(n, channels)
    scale = (module.running_var + module.eps).rsqrt()
    return _with_bias(module, (products - module.running_mean * shift) * scale, shift)


def _group_norm(module: nn.GroupNorm, a: Tensor, g: Tensor) -> Gradients:
    return _scale_and_shift(module, F.group_norm(a, module.num_groups, eps=module.eps), g)


def _layer_norm(module: nn.LayerNorm, a: Tensor, g: Tensor) -> Gradients:
    shape = module.normalized_shape
    normal = F.layer_norm(a, shape, eps=module.eps)
    n = len(a)
    return _with_bias(module, (normal * g).reshape(n, -1, *shape).sum(1), g.reshape(n, -1, *shape).sum(1))


def _scale_and_shift(module: Any, normal: Tensor, g: Tensor) -> Gradients:
    n, channels = normal.shape[:2]
    return _with_bias(module, (normal * g).reshape(n, channels, -1).sum(2), g.reshape(n, channels, -1).sum(2))


def _embedding(module: nn.Embedding, a: Tensor, g: Tensor) -> Gradients:
    n = len(a)
    weight = g.new_zeros(n, *module.weight.shape)
    tokens = a.reshape(n, -1)
    rows = g.reshape(n, -1, g.shape[-1])
    if module.padding_idx is not None:
        rows = rows.masked_fill((tokens == module.padding_idx).unsqueeze(-1), 0)
    return {"weight": weight.scatter_add_(1, tokens.unsqueeze(-1).expand_as(rows), rows)}


def _with_bias(module: Any, weight: Tensor, bias: Tensor) -> Gradients:
    return {"weight": weight} if module.bias is None else {"weight": weight, "bias": bias}


_POSITIONS: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    nn.Linear: _linear_positions,
    nn.Conv1d: _conv_positions,
    nn.Conv2d: _conv_positions,
}
"""Layers whose weight gradient is a sum over positions: rows ``[n, groups, O, L]``, columns ``[n, groups, I, L]``."""

_RULES: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], Gradients]] = {
    nn.Linear: _product,
    nn.Conv1d: _product,
    nn.Conv2d: _product,
    nn.Conv3d: _conv3d,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
    nn.Embedding: _embedding,
}
