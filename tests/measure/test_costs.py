"""All columns side by side: of a mask, of a cut network, and as JSON."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from nets import NETS, example
from secateurs.core import Batch, MeasureError, PruningError
from secateurs.measure import Costs, Emissions, costs
from secateurs.measure.costs import counted_by_torch
from secateurs.zoo import Classification
from toys import CLASSES, generator, net, unchanged

TASK = Classification(CLASSES)
BATCH = Batch(torch.rand(4, 1, 6, 6, generator=generator(1)), torch.arange(4) % CLASSES)
SPENT = Emissions(0.5, 0.2, 60.0, 0.3, 0.1, 0.1, estimated=True, basis="load", grid="the world's", tool="CodeCarbon")


def counted(model: nn.Module, **options: object) -> Costs:
    return costs(model, TASK, BATCH, repeats=0, memory=False, **options)  # type: ignore[arg-type]


def channels(number: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, number, 3, padding=1), nn.BatchNorm2d(number), nn.ReLU(), nn.Flatten(), nn.Linear(number * 36, 3)
    )


def test_of_a_mask() -> None:
    flags = torch.zeros(3, 1, 3, 3)
    flags[0, 0, 0] = 1
    model = net()  # 27 weights at 9 places, 81 at one
    with unchanged(model):
        found = costs(model, TASK, BATCH, mask={"0.weight": flags}, repeats=2)
    assert (found.parameters, found.weights, found.weights_kept) == (27 + 3 + 6 + 81 + 3, 108, 84)
    assert found.weight_sparsity == pytest.approx(24 / 108)
    assert (found.nodes, found.nodes_kept, found.node_sparsity) == (6, 4, pytest.approx(1 / 3))
    assert (found.multiply_adds_dense, found.multiply_adds) == (27 * 9 + 81, 3 * 9 + 81)
    assert found.bytes_dense == 4 * 120
    assert found.bytes_csr == 4 * (120 - 27) + 3 * 8 + 4 * 4
    assert found.bytes_csr_16 == 2 * (120 - 27) + 3 * 6 + 4 * 4
    assert found.bytes_buffers == 2 * 3 * 4 + 8
    assert found.bytes_peak is not None
    assert found.bytes_peak >= 3 * found.bytes_dense
    assert found.batch is not None
    assert found.batch.examples == 4
    assert found.device == "cpu"


@pytest.mark.parametrize("where", ["cpu", "meta"])
def test_of_a_cut_network_against_the_dense_one(where: str) -> None:
    dense = channels(8)
    found = counted(channels(2), reference=dense.to(where))
    assert (found.weights, found.weights_kept) == (8 * 9 + 8 * 36 * 3, 2 * 9 + 2 * 36 * 3)
    assert found.weight_sparsity == pytest.approx(0.75)
    assert (found.nodes, found.nodes_kept) == (8 + 3, 2 + 3)
    assert (found.multiply_adds_dense, found.multiply_adds) == (8 * 9 * 36 + 864, 2 * 9 * 36 + 216)
    assert found.bytes_dense == 4 * (2 * 9 + 2 + 4 + 216 + 3)
    assert found.bytes_csr > found.bytes_dense, "nothing in it is sparse"


def test_a_dense_network_is_as_dense_as_it_gets() -> None:
    found = counted(net())
    full = counted(net(), mask={"0.weight": torch.ones(3, 1, 3, 3), "5.weight": torch.ones(3, 27)})
    assert found == full
    assert found.weight_sparsity == found.node_sparsity == 0
    assert found.multiply_adds == found.multiply_adds_dense
    assert found.bytes_peak is found.batch is None


def test_of_the_whole_run_and_as_json() -> None:
    measured = costs(net(), TASK, BATCH, repeats=2)
    for found in (measured, measured.of_run(3600.0), measured.of_run(3600.0, SPENT), counted(net())):
        assert Costs.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
    assert measured.of_run(3600.0, SPENT).emissions == SPENT
    assert measured.seconds is None


def test_refused() -> None:
    with pytest.raises(MeasureError, match=r"costs: mask: the model has no parameter '0\.wieght'.*did you mean"):
        counted(net(), mask={"0.wieght": torch.ones(3, 1, 3, 3)})
    with pytest.raises(MeasureError, match="made before channels were removed"):
        counted(channels(2), mask={"0.weight": torch.ones(8, 1, 3, 3)})
    with pytest.raises(PruningError, match="no prunable weights"):
        counted(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36)))


OUTSIDE = {"transposed conv", "outside its layer", "never called"}
"""Where weights work that no Linear or Conv layer calls."""


@pytest.mark.parametrize("name", NETS)
def test_networks_of_every_shape_are_left_as_they_were(name: str) -> None:
    model, data = example(name)
    batch = Batch(data.inputs, data.targets)
    with unchanged(model):
        found = costs(model, TASK, batch, repeats=2, memory=name in ("conv, norm, dropout", "tied"))
        work = counted_by_torch(model, TASK, batch)
    assert found.bytes_dense == 8 * found.parameters
    assert (found.multiply_adds == work) is (name not in OUTSIDE)
    assert found.multiply_adds <= work


def test_json_of_earlier_times_has_fewer_fields() -> None:
    found = costs(net(), TASK, BATCH, repeats=0, memory=False)
    told = found.to_json()
    for name in ("batch_dense", "bytes_peak_dense", "seconds", "emissions"):
        del told[name]
    assert Costs.from_json(told) == found


def test_a_frozen_reference_is_named() -> None:
    with pytest.raises(PruningError, match="costs: the reference: the model has no prunable weights"):
        costs(net(), TASK, BATCH, reference=net().requires_grad_(False), repeats=0, memory=False)
