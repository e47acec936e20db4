"""What is measured: time and peak memory; neither leaves a trace."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import Batch, MeasureError
from secateurs.measure.costs import Costs, batch_time, batch_times, costs, peak_memory, without_values
from secateurs.measure.costs.timing import CLOCKS
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, NoPrediction, generator, net, unchanged

TASK = Classification(CLASSES)
MEASURES = {"time": partial(batch_time, repeats=2, warmup=1), "memory": peak_memory}


def batch(count: int = 6) -> Batch:
    return Batch(torch.rand(count, 1, 6, 6, generator=generator(1)), torch.arange(count) % CLASSES)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_nothing_is_left_behind(measure: Any) -> None:
    model = net()
    with unchanged(model):
        measure(model, TASK, batch())
    with unchanged(model), torch.no_grad():
        measure(model, TASK, batch())

    class Breaking(Classification):
        def loss(self, output: Tensor, batch: Batch) -> Tensor:
            raise BrokenError

    with unchanged(model), pytest.raises(BrokenError):
        measure(model, Breaking(CLASSES), batch())


def test_the_median_of_the_repeats_without_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [100.0, 50.0, 3.0, 1.0, 2.0, 9.0, 4.0]  # the first two are the warm-up
    ticks = iter([tick for n, seconds in enumerate(taken) for tick in (1000.0 * n, 1000.0 * n + seconds)])
    monkeypatch.setitem(CLOCKS, "wall", lambda: next(ticks))
    found = batch_time(net(), TASK, batch(), repeats=5, warmup=2)
    assert (found.seconds, found.quartiles, found.repeats, found.examples) == (3.0, (2.0, 4.0), 5, 6)


def test_own_processor_time() -> None:
    found = batch_time(net(), TASK, batch(), repeats=3, clock="cpu")
    assert found.clock == "cpu"
    assert 0 <= found.quartiles[0] <= found.seconds <= found.quartiles[1]


def test_it_trains_forward_and_backward() -> None:
    seen = []

    class Watching(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            output = super().forward(x)
            output.register_hook(lambda _: seen.append(self.training))
            return output

    batch_time(Watching(4, 2).eval(), NoPrediction(), Batch(torch.ones(3, 4), torch.ones(3)), repeats=2, warmup=1)
    assert seen == [True] * 3


def frozen() -> nn.Module:
    return net().requires_grad_(False)


REFUSED: dict[str, tuple[Any, str]] = {
    "one repeat": (lambda: batch_time(net(), TASK, batch(), repeats=1), "at least 2 repeats"),
    "warm-up": (lambda: batch_time(net(), TASK, batch(), warmup=-1), "no negative warm-up"),
    "clock": (lambda: batch_time(net(), TASK, batch(), clock="sun"), "no clock 'sun'"),  # type: ignore[arg-type]
    "frozen": (lambda: batch_time(frozen(), TASK, batch()), "no trainable parameters"),
    "meta": (lambda: batch_time(net().to("meta"), TASK, batch()), "one real device, this one is on meta"),
    "meta memory": (lambda: peak_memory(net().to("meta"), TASK, batch()), "one real device"),
    "nothing": (lambda: batch_time(nn.ReLU(), TASK, batch()), "on no device"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, told = REFUSED[name]
    with pytest.raises(MeasureError, match=told):
        make()


class Sum:
    """A loss that needs next to no memory of its own."""

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.inputs)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return output.sum()

    def size(self, batch: Batch) -> int:
        return len(batch.inputs)


@pytest.mark.parametrize(
    ("optimizer", "numbers"),
    [(partial(torch.optim.SGD, lr=0.1), 2), (partial(torch.optim.SGD, lr=0.1, momentum=0.9), 3)],
    ids=["plain", "momentum"],
)
def test_memory_of_weights_gradients_and_state(optimizer: Any, numbers: int) -> None:
    model = nn.Linear(2000, 100, bias=False)
    found = peak_memory(model, Sum(), Batch(torch.ones(2, 2000), torch.ones(2)), optimizer=optimizer)
    weights = 2000 * 100 * 4
    assert numbers * weights <= found <= numbers * weights + 8 * 100 * 4


def test_memory_of_activations() -> None:
    layers, width, count = 6, 10, 5000
    model = nn.Sequential(*(m for _ in range(layers) for m in (nn.Linear(width, width), nn.Tanh())))
    data = Batch(torch.ones(count, width), torch.ones(count))
    found = peak_memory(model, Sum(), data)
    one = count * width * 4
    # Each tanh keeps its output; while one is computed its input is there, and backwards one gradient or two.
    assert layers * one <= found <= (layers + 3) * one
    assert found == peak_memory(model, Sum(), data), "the same in each run"
    assert found > peak_memory(model[:6], Sum(), data)


def test_memory_needs_the_profiler_for_itself() -> None:
    with torch.autograd.profiler.profile(), pytest.raises(MeasureError, match="at work already"):
        peak_memory(net(), TASK, batch())


def test_a_model_that_cannot_be_copied() -> None:
    model = nn.Linear(4, 2)
    model.kept = model(torch.ones(1, 4))  # type: ignore[assignment]
    with pytest.raises(MeasureError, match=r"cannot be copied.*keep what a forward pass computed"):
        peak_memory(model, Sum(), Batch(torch.ones(2, 4), torch.ones(2)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu() -> None:
    model = nn.Linear(2000, 1000, bias=False).cuda()
    data = Batch(torch.ones(2, 2000).cuda(), torch.ones(2).cuda())
    weights = 2000 * 1000 * 4
    assert 3 * weights <= peak_memory(model, Sum(), data) <= 4 * weights
    assert batch_time(model, Sum(), data, repeats=3).seconds > 0
    with pytest.raises(MeasureError, match="no clock 'cpu' for a model on cuda"):
        batch_time(model, Sum(), data, clock="cpu")


def test_networks_are_timed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that becomes slower and slower slows both alike: each pass of one stands beside one of the other."""
    order: list[str] = []

    class Named(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            order.append("small" if self.bias is None else "large")
            return super().forward(x.flatten(1))

    small, large = Named(36, CLASSES, bias=False), Named(36, CLASSES)
    first, second = batch_times([small, large], TASK, batch(3), repeats=3, warmup=1)
    assert order == ["small", "large"] * 4
    assert (first.repeats, second.repeats, first.examples) == (3, 3, 3)

    ticks = iter([t for n, taken in enumerate([9, 9, 1, 2, 3, 6, 2, 4]) for t in (100.0 * n, 100.0 * n + taken)])
    monkeypatch.setitem(CLOCKS, "wall", lambda: next(ticks))
    first, second = batch_times([small, large], TASK, batch(3), repeats=3, warmup=1)
    assert (first.seconds, second.seconds) == (2.0, 4.0)
    with unchanged(small), unchanged(large):
        monkeypatch.undo()
        batch_times([small, large], TASK, batch(3), repeats=2)


def test_a_real_reference_is_measured_beside_the_network() -> None:
    model, dense = net(), net()
    counted = costs(model, TASK, batch(), reference=without_values(dense), repeats=2)
    assert counted.batch is not None
    assert counted.batch_dense is counted.bytes_peak_dense is None
    measured = costs(model, TASK, batch(), reference=dense, repeats=2)
    assert measured.batch_dense is not None
    assert measured.bytes_peak == measured.bytes_peak_dense == counted.bytes_peak
    assert Costs.from_json(measured.to_json()) == measured
    neither = costs(model, TASK, batch(), reference=dense, repeats=0, memory=False)
    assert neither.batch_dense is neither.bytes_peak_dense is None


def test_the_profiler_s_level_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.delenv("KINETO_LOG_LEVEL", raising=False)
    peak_memory(net(), TASK, batch())
    assert "KINETO_LOG_LEVEL" not in os.environ
    monkeypatch.setenv("KINETO_LOG_LEVEL", "50")
    peak_memory(net(), TASK, batch())
    assert os.environ["KINETO_LOG_LEVEL"] == "50"
