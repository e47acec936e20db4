"""Dropped weights stay at exactly zero, whatever the optimiser does, and nothing else changes."""

import copy
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from secateurs.core import PruningError, generator_for, prunable
from secateurs.how import Enforcement, Mask, apply, enforce, keep_top

OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "sgd": lambda p: SGD(p, lr=0.1, weight_decay=0.1, foreach=False),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.1, foreach=False),
    "nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
    "ascent": lambda p: SGD(p, lr=0.01, momentum=0.9, maximize=True),
    "adam": lambda p: Adam(p, lr=0.01, weight_decay=0.1, foreach=False),
    "adam foreach": lambda p: Adam(p, lr=0.01, amsgrad=True, foreach=True),
    "adamw": lambda p: AdamW(p, lr=0.01, weight_decay=0.1),
    "adamw fused": lambda p: AdamW(p, lr=0.01, fused=True),
    "rmsprop": lambda p: RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "adagrad": lambda p: Adagrad(p, lr=0.1, initial_accumulator_value=0.1),
}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def network(device: str = "cpu") -> nn.Sequential:
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    generator = generator_for("weights")
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    return net.to(device)


def half(model: nn.Module) -> Mask:
    generator = generator_for("mask")
    return keep_top({name: torch.rand(p.shape, generator=generator) for name, p in prunable(model).items()}, 0.5)


def train(model: nn.Module, optimizer: Optimizer, steps: int) -> Iterator[int]:
    device = next(model.parameters()).device
    for step in range(steps):
        generator = generator_for("data", step)
        inputs = torch.randn(8, 2, 6, 6, generator=generator).to(device)
        targets = torch.randint(3, (8,), generator=generator).to(device)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        yield step


def assert_masked(model: nn.Module, optimizer: Optimizer, mask: Mapping[str, Tensor]) -> None:
    """Weights, gradients and every state tensor of their shape are +0.0 where dropped, and somewhere not elsewhere."""
    for name, parameter in model.named_parameters():
        if name not in mask:
            continue
        kept = mask[name].to(parameter.device)
        state = optimizer.state.get(parameter, {}).values()
        alike = [value for value in state if isinstance(value, Tensor) and value.shape == parameter.shape]
        for tensor in [parameter.detach(), *([] if parameter.grad is None else [parameter.grad]), *alike]:
            assert torch.equal(tensor[~kept], torch.zeros_like(tensor[~kept]))
            assert not torch.signbit(tensor[~kept]).any()
        assert parameter[kept].count_nonzero() == kept.sum()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_dropped_weights_stay_zero_through_training_and_loading(name: str, device: str) -> None:
    model = network(device)
    optimizer, mask = OPTIMIZERS[name](model.parameters()), half(model)
    for _ in train(model, optimizer, 3):  # momentum that would revive what is dropped next
        pass
    dense = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    with enforce(model, optimizer, mask):
        assert_masked(model, optimizer, mask)
        for _ in train(model, optimizer, 20):
            assert_masked(model, optimizer, mask)
        optimizer.load_state_dict(dense[1])
        assert_masked(model, optimizer, mask)
        model.load_state_dict(dense[0])
        assert_masked(model, optimizer, mask)
        for _ in train(model, optimizer, 5):
            assert_masked(model, optimizer, mask)


def test_kept_weights_train_as_if_the_model_were_sparse_by_itself() -> None:
    """The oracle multiplies by the mask in the forward pass, where dropped weights take no part."""
    model, oracle = nn.Linear(6, 4), nn.Linear(6, 4)
    oracle.load_state_dict(model.state_dict())
    mask = half(model)
    enforced, plain = SGD(model.parameters(), lr=0.1, momentum=0.9), SGD(oracle.parameters(), lr=0.1, momentum=0.9)
    with enforce(model, enforced, mask):
        for step in range(10):
            x = torch.randn(5, 6, generator=generator_for("x", step))
            for optimizer, output in (
                (enforced, model(x)),
                (plain, F.linear(x, oracle.weight * mask["weight"], oracle.bias)),
            ):
                optimizer.zero_grad()
                output.square().mean().backward()
                optimizer.step()
    torch.testing.assert_close(model.weight, oracle.weight * mask["weight"])
    torch.testing.assert_close(model.bias, oracle.bias)


