"""Convolution and batch normalisation in forms that are cheap to differentiate twice.

Two thirds of a Hessian product of a ResNet are the second derivatives of these two. PyTorch's own
take a weight's gradient to be a convolution with a kernel as large as the picture, and batch
normalisation to be some thirty elementwise operations. Here both are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

Pair = tuple[Tensor | None, Tensor | None]
Window = tuple[list[int], list[int], list[int], int]
"""Stride, padding, dilation, groups."""


class DoubleBackward(TorchFunctionMode):
    """While open, convolutions and batch normalisations take a form that is cheap to differentiate twice, not thrice.

    Running statistics are not updated. Calls for which there is no such form are left alone.

    >>> x = torch.tensor([[1.0, -1.0], [3.0, 1.0]])
    >>> with DoubleBackward():
    ...     F.batch_norm(x, None, None, training=True, eps=0.0)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch for every function of its own."""
        del types
        options = kwargs or {}
        found = _FORMS[func](*args, **options) if func in _FORMS else None
        return func(*args, **options) if found is None else found


def _conv(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    if isinstance(padding, str) or input.ndim != weight.ndim:
        return None
    if input.dtype != weight.dtype or torch.is_autocast_enabled(input.device.type):
        return None  # autocast does not know this form: it would stay in float32, or meet two dtypes
    window = window_of(weight, stride, padding, dilation, groups)
    y: Tensor = _Conv.apply(input, weight, window)  # type: ignore[no-untyped-call]
    return y if bias is None else y + across(bias, y)


def window_of(weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Window:
    """A convolution's window, one number for each dimension of the picture."""
    n = weight.ndim - 2
    stride, padding, dilation = ([v] * n if isinstance(v, int) else list(v) for v in (stride, padding, dilation))
    return stride, padding, dilation, groups


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    if not training and running_mean is not None and running_var is not None:
        found = scale_and_shift(input, running_mean, running_var, weight, bias, training, momentum, eps)
        return None if found is None else _affine(input, *found)
    if any(each is not None and each.dtype != input.dtype for each in (weight, bias)):
        return None  # mixed precision
    if input.numel() <= input.shape[1]:
        return None  # one value a channel: torch says what is wrong with that
    normal: Tensor = _Normalise.apply(input, eps)  # type: ignore[no-untyped-call]
    return _affine(normal, weight, bias)


def scale_and_shift(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor] | None:
    """The two vectors that batch normalisation by running statistics is; None where it is by others, or mixed."""
    del momentum
    if training or running_mean is None or running_var is None:
        return None
    constants = [each for each in (running_mean, running_var, weight, bias) if each is not None]
    if any(each.dtype != input.dtype for each in constants):
        return None  # mixed precision
    scale = (running_var + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -running_mean * scale
    return scale, shift if bias is None else shift + bias


_FORMS: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    F.conv1d: _conv,
    F.conv2d: _conv,
    F.conv3d: _conv,
    F.batch_norm: _batch_norm,
}


class _Conv(torch.autograd.Function):
    """y = x * w."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, window: Window) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.window = window
        return _convolved(x, w, window)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, w = ctx.saved_tensors
        dx, dw = _ConvBackward.apply(g, x, w, ctx.window, ctx.needs_input_grad[:2])  # type: ignore[no-untyped-call]
        return dx, dw, None


class _ConvBackward(torch.autograd.Function):
    """dx, linear in g and w, and dw, linear in g and x."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, w: Tensor, window: Window, wanted: tuple[bool, bool]) -> Pair:
        ctx.save_for_backward(g, x, w)
        ctx.window = window
        ctx.set_materialize_grads(False)
        return _gradients(g, x, w, window, wanted)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, vx: Tensor | None, vw: Tensor | None) -> tuple[Tensor | None, ...]:
        g, x, w = ctx.saved_tensors
        to_g, to_x, to_w = None, None, None
        if vx is not None:
            to_g = _convolved(vx, w, ctx.window)
            if ctx.needs_input_grad[2]:
                to_w = _gradients(g, vx, w, ctx.window, (False, True))[1]
        if vw is not None:
            each = _convolved(x, vw, ctx.window)
            to_g = each if to_g is None else to_g.add_(each)
            if ctx.needs_input_grad[1]:
                to_x = _gradients(g, x, vw, ctx.window, (True, False))[0]
        return to_g, to_x, to_w, None, None


