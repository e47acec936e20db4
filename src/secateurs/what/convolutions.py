"""Per-sample weight gradients of convolutions in three forms, and the rule that takes the cheapest.

With a_s the input's pixels, p_t the patch under the kernel at position t and g_t the gradient of
the output there, an example's weight gradient is sum_t g_t p_t'. The forms:

* ``gram``: ||sum_t g_t p_t'||^2 = sum_{s,t} (p_s . p_t) (g_s . g_t), norms only. The Gram matrix of
  patches is a sum, over the kernel's offsets, of shifted Gram matrices of pixels: no patch is ever
  written down, and no gradient. For few positions.
* ``grouped``: one grouped convolution in which each example is a group of its own. For float32 on
  a CPU, where oneDNN's kernels take groups of a multiple of 8 channels (or of one) at full speed.
* ``patches``: patches copied out channels-last, then one batched matrix product. For all the rest.

:func:`cheapest` counts multiply-adds and the numbers that are written. What each costs was
measured on AVX-512 cores (``benchmarks/fisher_trace.py --forms`` prints time and estimate side by
side); elsewhere it is a rule of thumb, and never changes the result but in rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv1d_weight, conv2d_weight, conv3d_weight

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
Form = Literal["gram", "grouped", "patches"]

_GROUPED_WEIGHT = {1: conv1d_weight, 2: conv2d_weight, 3: conv3d_weight}

# Cost in units of one multiply-add of a float32 matrix product.
_LOW_PRECISION_PRODUCT = 0.15
_GROUPED_PRODUCT = 0.6
_GRAM_NUMBER = 10.0
_PATCH_NUMBER = 15.0
_WEIGHT_NUMBER = 10.0
_GROUPED_WEIGHT_NUMBER = 30.0


@dataclass(frozen=True)
class _Geometry:
    """A convolution over one example: channels of a group, and sizes along each spatial dimension."""

    groups: int
    inputs: int
    outputs: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]
    size: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        return tuple(s + 2 * p for s, p in zip(self.size, self.padding, strict=True))

    @property
    def pixels(self) -> int:
        return math.prod(self.size)

    @property
    def positions(self) -> int:
        return math.prod(self.out)

    @property
    def taps(self) -> int:
        return math.prod(self.kernel)

    @property
    def gram_numbers(self) -> int:
        """Numbers read or written while a padded Gram matrix of pixels becomes that of patches."""
        sides, count = [*self.padded], self.groups * math.prod(self.padded) ** 2
        for d, out in enumerate(self.out):
            sides[d] = out
            count += self.groups * self.kernel[d] * math.prod(sides) ** 2
        return count


def gradient(module: Conv, a: Tensor, g: Tensor, form: Form | None = None) -> Tensor:
    """Per-sample gradients of a convolution's weight, ``[n, *weight.shape]``."""
    a, geometry = _met(module, a, g)
    if (form or cheapest(module, a, g, norms=False)) == "grouped":
        return _grouped(module, geometry, a, g)
    return _by_patches(module, geometry, a, g)


def squared_norms(module: Conv, a: Tensor, g: Tensor, form: Form | None = None) -> Tensor:
    """Squared norm of each example's gradient of a convolution's weight, ``[n]``."""
    a, geometry = _met(module, a, g)
    form = form or cheapest(module, a, g)
    if form == "gram":
        return _by_gram(geometry, a, g)
    return squared(_grouped(module, geometry, a, g) if form == "grouped" else _by_patches(module, geometry, a, g))


def squared(rows: Tensor) -> Tensor:
    """Squared norm of each row ``[n, ...]``, summed in float32 at least."""
    dtype = torch.promote_types(rows.dtype, torch.float32)
    norms: Tensor = torch.linalg.vector_norm(rows.flatten(1), dim=1, dtype=dtype)
    return norms.square()


def costs(module: Conv, a: Tensor, g: Tensor) -> dict[Form, float]:
    """Estimated cost of one example in each form that can be had, in multiply-adds of a float32 matrix product."""
    a, s = _met(module, a, g)
    weights = s.groups * s.inputs * s.outputs * s.taps
    products = weights * s.positions
    one = _LOW_PRECISION_PRODUCT if g.dtype in (torch.bfloat16, torch.float16) else 1.0
    found: dict[Form, float] = {
        "gram": one * s.groups * (s.pixels**2 * s.inputs + s.positions**2 * s.outputs) + _GRAM_NUMBER * s.gram_numbers,
        "patches": one * products
        + _PATCH_NUMBER * s.groups * s.inputs * s.taps * s.positions
        + _WEIGHT_NUMBER * weights,
    }
    if _grouped_is_fast(s, g):
        found["grouped"] = _GROUPED_PRODUCT * products + _GROUPED_WEIGHT_NUMBER * weights
    return found


def cheapest(module: Conv, a: Tensor, g: Tensor, *, norms: bool = True) -> Form:
    """The form that :func:`costs` makes the least of; without ``norms`` only those that give the gradients."""
    found = costs(module, a, g)
    if not norms:
        del found["gram"]
    return min(found, key=lambda form: found[form])


