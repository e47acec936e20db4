"""Scores of first order against explicit gradients in float64, and against what removing a weight really does."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nets import NETS, N, example
from oracle import LossOracle, furthest
from secateurs.core import Batch, Spec, prunable
from secateurs.how import apply, keep_top
from secateurs.what import SCORES, loss_preservation, magnitude_loss, movement, score, snip, taylor
from secateurs.zoo import Classification
from toys import CLASSES, NoPrediction, generator

TASK = Classification(CLASSES)
RULES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "snip": lambda theta, g: (theta * g).abs(),
    "loss_preservation": lambda theta, g: (theta * g).abs(),
    "magnitude_loss": lambda theta, g: theta.abs() * (theta * g).abs(),
    "taylor": lambda theta, g: (theta * g) ** 2,
    "movement": lambda theta, g: -theta * g,
}
REVIVES = ["snip", "loss_preservation", "magnitude_loss", "taylor"]


@pytest.mark.parametrize("bn", ["running", "batch"])
@pytest.mark.parametrize("name", NETS)
def test_every_net_against_the_equations(name: str, bn: str) -> None:
    model, data = example(name)
    names = [*prunable(model)]
    mask = {key: torch.rand(p.shape, generator=generator(4)) < 0.6 for key, p in prunable(model).items()}
    oracle = LossOracle(model, data.inputs, data.targets, names, mask=mask, bn=bn)
    theta, g = oracle.theta, oracle.gradient()
    for called, rule in RULES.items():
        found = score(Spec(called, {"bn": bn}), model, TASK, data.batches(N), mask=mask)
        assert furthest(found, oracle.named(rule(theta, g))) < 1e-10


def test_loss_preservation_is_snip_bit_for_bit() -> None:
    model, data = example("conv, norm, dropout")
    one, other = snip(model, TASK, data.batches(4)), loss_preservation(model, TASK, data.batches(4))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_taylor_orders_weights_as_snip_does() -> None:
    model, data = example("conv, norm, dropout")
    for density in (0.1, 0.5):
        assert keep_top(snip(model, TASK, data.batches(4)), density) == keep_top(
            taylor(model, TASK, data.batches(4)), density
        )


class Linear(NoPrediction):
    """A loss that is linear in the output."""

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        return (output * batch.targets).sum(1)


def test_where_the_loss_is_linear_in_the_weights_removal_does_just_what_the_score_says() -> None:
    model = nn.Linear(4, 3).double()
    batch = Batch(torch.randn(5, 4, generator=generator()).double(), torch.randn(5, 3, generator=generator(1)).double())
    task = Linear()
    whole = float(task.loss(model(batch.inputs), batch).detach())
    change = torch.zeros(3, 4, dtype=torch.float64)
    for i in range(3):
        for j in range(4):
            without = nn.Linear(4, 3).double()
            without.load_state_dict(model.state_dict())
            with torch.no_grad():
                without.weight[i, j] = 0
                change[i, j] = float(task.loss(without(batch.inputs), batch)) - whole
    theta = model.weight.detach()
    for found, expected in [
        (movement(model, task, [batch]), change),  # with its sign: what is kept is what the loss rises without
        (snip(model, task, [batch]), change.abs()),
        (taylor(model, task, [batch]), change.square()),
        (magnitude_loss(model, task, [batch]), theta.abs() * change.abs()),
    ]:
        torch.testing.assert_close(found["weight"], expected, rtol=1e-10, atol=1e-13)


def test_descent_takes_weights_of_positive_movement_away_from_zero() -> None:
    model, data = example("mlp")
    found = movement(model, TASK, data.batches(N))
    before = {key: p.detach().abs() for key, p in prunable(model).items()}
    TASK.loss(model(data.inputs), Batch(data.inputs, data.targets)).backward()
    torch.optim.SGD(model.parameters(), lr=1e-6).step()
    for key, p in prunable(model).items():
        assert torch.equal(p.detach().abs() > before[key], found[key] > 0)


@pytest.mark.parametrize("name", REVIVES)
def test_revival_scores_masked_weights_by_what_stands_in_the_model(name: str) -> None:
    """|theta * dL/dtheta at theta * mask|, theta unmasked: where the mask keeps, the very score."""
    model, data = example("conv, norm, dropout")
    mask = {key: torch.rand(p.shape, generator=generator(4)) < 0.5 for key, p in prunable(model).items()}
    theta = torch.cat([p.detach().flatten() for p in prunable(model).values()])
    plain = score(name, model, TASK, data.batches(4), mask=mask)
    found = score(Spec(name, {"revive": True}), model, TASK, data.batches(4), mask=mask)
    masked, _ = example("conv, norm, dropout")
    apply(masked, mask)
    oracle = LossOracle(masked, data.inputs, data.targets, [*found])
    assert furthest(found, oracle.named(RULES[name](theta, oracle.gradient()))) < 1e-10
    assert all(torch.equal(found[key][mask[key]], plain[key][mask[key]]) for key in mask)
    assert any(bool(found[key][~mask[key]].any()) for key in mask)
    whole = score(Spec(name, {"revive": True}), model, TASK, data.batches(4))
    assert furthest(whole, score(name, model, TASK, data.batches(4))) == 0
    gone = score(Spec(name, {"revive": True}), masked, TASK, data.batches(4), mask=mask)
    assert all(not gone[key][~mask[key]].any() for key in mask)  # where the model holds zeros, nothing can come back


def test_revival_is_offered_where_it_is_defined() -> None:
    assert [n for n, f in SCORES.items() if "revive" in inspect.signature(f).parameters] == REVIVES
