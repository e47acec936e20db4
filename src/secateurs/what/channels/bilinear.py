"""Layers in a form that is cheap in forward mode: linear in what goes in and in the weight, which is no leaf.

PyTorch computes with zeros where an operand has no tangent: a convolution too many, or a millisecond for a product of
two numbers. And its convolutions keep what went in, which only the weight's gradient would need.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.autograd.forward_ad as forward_mode
import torch.nn.functional as F
from torch import Tensor

from secateurs.what.double_backward import across, scale_and_shift, window_of

Operation = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Linear in the first two, with an optional summand."""


def is_dual(tensor: Tensor) -> bool:
    """Whether it has a tangent."""
    return forward_mode.unpack_dual(tensor).tangent is not None


class Bilinear(torch.autograd.Function):
    """y = a w + b, and in the backward pass its adjoint, which is bilinear as well; w and b have no gradient."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, w: Tensor, b: Tensor | None, operation: Operation, adjoint: Operation, dual: bool
    ) -> Tensor:
        ctx.save_for_backward(w)
        ctx.operands = (a, w) if dual else None
        ctx.operation, ctx.adjoint = operation, adjoint
        ctx.set_materialize_grads(False)
        return operation(a, w, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> tuple[Tensor | None, ...]:
        (w,) = ctx.saved_tensors
        to_a = None if g is None else _applied(g, w, None, ctx.adjoint, ctx.operation)
        return to_a, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, a_tangent: Tensor | None, w_tangent: Tensor | None, b_tangent: Tensor | None, *_: Any) -> Any:
        a, w = ctx.operands
        ctx.operands = None  # which nobody needs from here on
        found = None if a_tangent is None else ctx.operation(a_tangent, w, b_tangent)
        if w_tangent is not None:
            each = ctx.operation(a, w_tangent, b_tangent if found is None else None)
            found = each if found is None else found.add_(each)
        if found is None and b_tangent is not None:
            found = ctx.operation(torch.zeros_like(a), w, b_tangent)
        return found


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """As ``F.linear``; None where it has no such form."""
    if input.ndim < 2 or not _plain(input, weight, bias):
        return None
    return _applied(input, weight, bias, F.linear, lambda g, w, _: g @ w)


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    """As ``F.conv2d`` and its like; None where it has no such form."""
    if isinstance(padding, str) or input.ndim != weight.ndim or not _plain(input, weight, bias):
        return None
    stride, padding, dilation, groups = window_of(weight, stride, padding, dilation, groups)
    zeros = [0] * len(stride)

    def out(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return torch.convolution(x, w, b, stride, padding, dilation, False, zeros, groups)

    def back(shape: torch.Size, g: Tensor, w: Tensor, _: Tensor | None) -> Tensor:
        x = g.new_empty(()).expand(shape)  # of which only the shape is needed
        found: Tensor = torch.ops.aten.convolution_backward(
            g, x, w, None, stride, padding, dilation, False, zeros, groups, [True, False, False]
        )[0]
        return found

    return _applied(input, weight, bias, out, partial(back, input.shape))


def batch_norm(input: Tensor, *args: Any, **options: Any) -> Tensor | None:
    """As ``F.batch_norm`` by running statistics; None where it has no such form."""
    found = scale_and_shift(input, *args, **options)
    if found is None or not _plain(input, *found):
        return None
    scale, shift = (across(each, input) for each in found)
    return _applied(input, scale, shift, _affine, lambda g, w, _: g * w)


def silu(input: Tensor, inplace: bool = False) -> Tensor | None:
    """As ``F.silu``, whose derivative has none in forward mode."""
    return None if inplace else input * input.sigmoid()


def _affine(x: Tensor, scale: Tensor, shift: Tensor | None) -> Tensor:
    return x * scale if shift is None else torch.addcmul(shift, x, scale)


def _plain(input: Tensor, *constants: Tensor | None) -> bool:
    if torch.is_autocast_enabled(input.device.type):
        return False
    return not any(each is not None and (each.requires_grad or each.dtype != input.dtype) for each in constants)


def _applied(a: Tensor, w: Tensor, b: Tensor | None, operation: Operation, adjoint: Operation) -> Tensor:
    dual = any(each is not None and is_dual(each) for each in (a, w, b))
    y: Tensor = Bilinear.apply(a, w, b, operation, adjoint, dual)  # type: ignore[no-untyped-call]
    return y
