"""What multiplies by gates while a model is called: the outputs of layers, or else their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from secateurs.what.channels import bilinear
from secateurs.what.channels.bilinear import is_dual
from secateurs.what.channels.gated import Layers
from secateurs.what.channels.parts import Part
from secateurs.what.passes import wide

Site = tuple[str, int]
"""A parameter and the dimension along which its gates lie, one for each position."""

_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_VIEWS = tuple(getattr(Tensor, name).__get__ for name in ("T", "mT", "H", "mH"))


_FORMS: Mapping[Callable[..., Any], Callable[..., Tensor | None]] = {
    F.linear: bilinear.linear,
    F.conv1d: bilinear.convolution,
    F.conv2d: bilinear.convolution,
    F.conv3d: bilinear.convolution,
    F.batch_norm: bilinear.batch_norm,
    F.silu: bilinear.silu,
}


class UnseenError(RuntimeError):
    """Gates cannot be put in, or not be seen through: a parameter is used where nobody looks."""


@dataclass(frozen=True)
class Sites:
    """Where gates are.

    Attributes:
        outputs: weight -> bias, or None, of layers whose output is multiplied: it is linear in both, and only the
            layer itself has them.
        biases: those biases -> weight; their gates are the weight's.
        others: all other gated parameters -> dimensions along which they are multiplied themselves.
    """

    outputs: Mapping[str, str | None]
    biases: Mapping[str, str]
    others: Mapping[str, tuple[int, ...]]

    def of(self, name: str, dim: int) -> Site:
        """The site of a part of a parameter."""
        return (self.biases[name], 0) if name in self.biases else (name, dim)

    def __iter__(self) -> Iterator[Site]:
        yield from ((name, 0) for name in self.outputs)
        yield from ((name, dim) for name, dims in self.others.items() for dim in dims)


def sites_of(layers: Layers, leaves: Mapping[int, str]) -> Sites:
    """Where gates go for these layers, of which ``leaves`` names the parameters by id."""
    lines: dict[str, list[list[Part]]] = {}
    owners: dict[int, set[str]] = {}
    for group in layers.values():
        for line in group:
            lines.setdefault(line[0].layer, []).append(line)
            for part in line:
                owners.setdefault(id(part.parameter), set()).add(part.layer)
    outputs: dict[str, str | None] = {}
    for each in lines.values():
        own = each[0][0].module._parameters
        if isinstance(each[0][0].module, _LAYERS) and all(_whole(line, own, owners) for line in each):
            bias = own.get("bias")
            outputs[leaves[id(own["weight"])]] = None if bias is None else leaves[id(bias)]
    biases = {bias: weight for weight, bias in outputs.items() if bias is not None}
    others: dict[str, tuple[int, ...]] = {}
    for part in (part for group in layers.values() for line in group for part in line):
        name = leaves[id(part.parameter)]
        if name not in outputs and name not in biases and part.dim not in others.get(name, ()):
            others[name] = (*others.get(name, ()), part.dim)
    return Sites(outputs, biases, others)


def _whole(line: list[Part], own: Mapping[str, nn.Parameter | None], owners: Mapping[int, set[str]]) -> bool:
    """Whether what makes the units in a layer is its weight and its bias, if it has one, alike."""
    expected = [each for each in (own.get("weight"), own.get("bias")) if each is not None]
    found = {id(part.parameter): part for part in line}
    first = line[0]
    return (
        own.get("weight") is not None
        and len(line) == len(expected)
        and set(found) == {id(each) for each in expected}
        and all(part.dim == 0 and len(owners[id(part.parameter)]) == 1 for part in line)
        and all(torch.equal(part.positions, first.positions) for part in line)
        and all(torch.equal(part.units, first.units) for part in line)
    )


class Multiplying(TorchFunctionMode):
    """While open, gated layers' outputs and other gated parameters are multiplied by their gates.

    Args:
        sites: where gates are.
        weights: what the model is called with, by name.
        gates: of each site.
        dual: whether there are dual numbers.
    """

    def __init__(self, sites: Sites, weights: Mapping[str, Tensor], gates: Mapping[Site, Tensor], dual: bool) -> None:
        super().__init__()
        self._sites, self._weights, self._gates, self._dual = sites, weights, gates, dual
        self._names = {id(weights[name]): name for name in (*sites.outputs, *sites.biases, *sites.others)}
        self._unused, self._made = set(self._names.values()), dict[str, tuple[Tensor, int]]()

    @property
    def complete(self) -> bool:
        """Whether all gated parameters have been seen at work, and none of them being written to."""
        return not self._unused and all(each._version == version for each, version in self._made.values())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch for every function of its own."""
        del types
        options = kwargs or {}
        if func is F.linear or func in _CONVOLUTIONS:
            y = self._layer(func, *args, **options)
            if y is not None:
                return y
        given = [each for each in tree_leaves((args, options)) if isinstance(each, Tensor)]
        if self._dual and not torch.is_grad_enabled() and any(map(is_dual, given)):
            raise UnseenError("constants of the backward pass are none in forward mode")
        if any(id(each) in self._names for each in given) and (func.__name__ != "__get__" or func in _VIEWS):
            args, options = tree_map(self._multiplied, (args, options))
        return self._called(func, *args, **options)

    def _called(self, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        y = _FORMS[func](*args, **options) if func in _FORMS else None
        return func(*args, **options) if y is None else y

    def _layer(
        self,
        func: Callable[..., Tensor],
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *args: Any,
        **options: Any,
    ) -> Tensor | None:
        name = self._names.get(id(weight), "")
        own = None if bias is None else self._names.get(id(bias), "")
        if name not in self._sites.outputs or self._sites.outputs[name] != own:
            return None
        self._unused -= {name, own or name}
        y = self._called(func, input, weight, bias, *args, **options)
        dim = y.ndim - 1 if func is F.linear else y.ndim - weight.ndim + 1
        return _gate(y, self._gates[name, 0], dim)

    def _multiplied(self, each: Any) -> Any:
        name = self._names.get(id(each))
        if name is None:
            return each
        if name not in self._made:
            dims = self._sites.others.get(name, (0,))
            for dim in dims:
                each = _gate(each, self._gates[self._sites.of(name, dim)], dim)
            self._made[name] = each, each._version
            self._unused.discard(name)
        return self._made[name][0]


def _gate(y: Tensor, gates: Tensor, dim: int) -> Tensor:
    out: Tensor = Gate.apply(y, gates, dim)  # type: ignore[no-untyped-call]
    return out


class Gate(torch.autograd.Function):
    """y times gates along a dimension, which are 1: nothing is multiplied but what has a tangent.

    It is a copy of y, which is needed in the backward pass, and which what comes after may change in place.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, gates: Tensor, dim: int) -> Tensor:
        ctx.save_for_backward(y, gates)
        ctx.save_for_forward(y, gates)
        ctx.dim = dim
        ctx.set_materialize_grads(False)
        return y.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        if g is None:
            return None, None, None
        y, gates = ctx.saved_tensors
        others = [d for d in range(y.ndim) if d != ctx.dim]
        to_gates = ((g * y).sum(others, dtype=wide(y)) if others else g * y).to(gates.dtype)
        return (g * _along(gates, y, ctx.dim) if is_dual(gates) else g), to_gates, None

    @staticmethod
    def jvp(ctx: Any, y_tangent: Tensor | None, gates_tangent: Tensor | None, *_: Any) -> Tensor | None:
        y, _gates = ctx.saved_tensors
        if gates_tangent is None:
            return None if y_tangent is None else y_tangent.clone()
        moved: Tensor = y * _along(gates_tangent, y, ctx.dim)
        return moved if y_tangent is None else moved.add_(y_tangent)


def _along(gates: Tensor, y: Tensor, dim: int) -> Tensor:
    return gates.to(y.dtype).view([-1 if d == dim else 1 for d in range(y.ndim)])
