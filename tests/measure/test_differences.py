"""Distances of weights, decisions and losses: explicit sums in float64, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from secateurs.core import DataError, MeasureError
from secateurs.measure import distances, l2_distance
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, NoPrediction, generator, net, unchanged

TASK = Classification(CLASSES)


def examples(n: int = 23) -> Fixed:
    return Fixed(torch.rand(n, 1, 6, 6, generator=generator(4), dtype=torch.float64), torch.arange(n) % CLASSES)


def flat(model: nn.Module) -> list[float]:
    return [float(value) for p in model.parameters() for value in p.detach().double().flatten()]


@settings(max_examples=20)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 30))
def test_they_are_explicit_sums(one: int, other: int, batch_size: int) -> None:
    a, b, model, data = net(one), net(other), net(20), examples()
    a, b, model = a.double(), b.double(), model.double()
    with unchanged(model), unchanged(a), unchanged(b):
        found = distances(model, a, b.state_dict(), TASK, data, batch_size=batch_size)
    x, y = flat(a), flat(b)
    dot = math.fsum(p * q for p, q in zip(x, y, strict=True))
    sizes = [math.sqrt(math.fsum(p * p for p in each)) for each in (x, y)]
    assert found.l2 == pytest.approx(math.dist(x, y), rel=1e-12)
    assert found.cosine == pytest.approx(1 - dot / (sizes[0] * sizes[1]), abs=1e-12)
    differing, squares = 0, 0.0
    for x_, y_ in zip(data.inputs, data.targets, strict=True):
        z, w = (each.eval()(x_[None])[0].detach() for each in (a, b))
        differing += int(z.argmax() != w.argmax())
        squares += float((z.logsumexp(0) - z[y_]) - (w.logsumexp(0) - w[y_])) ** 2
    assert found.differing == differing
    assert found.loss_l2 == pytest.approx(math.sqrt(squares), rel=1e-9, abs=1e-12)
    assert found.examples == 23
    assert l2_distance(model, a, b) == found.l2
    if one == other:
        assert (found.l2, found.cosine, found.differing, found.loss_l2) == (0.0, 0.0, 0, 0.0)


def test_opposite_weights_are_at_cosine_two() -> None:
    a = nn.Linear(4, CLASSES)
    b = {name: -value for name, value in a.state_dict().items()}
    data = Fixed(torch.rand(5, 4, generator=generator()), torch.arange(5) % CLASSES)
    assert distances(a, a, b, TASK, data).cosine == pytest.approx(2)


def test_masks_may_differ() -> None:
    dense, pruned = net(1), net(1)
    with torch.no_grad():
        pruned[5].weight[:, ::2] = 0
    found = distances(net(), dense, pruned, TASK, Fixed(examples().inputs.float(), examples().targets))
    assert found.l2 == pytest.approx(float(dense[5].weight.detach()[:, ::2].norm()))


def test_buffers_are_no_weights_and_a_mask_lies_on_both() -> None:
    a, b = net(1), net(1)
    b[1].running_mean += 1
    assert l2_distance(net(), a, b) == 0
    with torch.no_grad():
        b[5].weight[0, 0] += 3
        b[0].weight[0, 0, 0, 0] += 4
    assert l2_distance(net(), a, b) == pytest.approx(5)
    mask = torch.ones_like(b[5].weight, dtype=torch.bool)
    mask[0, 0] = False
    assert l2_distance(net(), a, b, mask={"5.weight": mask}) == pytest.approx(4)


def test_what_cannot_be_compared_is_refused() -> None:
    data = Fixed(examples().inputs.float(), examples().targets)
    with pytest.raises(MeasureError, match="NoPrediction has no logits over classes"):
        distances(net(), net(1), net(2), NoPrediction(), data)
    with pytest.raises(MeasureError, match=r"distances: b has no '0\.weight'"):
        distances(net(), net(1), nn.Linear(2, 2), TASK, data)
    with pytest.raises(MeasureError, match=r"l2_distance: a has no '0\.weight'"):
        l2_distance(net(), nn.Linear(2, 2), net(1))
    with pytest.raises(MeasureError, match="mask: 'head' is of another network"):
        l2_distance(net(), net(1), net(2), mask={"head": torch.ones(1)})
    zero = {name: torch.zeros_like(value) for name, value in net().state_dict().items()}
    with pytest.raises(MeasureError, match="has no direction"):
        distances(net(), net(1), zero, TASK, data)
    with pytest.raises(DataError, match="distances: no examples"):
        distances(net(), net(1), net(2), TASK, Fixed(data.inputs[:0], data.targets[:0]))