def test_clipping_and_accumulation_see_masked_gradients() -> None:
    model = nn.Linear(4, 1, bias=False)
    optimizer = SGD(model.parameters(), lr=0.1)
    with enforce(model, optimizer, {"weight": torch.tensor([[1, 0, 0, 1]])}):
        for _ in range(2):
            model(torch.tensor([[3.0, 100.0, 100.0, 4.0]])).sum().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert norm.item() == pytest.approx(10.0)
    torch.testing.assert_close(model.weight.grad, torch.tensor([[0.6, 0.0, 0.0, 0.8]]))


def test_gradients_that_stand_already_are_masked_on_entry() -> None:
    model = nn.Linear(2, 1, bias=False)
    model(torch.ones(1, 2)).sum().backward()
    with enforce(model, SGD(model.parameters(), lr=0.1), {"weight": torch.tensor([[1, 0]])}):
        assert torch.equal(model.weight.grad, torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nan_where_nothing_is_left_does_no_harm(name: str) -> None:
    model = nn.Linear(3, 2)
    optimizer, mask = OPTIMIZERS[name](model.parameters()), Mask({"weight": torch.tensor([[1, 0, 1], [0, 1, 1]])})
    with enforce(model, optimizer, mask):
        for _ in range(3):
            optimizer.zero_grad()
            # The product with NaN is differentiated to a NaN gradient for the dropped weights alone.
            factor = torch.tensor([[1.0, float("nan"), 2.0], [float("inf"), 1.0, 2.0]])
            (model.weight * factor).sum().backward()
            optimizer.step()
            assert_masked(model, optimizer, mask)
    assert model.weight.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_bit_is_cleared_in_every_dtype(dtype: torch.dtype) -> None:
    model = nn.Linear(4, 2, dtype=dtype)
    values = [float("nan"), float("-inf"), -0.0, -1.5]
    with torch.no_grad():
        model.weight.copy_(torch.tensor([values, values]))
    apply(model, {"weight": torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1]])})
    assert model.weight[0].tolist() == [0.0] * 4
    assert not model.weight[0].signbit().any()
    assert str(model.weight[1].tolist()) == str(values)


def test_state_in_another_dtype_than_the_weight() -> None:
    model = nn.Linear(2, 1, dtype=torch.bfloat16)
    optimizer = SGD(model.parameters(), lr=0.1)
    optimizer.state[model.weight] = {"master": torch.ones(1, 2), "steps": torch.ones(1, 2, dtype=torch.int64), "n": 3}
    with enforce(model, optimizer, {"weight": torch.tensor([[1, 0]])}):
        assert [v.tolist() for v in list(optimizer.state[model.weight].values())[:2]] == [[[1.0, 0.0]], [[1, 0]]]


def test_a_step_with_gradients_set_by_hand_is_masked_too() -> None:
    model = nn.Linear(3, 1, bias=False)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    with enforce(model, optimizer, {"weight": torch.tensor([[0, 1, 1]])}):
        model.weight.grad = torch.ones(1, 3)
        optimizer.step()
    assert model.weight[0, 0] == 0
    assert optimizer.state[model.weight]["momentum_buffer"].tolist() == [[0.0, 1.0, 1.0]]


def hooks(model: nn.Module, optimizer: Optimizer) -> int:
    """How many hooks stand on the model, its parameters and the optimiser."""
    dictionaries = [*optimizer.__dict__.items()]
    dictionaries += [item for module in model.modules() for item in module.__dict__.items()]
    found = sum(len(value) for name, value in dictionaries if name.endswith("_hooks"))
    return found + sum(len(p._post_accumulate_grad_hooks or {}) for p in model.parameters())


def test_removal_leaves_no_hooks_and_lets_weights_grow_again() -> None:
    model = network()
    optimizer, mask = SGD(model.parameters(), lr=0.1), half(model)
    before = hooks(model, optimizer)
    enforcement = enforce(model, optimizer, mask)
    assert hooks(model, optimizer) > before
    enforcement.remove()
    enforcement.remove()
    assert hooks(model, optimizer) == before
    with pytest.raises(ZeroDivisionError), enforce(model, optimizer, mask):
        raise ZeroDivisionError
    assert hooks(model, optimizer) == before
    for _ in train(model, optimizer, 1):
        assert model[4].weight.count_nonzero() > mask["4.weight"].sum()


