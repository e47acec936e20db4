"""Convolution and batch normalisation in other forms: same values, same first and second derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from secateurs.what.double_backward import DoubleBackward
from toys import generator

CONVOLUTIONS = [
    (F.conv1d, (2, 4, 7), (6, 2, 3), {"groups": 2, "stride": 2}),
    (F.conv2d, (2, 2, 5, 4), (3, 2, 3, 2), {"padding": 1, "dilation": (1, 2)}),
    (F.conv2d, (2, 3, 5, 4), (3, 1, 3, 2), {"groups": 3, "stride": (2, 1), "padding": (0, 1)}),
    (F.conv2d, (2, 2, 4, 4), (3, 2, 3, 3), {"padding": "same"}),
    (F.conv3d, (2, 2, 3, 3, 3), (2, 2, 2, 2, 2), {"padding": 1}),
]


@pytest.mark.parametrize(("function", "shape", "kernel", "options"), CONVOLUTIONS)
def test_convolutions_and_their_derivatives(function: object, shape: object, kernel: object, options: dict) -> None:
    source = generator(1)
    x, w, b = (torch.randn(s, generator=source).double().requires_grad_() for s in (shape, kernel, kernel[:1]))

    def form(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        with DoubleBackward():
            return function(x, w, b, **options)

    torch.testing.assert_close(form(x, w, b), function(x, w, b, **options))
    assert torch.autograd.gradcheck(form, (x, w, b))
    assert torch.autograd.gradgradcheck(form, (x, w, b))
    for fixed in range(2):  # weights alone, as in a first layer; inputs alone, where a layer is not scored
        these = [x, w, b.detach()]
        these[fixed] = these[fixed].detach()
        assert torch.autograd.gradgradcheck(form, tuple(these))


@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 4), (2, 2, 3, 2)])
@pytest.mark.parametrize(("training", "tracked"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("affine", ["both", "scale", "shift", "neither"])
def test_batch_norm_and_its_derivatives(shape: tuple[int, ...], training: bool, tracked: bool, affine: str) -> None:
    source = generator(1)
    x = torch.randn(shape, generator=source).double().requires_grad_()
    mean, var = (torch.rand(shape[1], generator=source).double() + 0.5 for _ in range(2))
    w, b = (torch.randn(shape[1], generator=source).double().requires_grad_() for _ in range(2))
    weight, bias = w if affine in ("both", "scale") else None, b if affine in ("both", "shift") else None

    def own(x: Tensor, *_: Tensor) -> Tensor:
        statistics = (mean.clone(), var.clone()) if tracked else (None, None)
        return F.batch_norm(x, *statistics, weight, bias, training)

    def form(x: Tensor, *_: Tensor) -> Tensor:
        with DoubleBackward():
            return own(x)

    inputs = tuple(each for each in (x, weight, bias) if each is not None)
    torch.testing.assert_close(form(x), own(x))
    assert torch.autograd.gradcheck(form, inputs)
    assert torch.autograd.gradgradcheck(form, inputs)


def test_what_has_no_cheap_form_is_left_to_torch() -> None:
    x, w = torch.randn(2, 5), torch.randn(3, 2, 3)
    with DoubleBackward():
        torch.testing.assert_close(F.conv1d(x, w), F.conv1d(x[None], w)[0])
        assert F.batch_norm(x.bfloat16(), torch.zeros(5), torch.ones(5)).dtype == torch.bfloat16
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            F.batch_norm(x[:1], None, None, training=True)
