"""Each form of a convolution's per-sample gradients against one autograd call per example, over random shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from oracle import by_example
from secateurs.what import convolutions, layers
from secateurs.what.convolutions import Form
from toys import generator

FORMS = get_args(Form)
KINDS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
forms = pytest.mark.parametrize("form", FORMS)


@dataclass(frozen=True)
class Shape:
    groups: int
    inputs: int
    outputs: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    channels_last: bool

    def make(self, dtype: torch.dtype = torch.float64) -> tuple[convolutions.Conv, Tensor, Tensor]:
        """A layer, three inputs, and gradients of its output."""
        kind, source = KINDS[len(self.size)], generator(1)
        channels = self.groups * self.inputs, self.groups * self.outputs
        layer = kind(*channels, self.kernel, self.stride, self.padding, self.dilation, self.groups, dtype=dtype)  # type: ignore[arg-type]
        a = torch.randn(3, channels[0], *self.size, generator=source, dtype=torch.float64).to(dtype)
        out = layer(a).shape
        g = torch.randn(out, generator=source, dtype=torch.float64).to(dtype)
        if self.channels_last:
            a, g = (x.movedim(1, -1).contiguous().movedim(-1, 1) for x in (a, g))
        return layer, a, g


def along(low: int, high: int, dimensions: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(low, high)] * dimensions)


SHAPES = st.integers(1, 3).flatmap(
    lambda d: st.builds(
        Shape,
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(1, 3),
        along(1, 5 if d < 3 else 3, d),
        along(1, 3, d),
        along(1, 3, d),
        along(0, 2, d),
        along(1, 2, d),
        st.booleans(),
    )
)


def possible(s: Shape) -> bool:
    spans = zip(s.size, s.kernel, s.padding, s.dilation, strict=True)
    return all(size + 2 * p >= d * (k - 1) + 1 for size, k, p, d in spans)


@settings(deadline=None, max_examples=60)
@given(SHAPES)
def test_all_forms_are_one_autograd_call_per_example(shape: Shape) -> None:
    assume(possible(shape))
    layer, a, g = shape.make()
    expected = by_example(layer, a, g)["weight"]
    norms = expected.flatten(1).square().sum(1)
    for form in FORMS:
        found = convolutions.squared_norms(layer, a, g, form)
        torch.testing.assert_close(found, norms, rtol=1e-10, atol=1e-10, msg=form)
        if form != "gram":
            torch.testing.assert_close(
                convolutions.gradient(layer, a, g, form), expected, rtol=1e-10, atol=1e-10, msg=form
            )
    assert convolutions.numbers(layer, a, g) > 0


@forms
@pytest.mark.parametrize(
    "shape",
    [
        Shape(1, 16, 8, (9, 9), (3, 3), (1, 1), (1, 1), (1, 1), True),
        Shape(1, 8, 16, (9, 8), (3, 3), (2, 2), (1, 1), (1, 1), False),
        Shape(6, 1, 1, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1), False),
        Shape(1, 8, 8, (7, 7), (1, 1), (2, 2), (0, 0), (1, 1), False),
    ],
)
def test_low_precision_is_near(shape: Shape, form: Form) -> None:
    """In float32 all forms are float32; in bfloat16 norms are float32 and near: products round to 8 bits."""
    exact = convolutions.squared_norms(*shape.make(), "patches")
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 3e-2)):
        layer, a, g = shape.make(dtype)
        found = convolutions.squared_norms(layer, a, g, form)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), exact, rtol=tolerance, atol=0)


def test_the_rule_takes_the_form_of_least_cost() -> None:
    many = Shape(1, 16, 16, (32, 32), (3, 3), (1, 1), (1, 1), (1, 1), False)
    few = Shape(1, 64, 64, (4, 4), (3, 3), (1, 1), (1, 1), (1, 1), False)
    stem = Shape(1, 3, 16, (32, 32), (3, 3), (1, 1), (1, 1), (1, 1), False)
    chosen = [convolutions.cheapest(*each.make(torch.float32)) for each in (many, few, stem)]
    assert chosen == ["grouped", "gram", "patches"]
    for each in (many, few, stem):
        layer, a, g = each.make(torch.float32)
        costs = convolutions.costs(layer, a, g)
        assert costs[convolutions.cheapest(layer, a, g)] == min(costs.values())
        assert convolutions.cheapest(layer, a, g, norms=False) != "gram"
    assert "grouped" not in convolutions.costs(*many.make())  # float64 has no fast grouped convolution


def test_pieces_cover_the_examples_and_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, a, g = Shape(1, 8, 8, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), False).make(torch.float32)
    for norms in (True, False):
        for size, count in ((1, 3), (2**30, 1)):
            monkeypatch.setattr(layers, "_BYTES", size)
            pieces = [*layers.pieces(layer, a, g, norms=norms)]
            assert len(pieces) == count
            assert torch.equal(torch.cat([inputs for _, inputs, _ in pieces]), a)
            assert torch.equal(torch.cat([gradients for _, _, gradients in pieces]), g)