def test_nothing_is_stored() -> None:
    model, plain = network(), network()
    optimizer, other = Adam(model.parameters()), Adam(plain.parameters())
    with enforce(model, optimizer, half(model)):
        for _ in zip(train(model, optimizer, 1), train(plain, other, 1), strict=True):
            pass
        assert model.state_dict().keys() == plain.state_dict().keys()
        state, expected = optimizer.state_dict(), other.state_dict()
    assert state["param_groups"] == expected["param_groups"]
    assert {k: set(v) for k, v in state["state"].items()} == {k: set(v) for k, v in expected["state"].items()}


def test_copies_of_an_enforced_model_are_free() -> None:
    model = network()
    optimizer, ones = SGD(model.parameters(), lr=0.1), {k: torch.ones_like(v) for k, v in model.state_dict().items()}
    with enforce(model, optimizer, half(model)):
        before = copy.deepcopy(model.state_dict())
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        for free in (copy.deepcopy((model, optimizer))[0], torch.load(file, weights_only=False)):
            free.load_state_dict(ones)
            assert all((p == 1).all() for p in free.parameters())
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_loading_only_a_part_of_the_model_is_masked_too() -> None:
    model = network()
    optimizer, mask = SGD(model.parameters(), lr=0.1), half(model)
    with enforce(model, optimizer, mask):
        model[4].load_state_dict({"weight": torch.ones(3, 64), "bias": torch.ones(3)})
        assert torch.equal(model[4].weight.ne(0), mask["4.weight"])


def test_parameters_replaced_by_loading_are_not_lost_silently() -> None:
    model = network()
    with (
        enforce(model, SGD(model.parameters(), lr=0.1), half(model)),
        pytest.raises(PruningError, match=r"replaced '0\.weight'.*without assign"),
    ):
        model.load_state_dict(network().state_dict(), assign=True)


def test_frozen_and_shared_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[0].weight.requires_grad_(False)
    model[2].weight = model[1].weight
    optimizer = SGD([model[1].weight], lr=0.1, momentum=0.9)
    keep = torch.tensor([[1, 0], [0, 1]])
    with enforce(model, optimizer, {"0.weight": keep, "2.weight": keep}):
        for _ in range(2):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
    for layer in model:
        assert torch.equal(layer.weight.ne(0), keep.bool())


@pytest.mark.parametrize("put", [apply, lambda model, mask: enforce(model, SGD(model.parameters(), lr=0.1), mask)])
def test_masks_that_do_not_fit_are_refused_and_nothing_is_touched(
    put: Callable[[nn.Module, Mapping[str, Tensor]], Enforcement | None],
) -> None:
    model = nn.Linear(3, 2)
    before = copy.deepcopy(model.state_dict())
    good = {"bias": torch.zeros(2)}
    with pytest.raises(PruningError, match=r"no parameter 'wieght'.*did you mean 'weight'"):
        put(model, {**good, "wieght": torch.zeros(2, 3)})
    with pytest.raises(PruningError, match=r"'weight' has shape \(2, 3\) in the model but \(3, 2\)"):
        put(model, {**good, "weight": torch.zeros(3, 2)})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_that_are_not_real_numbers_are_refused() -> None:
    with pytest.raises(PruningError, match=r"'weight' holds torch\.complex64"):
        apply(nn.Linear(2, 1, dtype=torch.complex64), {"weight": torch.ones(1, 2)})


def test_an_optimizer_of_another_model_is_refused() -> None:
    model = network()
    with pytest.raises(PruningError, match=r"does not hold '0\.weight'"):
        enforce(model, SGD(network().parameters(), lr=0.1), half(model))


@pytest.mark.parametrize("device", DEVICES)
def test_apply_zeroes_in_place_and_keeps_the_layout(device: str) -> None:
    model = network(device).to(memory_format=torch.channels_last)
    mask, weight = half(model), model[0].weight
    before = weight.detach().clone()
    apply(model, mask)
    assert model[0].weight is weight
    assert weight.stride() == before.stride()
    assert torch.equal(weight, before * mask["0.weight"].to(device))
    assert_masked(model, SGD(model.parameters(), lr=0.1), mask)
