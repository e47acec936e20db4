"""Statistics of batch norms: means over all examples, exactly; layer by layer what one big batch gives."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import Batch, DataError, MeasureError
from secateurs.measure import bn_statistics
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, generator, net, unchanged

TASK = Classification(CLASSES)


def examples(n: int = 23) -> Fixed:
    inputs = torch.rand(n, 1, 6, 6, generator=generator(4), dtype=torch.float64)
    inputs[::2] *= 3  # batches differ
    return Fixed(inputs, torch.arange(n) % CLASSES)


def deep(seed: int = 0) -> nn.Module:
    """Three norms one behind the other and one beside, dropout that must not draw, a norm that is never called."""

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.one = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=None)
            self.second, self.two = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
            self.beside, self.three = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, affine=False)
            self.last, self.four = nn.Linear(16, CLASSES), nn.BatchNorm1d(CLASSES)
            self.drop, self.idle = nn.Dropout(0.5), nn.BatchNorm1d(2)

        def forward(self, x: Tensor) -> Tensor:
            h = self.drop(torch.relu(self.one(self.first(x))))
            h = torch.relu(self.two(self.second(h))) + self.three(self.beside(h))
            return self.four(self.last(h.flatten(1)))

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = Deep().double()
        for norm in (model.one, model.two):
            norm.weight.data.uniform_(0.5, 2)
            norm.bias.data.normal_()
    return model


def one_big_batch(model: nn.Module, data: Fixed) -> dict[str, Tensor]:
    """What torch keeps of a training step on everything, when nothing of before counts."""
    twin = copy.deepcopy(model).eval()
    for module in twin.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
            module.momentum = 1.0
    with torch.no_grad():
        twin(data.inputs)
    return {name: value for name, value in twin.named_buffers() if "running" in name and "idle" not in name}


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert sorted(found) == sorted(expected)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(st.integers(2, 30), st.integers(1, 40))
def test_a_first_norm_gets_the_mean_over_all_examples(n: int, batch_size: int) -> None:
    """In one pass, whatever the batches: examples count alike."""
    data, model = examples(n), net(dtype=torch.float64)
    with unchanged(model):
        found = bn_statistics(model, TASK, data, batch_size=batch_size)
    inputs = model[0](data.inputs).detach()
    same(found, {"1.running_mean": inputs.mean((0, 2, 3)), "1.running_var": inputs.var((0, 2, 3), correction=1)})


@pytest.mark.parametrize("batch_size", [1, 4, 11, 22, 23, 512])
def test_layer_by_layer_it_is_one_big_batch(batch_size: int) -> None:
    model, data = deep(), examples()
    with unchanged(model):
        found = bn_statistics(model, TASK, data, exact=True, batch_size=batch_size)
    same(found, one_big_batch(model, data))


def test_one_batch_is_exact_in_one_pass() -> None:
    model, data = deep(), examples()
    with unchanged(model):
        same(bn_statistics(model, TASK, data), one_big_batch(model, data))
    assert data.taken == 23


def test_in_one_pass_each_batch_is_normalised_by_itself() -> None:
    """The definition, with loops: inputs of a layer behind norms of the batch, pooled over batches."""
    model, data = deep(), examples()
    found = bn_statistics(model, TASK, data, batch_size=8)
    inputs: list[Tensor] = []
    twin = copy.deepcopy(model).eval()
    for module in twin.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    twin.two.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    with torch.no_grad():
        for start in range(0, 23, 8):
            twin(data.inputs[start : start + 8])
    every = torch.cat(inputs)
    torch.testing.assert_close(found["two.running_mean"], every.mean((0, 2, 3)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found["two.running_var"], every.var((0, 2, 3), correction=1), rtol=1e-12, atol=1e-12)


def test_it_can_be_loaded_and_is_a_fixed_point() -> None:
    model, data = deep(), examples()
    found = bn_statistics(model, TASK, data, exact=True)
    model.load_state_dict(found, strict=False)
    same(bn_statistics(model, TASK, data, exact=True), found)


def test_float32_is_pooled_in_float64() -> None:
    model, data = net(), examples(400)
    data.inputs = data.inputs.float() + 100
    found = bn_statistics(model, TASK, data, batch_size=3)
    exact = bn_statistics(model.double(), TASK, Fixed(data.inputs.double(), data.targets))
    for name, value in found.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), exact[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_moments_are_of_the_inputs_as_they_are_not_rounded_to_their_dtype(dtype: torch.dtype) -> None:
    inputs = (torch.randn(64, 3, 4, 4, generator=generator(1)) + 20).to(dtype)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, CLASSES)).to(dtype)
    model[0].float()
    found = bn_statistics(model, TASK, Fixed(inputs, torch.arange(64) % CLASSES), batch_size=16)
    exact = inputs.double()
    torch.testing.assert_close(found["0.running_mean"].double(), exact.mean((0, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(found["0.running_var"].double(), exact.var((0, 2, 3)), rtol=1e-6, atol=0)


def test_nothing_to_do_without_norms_that_keep_statistics() -> None:
    keeping_none = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten(), nn.Linear(36, 3)).double()
    assert bn_statistics(keeping_none, TASK, examples()) == {}
    assert bn_statistics(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double(), TASK, examples()) == {}


def test_a_single_example_left_over_joins_the_others() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.BatchNorm1d(3)).double()
    found = bn_statistics(model, TASK, examples(9), batch_size=4)  # 4 + 4 + 1 could not be normalised
    inputs = model[1](examples(9).inputs.flatten(1))
    torch.testing.assert_close(found["2.running_mean"], inputs.mean(0), rtol=1e-12, atol=1e-12)


def test_what_has_no_variance_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36)).double()
    for data, options, message in (
        (examples(1), {}, "one example has no variance"),
        (examples(0), {}, "no examples"),
        (list(examples(5).batches(4)), {}, "a batch of one example has no variance"),
        (list(examples(1).batches(1)), {"exact": True}, "saw one value a channel"),
    ):
        with unchanged(model), pytest.raises(DataError, match=message):
            bn_statistics(model, TASK, data, **options)  # type: ignore[arg-type]


def test_a_norm_used_twice_has_no_layer_by_layer() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.norm(x).square()).flatten(1)[:, :CLASSES]

    model = Twice()
    with unchanged(model), pytest.raises(MeasureError, match=r"'norm' is used 2 times in a pass.*exact=False"):
        bn_statistics(model, TASK, examples(), exact=True)
    assert set(bn_statistics(model, TASK, examples())) == {"norm.running_mean", "norm.running_var"}


def test_a_failure_inside_leaves_no_trace() -> None:
    class Breaking(Classification):
        def output(self, model: nn.Module, batch: Batch) -> Any:
            super().output(model, batch)
            raise ZeroDivisionError

    model = deep()
    for exact in (False, True):
        with unchanged(model), pytest.raises(ZeroDivisionError):
            bn_statistics(model, Breaking(CLASSES), examples(), exact=exact)