def numbers(module: Conv, a: Tensor, g: Tensor, *, norms: bool = True) -> int:
    """About how many numbers one example takes in the form that is chosen."""
    a, s = _met(module, a, g)
    form = cheapest(module, a, g, norms=norms)
    if form == "gram":
        return s.groups * (2 * math.prod(s.padded) ** 2 + 2 * s.positions**2)
    return module.weight.numel() + (s.groups * s.inputs * s.taps * s.positions if form == "patches" else 0)


def _met(module: Conv, a: Tensor, g: Tensor) -> tuple[Tensor, _Geometry]:
    """The pixels that the kernel meets, and the geometry over them: 1 x 1 kernels step over most where they stride."""
    stride = module.stride
    if math.prod(module.kernel_size) == 1 and not any(_ints(module.padding)):
        a = a[(slice(None), slice(None), *(slice(None, None, step) for step in stride))]
        stride = (1,) * len(stride)
    return a, _Geometry(
        module.groups,
        module.in_channels // module.groups,
        module.out_channels // module.groups,
        _ints(module.kernel_size),
        _ints(stride),
        _ints(module.dilation),
        _ints(module.padding),
        tuple(a.shape[2:]),
        tuple(g.shape[2:]),
    )


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _grouped_is_fast(s: _Geometry, g: Tensor) -> bool:
    blocked = (s.inputs % 8 == 0 and s.outputs % 8 == 0) or s.inputs == s.outputs == 1
    here = g.device.type == "cpu" and g.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return blocked and here


def _grouped(module: Conv, s: _Geometry, a: Tensor, g: Tensor) -> Tensor:
    n = len(a)
    of: Callable[..., Tensor] = _GROUPED_WEIGHT[len(s.size)]
    weight = of(
        a.reshape(1, -1, *a.shape[2:]),
        (n * module.out_channels, *module.weight.shape[1:]),
        g.reshape(1, -1, *g.shape[2:]),
        s.stride,
        s.padding,
        s.dilation,
        n * s.groups,
    )
    return weight.reshape(n, *module.weight.shape)


def _by_patches(module: Conv, s: _Geometry, a: Tensor, g: Tensor) -> Tensor:
    n, spatial = len(a), len(s.size)
    rows = g.reshape(n, s.groups, s.outputs, s.positions)
    weight = rows @ _patches(s, a)
    weight = weight.view(n, module.out_channels, *s.kernel, s.inputs)
    return weight.movedim(2 + spatial, 2)


def _patches(s: _Geometry, a: Tensor) -> Tensor:
    """What is under the kernel at each position, ``[n, groups, positions, taps * inputs]``."""
    pads = [each for p in reversed(s.padding) for each in (p, p)]
    x = F.pad(a.movedim(1, -1), (0, 0, *pads)).contiguous()
    n, (batch, *along, one) = len(a), x.stride()
    windows = x.as_strided(
        (n, *s.out, *s.kernel, x.shape[-1]),
        (
            batch,
            *(each * step for each, step in zip(along, s.stride, strict=True)),
            *(each * step for each, step in zip(along, s.dilation, strict=True)),
            one,
        ),
    )
    grouped: Tensor = windows.unflatten(-1, (s.groups, s.inputs)).movedim(-2, 1)
    return grouped.reshape(n, s.groups, s.positions, s.taps * s.inputs)


def _by_gram(s: _Geometry, a: Tensor, g: Tensor) -> Tensor:
    n, spatial = len(a), len(s.size)
    pixels = _gram(a.reshape(n, s.groups, s.inputs, s.pixels)).view(n * s.groups, *s.size, *s.size)
    if any(s.padding):
        pads = [each for p in reversed(s.padding) for each in (p, p)]
        pixels = F.pad(pixels, pads * 2)
    for d in range(spatial):
        pixels = _sum_along_diagonal(pixels, 1 + d, 1 + spatial + d, s.out[d], s.kernel[d], s.stride[d], s.dilation[d])
    outputs = _gram(g.reshape(n, s.groups, s.outputs, s.positions))
    found: Tensor = torch.linalg.vecdot(pixels.reshape(n, -1), outputs.view(n, -1))
    return found


def _gram(x: Tensor) -> Tensor:
    """Gram matrices ``[n, groups, L, L]`` over the columns of ``[n, groups, C, L]``, in float32 at least."""
    found = x.mT @ x
    return found.to(torch.promote_types(found.dtype, torch.float32))


def _sum_along_diagonal(x: Tensor, one: int, other: int, out: int, kernel: int, stride: int, dilation: int) -> Tensor:
    """sum_k x[..., k*dilation + s*stride, ..., k*dilation + t*stride, ...] for s, t < out, k < kernel."""

    def shifted(k: int) -> Tensor:
        which = slice(k * dilation, k * dilation + stride * (out - 1) + 1, stride)
        at = [slice(None)] * x.ndim
        at[one] = at[other] = which
        return x[tuple(at)]

    if kernel == 1:
        return shifted(0)
    total = shifted(0) + shifted(1)
    for k in range(2, kernel):
        total += shifted(k)
    return total