def _convolved(x: Tensor, w: Tensor, window: Window) -> Tensor:
    stride, padding, dilation, groups = window
    return torch.convolution(x, w, None, stride, padding, dilation, False, [0] * len(stride), groups)


def _gradients(g: Tensor, x: Tensor, w: Tensor, window: Window, wanted: tuple[bool, bool]) -> Pair:
    stride, padding, dilation, groups = window
    dx, dw, _ = torch.ops.aten.convolution_backward(
        g, x, w, None, stride, padding, dilation, False, [0] * len(stride), groups, [*wanted, False]
    )
    return dx, dw


class _Normalise(torch.autograd.Function):
    """z = (x - mean) * rate, rate = (variance + eps)^(-1/2), over everything but channels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        z, _, rate = torch.native_batch_norm(x, None, None, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, z, rate.to(x.dtype))
        return z

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        x, z, rate = ctx.saved_tensors
        gradient: Tensor = _NormaliseBackward.apply(g, x, z.detach(), rate)  # type: ignore[no-untyped-call]
        return gradient, None


class _NormaliseBackward(torch.autograd.Function):
    """d = rate * (g - <g> - z <g z>), <.> the mean over everything but channels: linear and symmetric in g."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, z: Tensor, rate: Tensor) -> Tensor:
        del x  # it is what z and rate follow from, and where their derivatives go
        g1, gz = _mean(g), _mean_product(g, z)
        ctx.save_for_backward(g, z, rate, g1, gz)
        return _sum(-rate * g1, (rate, g), (-rate * gz, z))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        g, z, rate, g1, gz = ctx.saved_tensors
        v1, vz, vg = _mean(v), _mean_product(v, z), _mean_product(v, g)
        to_g = _sum(-rate * v1, (rate, v), (-rate * vz, z))
        # <v d> = rate (<v g> - <v> <g> - <v z> <g z>), differentiated by x by way of z and of rate.
        down = -rate * rate
        slope = down * (vg - v1 * g1 - 3 * vz * gz)
        to_x = _sum(-down * (gz * v1 + vz * g1), (down * gz, v), (down * vz, g), (slope, z))
        return to_g, to_x, None, None


def _affine(x: Tensor, scale: Tensor | None, shift: Tensor | None) -> Tensor:
    if scale is None:  # a copy, since what comes after may change it in place
        return x.clone() if shift is None else x + across(shift, x)
    return x * across(scale, x) if shift is None else torch.addcmul(across(shift, x), x, across(scale, x))


def _sum(constant: Tensor, *terms: tuple[Tensor, Tensor]) -> Tensor:
    """constant + sum of factor * tensor, constant and factors being one number a channel."""
    (factor, tensor), *rest = terms
    total = torch.addcmul(across(constant, tensor), tensor, across(factor, tensor))
    for factor, tensor in rest:
        total.addcmul_(tensor, across(factor, tensor))
    return total


def across(channels: Tensor, like: Tensor) -> Tensor:
    """One number a channel, so that it broadcasts."""
    return channels.view(1, -1, *(1,) * (like.ndim - 2))


def _mean(x: Tensor) -> Tensor:
    return x.mean([d for d in range(x.ndim) if d != 1])


def _mean_product(a: Tensor, b: Tensor) -> Tensor:
    """<a b> of each channel; their product is never in memory."""
    n, channels = a.shape[:2]
    products = a.reshape(n, channels, 1, -1) @ b.reshape(n, channels, -1, 1)
    return products.view(n, channels).sum(0) * (channels / a.numel())
