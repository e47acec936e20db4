"""Scores by gradient flow against explicit Hessians in float64, and against what removing a weight does to ||g||^2."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nets import NETS, N, example
from oracle import LossOracle, furthest
from secateurs.core import Batch, PruningError, prunable
from secateurs.how import keep_top
from secateurs.what import gradient_flow, grasp
from secateurs.zoo import Classification
from toys import CLASSES, NoPrediction, generator, net, unchanged

TASK = Classification(CLASSES)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "name", ["mlp", "conv, norm, dropout", "tied", "used twice", "series", "depthwise", "branches"]
)
def test_small_nets_against_the_explicit_hessian(name: str, masked: bool) -> None:
    model, data = example(name)
    names = [*prunable(model)]
    mask = {key: torch.rand(p.shape, generator=generator(4)) < 0.6 for key, p in prunable(model).items()}
    given = mask if masked else None
    for options in ({"temperature": 200.0, "bn": "batch"}, {"temperature": 1.0, "bn": "running"}):
        oracle = LossOracle(model, data.inputs, data.targets, names, mask=given, **options)
        expected = oracle.named(oracle.theta * (oracle.hessian() @ oracle.gradient()))
        with unchanged(model):
            found = grasp(model, TASK, data.batches(N), mask=given, **options)
            absolute = grasp(model, TASK, data.batches(N), mask=given, absolute=True, **options)
        assert furthest(found, expected) < 1e-10
        assert furthest(absolute, {key: value.abs() for key, value in expected.items()}) < 1e-10
    flow = gradient_flow(model, TASK, data.batches(3), mask=given)
    assert furthest(flow, {key: value.abs() for key, value in expected.items()}) < 1e-10


@pytest.mark.parametrize("name", NETS)
def test_gradient_flow_is_the_absolute_grasp_at_temperature_one(name: str) -> None:
    model, data = example(name)
    flow = gradient_flow(model, TASK, data.batches(4))
    signed = grasp(model, TASK, data.batches(4), temperature=1, bn="running")
    assert all(torch.equal(flow[key], signed[key].abs()) for key in flow)


def test_the_defaults_are_its_authors() -> None:
    model, data = example("conv, norm, dropout")
    found = grasp(model, TASK, data.batches(N))
    stated = grasp(model, TASK, data.batches(N), temperature=200, absolute=False, bn="batch")
    assert furthest(found, stated) == 0
    oracle = LossOracle(model, data.inputs, data.targets, [*found], bn="batch", temperature=200)
    assert furthest(found, oracle.named(oracle.theta * (oracle.hessian() @ oracle.gradient()))) < 1e-10


@pytest.mark.parametrize("name", ["mlp", "series", "tied", "group norm"])
def test_keeping_the_highest_keeps_gradient_flow(name: str) -> None:
    """P2 eq. 5.3: moving weight i towards 0 by a share h changes ||g||^2 by -2 h theta_i (Hg)_i."""
    model, data = example(name)
    oracle = LossOracle(model, data.inputs, data.targets, [*prunable(model)])
    h, changes = 1e-5, []
    for i, theta in enumerate(oracle.theta.tolist()):
        delta = torch.zeros_like(oracle.theta)
        delta[i] = -h * theta
        ahead, behind = (float(oracle.gradient(oracle.theta + way * delta).square().sum()) for way in (1, -1))
        changes.append((ahead - behind) / (2 * h))
    change = torch.tensor(changes, dtype=torch.float64)
    signed = grasp(model, TASK, data.batches(N), temperature=1, bn="running")
    assert furthest(signed, oracle.named(-change / 2)) < 1e-6
    assert furthest(gradient_flow(model, TASK, data.batches(N)), oracle.named(change.abs() / 2)) < 1e-6
    highest = max(range(len(changes)), key=lambda i: float(torch.cat([s.flatten() for s in signed.values()])[i]))
    assert changes[highest] == min(changes)  # without it, gradient flow falls most: it is kept first


@pytest.mark.parametrize("density", [0.1, 0.25, 0.5])
def test_grasp_and_its_inversion_keep_complementary_weights(density: float) -> None:
    model, data = example("conv, norm, dropout")
    scores = grasp(model, TASK, data.batches(N))
    values = torch.cat([each.flatten() for each in scores.values()])
    assert len(values.unique()) == len(values)  # no ties
    count = round(density * len(values))
    top = keep_top(scores, count / len(values))
    rest = keep_top({key: -each for key, each in scores.items()}, 1 - count / len(values))
    assert all(torch.equal(top[key], ~rest[key]) for key in top)


def test_masked_weights_take_no_part_in_g() -> None:
    """With a mask H and g are those of the smaller network; weights that only happen to be 0 take part."""
    model, data = example("mlp")
    mask = {key: torch.rand(p.shape, generator=generator(4)) < 0.5 for key, p in prunable(model).items()}
    found = gradient_flow(model, TASK, data.batches(N), mask=mask)
    with torch.no_grad():
        for key, p in prunable(model).items():
            p.mul_(mask[key])
    assert furthest(found, gradient_flow(model, TASK, data.batches(N), mask=mask)) == 0
    assert furthest(found, gradient_flow(model, TASK, data.batches(N))) > 0.01


def test_at_initialisation_running_statistics_are_another_score() -> None:
    model = net()
    model[1].reset_running_stats()
    batch = [Batch(torch.randn(12, 1, 6, 6, generator=generator(1)), torch.arange(12) % CLASSES)]
    kept, other = (keep_top(grasp(model, TASK, batch, bn=bn), 0.2) for bn in ("batch", "running"))
    assert kept.distance(other) > 0.05


def test_a_temperature_needs_logits() -> None:
    model = nn.Linear(4, 2)
    batch = [Batch(torch.randn(3, 4, generator=generator()), torch.zeros(3))]
    with unchanged(model), pytest.raises(PruningError, match="grasp: temperature=200 divides logits, which NoPredic"):
        grasp(model, NoPrediction(), batch)
    assert grasp(model, NoPrediction(), batch, temperature=1)["weight"].any()
    assert gradient_flow(model, NoPrediction(), batch)["weight"].any()
