"""The relative weight change against P1's formulas, written out in Python's own arithmetic."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor, nn

from nets import NETS, example
from secateurs.core import Moment, Observation, SignalError, SignalState
from secateurs.when import WeightChange
from secateurs.zoo import Classification
from toys import generator, net, unchanged

FORMS = ("relative", "squared", "algorithm")
STEPS = 3


def at(model: nn.Module, epoch: int) -> Observation:
    return Observation(Moment(STEPS * epoch, STEPS), "epoch", model, Classification(3))


def entries(model: nn.Module) -> list[float]:
    return [x for p in model.parameters() if p.requires_grad for x in p.detach().double().flatten().tolist()]


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def by_hand(form: str, walk: Sequence[Sequence[float]]) -> list[float]:
    """P1 eq. 11 unsquared, eqs. 10 and 11, and line 6 of Algorithm 1, at epochs 1, 2, ... of the walk."""
    d = [distance(point, walk[0]) for point in walk]
    size = math.fsum(x**2 for x in walk[0])
    every = {
        "relative": lambda t: abs(d[t] - d[t - 1]) / d[1],
        "squared": lambda t: abs(d[t] ** 2 - d[t - 1] ** 2) / d[1] ** 2,
        "algorithm": lambda t: d[t] ** 2 / size - d[t - 1] ** 2 / size,
    }
    return [every[form](t) for t in range(1, len(walk))]


def move(model: nn.Module, seed: int, scale: float) -> None:
    source = generator(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(torch.randn(p.shape, generator=source, dtype=torch.float64).to(p.dtype), alpha=scale)


def walked(model: nn.Module, scales: Sequence[float], form: str) -> tuple[list[Tensor], list[float], list[list[float]]]:
    """The values and distances of a walk of such strides from the model as it is, and where it led."""
    signal = WeightChange(form)  # type: ignore[arg-type]
    state, values, distances, walk = signal.init(model), [], [], [entries(model)]
    for epoch, scale in enumerate(scales, start=1):
        move(model, epoch, scale)
        with unchanged(model):
            state, value = signal.update(state, at(model, epoch))
        assert value is not None
        values.append(value)
        distances.append(float(state["distance"]))
        walk.append(entries(model))
    return values, distances, walk


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETS)
def test_it_is_the_formula_of_the_paper(name: str, form: str) -> None:
    model, _ = example(name)
    values, distances, walk = walked(model, [0.1, 0.3, 0.02, 0.0, 0.1], form)
    assert [float(v) for v in values] == pytest.approx(by_hand(form, walk), rel=1e-11, abs=1e-13)
    assert distances == pytest.approx([distance(point, walk[0]) for point in walk[1:]], rel=1e-12)
    assert {(v.dtype, v.shape) for v in values} == {(torch.float64, torch.Size([]))}


@given(st.lists(st.floats(0.001, 10), min_size=2, max_size=6))
def test_unsquared_it_keeps_the_bound_of_the_paper(scales: list[float]) -> None:
    """P1 eq. 12: at most the stride of the epoch, relative to that of the first one; and 1 at first."""
    values, _, walk = walked(nn.Linear(3, 2).double(), scales, "relative")
    strides = [distance(a, b) for a, b in zip(walk[1:], walk, strict=False)]
    assert float(values[0]) == 1
    for value, stride in zip(values, strides, strict=True):
        assert 0 <= float(value) <= stride / strides[0] * (1 + 1e-9)


def test_the_form_of_the_algorithm_has_a_sign() -> None:
    model = nn.Linear(2, 1, bias=False).double()
    signal = WeightChange("algorithm")
    model.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    state, found = signal.init(model), []
    for epoch, weights in enumerate([[3.0, 4.0], [3.0, 9.0], [3.0, 5.0]]):
        model.weight.data.copy_(torch.tensor([weights]))
        state, value = signal.update(state, at(model, epoch))
        found.append(None if value is None else float(value))
    assert found == [None, pytest.approx(25 / 25), pytest.approx((1 - 25) / 25)]


def test_in_single_precision_only_the_differences_are_rounded() -> None:
    """A sum of a million squares in float32 would show here."""
    model = nn.Linear(1000, 1000, bias=False)
    values, distances, walk = walked(model, [0.1, 1e-3], "relative")
    assert distances[1] == pytest.approx(distance(walk[2], walk[0]), rel=1e-8)
    assert float(values[1]) == pytest.approx(by_hand("relative", walk)[1], rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_there_is_no_value_before_something_has_moved(form: str) -> None:
    """An untrained network, or an epoch at a learning rate of 0: the first real move is the unit."""
    model, signal = net(dtype=torch.float64), WeightChange(form)  # type: ignore[arg-type]
    state = signal.init(model)
    for epoch in range(3):
        state, value = signal.update(state, at(model, epoch))
        assert value is None
        assert float(state["distance"]) == 0
    origin = entries(model)
    walk = [origin]
    for epoch in (3, 4):
        move(model, epoch, 0.1)
        state, value = signal.update(state, at(model, epoch))
        walk.append(entries(model))
        assert float(value or 0) == pytest.approx(by_hand(form, walk)[-1])


def test_buffers_and_frozen_parameters_do_not_count() -> None:
    model = net()
    model[0].weight.requires_grad_(False)
    signal = WeightChange()
    state = signal.init(model)
    assert {key for key in state if "/" in key} == {
        f"initial/{name}" for name in ("0.bias", "1.weight", "1.bias", "5.weight", "5.bias")
    }
    with torch.no_grad():
        model[0].weight.add_(1)
        model[1].running_mean.add_(1)
        state, value = signal.update(state, at(model, 1))
        assert value is None
        model[5].bias.add_(2)  # three classes
        model[0].weight.requires_grad_(True)  # what was frozen at first stays out
        state, _ = signal.update(state, at(model, 2))
    assert float(state["distance"]) == pytest.approx(math.sqrt(12))


def test_steps_are_not_looked_at() -> None:
    model, signal = net(), WeightChange()
    state = signal.init(model)
    seen = Observation(Moment(1, 3), "step", model, Classification(3))
    assert signal.update(state, seen) == (state, None)


def test_weights_that_are_not_finite_are_told_as_they_are() -> None:
    model, signal = net(), WeightChange()
    state = signal.init(model)
    with torch.no_grad():
        model[5].weight.fill_(math.nan)
    _, value = signal.update(state, at(model, 1))
    assert value is not None
    assert math.isnan(float(value))


def through_files(state: SignalState) -> SignalState:
    """The state as a checkpoint gives it back: contiguous tensors, and JSON."""
    tensors = {key: value.contiguous() for key, value in state.items() if isinstance(value, Tensor)}
    plain = json.loads(json.dumps({key: value for key, value in state.items() if key not in tensors}))
    return {**load(save(tensors)), **plain}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("form", FORMS)
def test_a_state_goes_through_files_at_any_time(form: str, layout: torch.memory_format) -> None:
    def values(interrupted: bool) -> list[float | None]:
        model = net().to(memory_format=layout)  # type: ignore[call-overload]
        signal = WeightChange(form)  # type: ignore[arg-type]
        state, found = signal.init(model), []
        for epoch in range(5):
            state = through_files(state) if interrupted else state
            state, value = signal.update(state, at(model, epoch))
            found.append(None if value is None else float(value))
            move(model, epoch, 0.1)
        return found

    assert values(True) == values(False)


def test_the_initial_values_are_a_copy() -> None:
    model, signal = net(), WeightChange()
    state = signal.init(model)
    kept = {key: value.clone() for key, value in state.items() if key.startswith("initial/")}
    move(model, 0, 1.0)
    signal.update(state, at(model, 1))
    assert all(torch.equal(state[key], value) for key, value in kept.items())


def test_another_network_is_refused() -> None:
    model, signal = net(), WeightChange()
    state = signal.init(model)
    model[5] = nn.Linear(27, 2)
    message = r"weight_change: parameter '5.weight' had shape \[3, 27\] when the run began and has shape \[2, 27\] now"
    with pytest.raises(SignalError, match=message):
        signal.update(state, at(model, 1))
    with pytest.raises(SignalError, match=r"'0.weight' had shape \[3, 1, 3, 3\] .* and is there no more"):
        signal.update(state, at(nn.Linear(2, 2), 1))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SignalError, match=r"unknown form 'square'; choices: .*; did you mean 'squared'\?"):
        WeightChange("square")  # type: ignore[arg-type]
    with pytest.raises(SignalError, match="weight_change: the model has no trainable parameters"):
        WeightChange().init(nn.Linear(2, 2).requires_grad_(False))
