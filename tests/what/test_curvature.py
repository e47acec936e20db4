"""Optimal brain damage against explicit Hessians in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nets import N, example
from oracle import LossOracle, furthest
from secateurs.core import Batch, PruningError, prunable
from secateurs.how import keep_top
from secateurs.what import magnitude, obd
from secateurs.zoo import Classification
from toys import CLASSES, NoPrediction, generator

TASK = Classification(CLASSES)


class Quadratic(NoPrediction):
    """Half the sum of the squared distances of output and target."""

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        return (output - batch.targets).square().sum(1) / 2


@pytest.mark.parametrize("bn", ["running", "batch"])
@pytest.mark.parametrize("name", ["mlp", "conv, norm, dropout", "tied"])
def test_it_is_hutchinsons_estimate_with_the_same_signs(name: str, bn: str) -> None:
    model, data = example(name)
    names = [*prunable(model)]
    mask = {key: torch.rand(p.shape, generator=generator(4)) < 0.6 for key, p in prunable(model).items()}
    found = obd(model, TASK, data.batches(N), mask=mask, generator=generator(5), probes=3, bn=bn)  # type: ignore[arg-type]
    oracle = LossOracle(model, data.inputs, data.targets, names, mask=mask, bn=bn)
    hessian, source, diagonal = oracle.hessian(), generator(5), torch.zeros_like(oracle.theta)
    for _ in range(3):
        signs = [2 * torch.randint(0, 2, shape, generator=source) - 1 for shape in oracle.shapes]
        v = torch.cat([each.flatten() for each in signs]).double()
        diagonal += v * (hessian @ v) / 3
    assert furthest(found, oracle.named(diagonal * oracle.theta**2 / 2)) < 1e-10


def test_its_mean_is_the_exact_diagonal() -> None:
    model, data = example("mlp")
    probes = 400
    found = obd(model, TASK, data.batches(N), generator=generator(5), probes=probes)
    oracle = LossOracle(model, data.inputs, data.targets, [*found])
    hessian = oracle.hessian()
    half = oracle.theta**2 / 2
    off = hessian - hessian.diag().diag()
    error = torch.cat([each.flatten() for each in found.values()]) - hessian.diag() * half
    deviation = (off.square().sum(1) / probes).sqrt() * half
    assert float((error.abs() / deviation).max()) < 5


def test_where_the_hessian_is_diagonal_one_probe_is_exact_and_so_is_removal() -> None:
    """A quadratic at its minimum: removing a weight raises the loss by just its score."""
    scale = torch.tensor([1.0, 2.0, 0.5, 3.0]).double()
    x = torch.diag(scale)
    theta = torch.tensor([[1.0, -2.0, 3.0, 0.5]]).double()
    model = nn.Linear(4, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(theta)
    batch = Batch(x, x @ theta.T)
    found = obd(model, Quadratic(), [batch], generator=generator(), probes=1)["weight"]
    changes = []
    for i in range(4):
        without = theta.clone()
        without[0, i] = 0
        changes.append(float(Quadratic().losses(x @ without.T, batch).mean()))
    torch.testing.assert_close(found, torch.tensor([changes]).double(), rtol=1e-12, atol=0)


def test_where_all_directions_curve_alike_it_orders_as_magnitude_does() -> None:
    model = nn.Linear(6, 2, bias=False).double()
    x = torch.eye(6).double()
    batch = Batch(x, model(x).detach())
    found = obd(model, Quadratic(), [batch], generator=generator(), probes=1)
    assert keep_top(found, 0.5) == keep_top(magnitude(model), 0.5)


def test_negative_curvature_goes_first() -> None:
    class Saddle(NoPrediction):
        def losses(self, output: Tensor, batch: Batch) -> Tensor:
            return output[:, 0].square() - output[:, 1].square()

    model = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.weight.fill_(1)
    found = obd(model, Saddle(), [Batch(torch.ones(1, 1), torch.ones(1))], generator=generator(), probes=1)["weight"]
    assert found.flatten().tolist() == [1, -1]


def test_what_it_needs_is_said() -> None:
    model, data = example("mlp")
    with pytest.raises(PruningError, match=r"obd: pass generator=torch\.Generator"):
        obd(model, TASK, data.batches(N))
    with pytest.raises(PruningError, match="obd: probes: expected at least 1, got 0"):
        obd(model, TASK, data.batches(N), generator=generator(), probes=0)
