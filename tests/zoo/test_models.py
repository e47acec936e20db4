"""One contract for every network of the zoo."""

from __future__ import annotations

import importlib
import inspect
import re
import typing

import pytest
import torch
from torch import nn

from secateurs.core import Spec, TrainingError, prunable
from secateurs.zoo import MODELS, build_model
from secateurs.zoo.models import BasicBlock
from toys import content, generator, same_bits, surroundings
from zoo_specs import SHAPE, small

contract = pytest.mark.parametrize("name", MODELS)


@contract
def test_it_is_the_function_of_its_name(name: str) -> None:
    """As documentation, error messages and pickle find it, also where a factory has made it."""
    function = MODELS[name]
    assert function.__name__ == function.__qualname__ == name
    assert getattr(importlib.import_module(function.__module__), name) is function
    assert typing.get_type_hints(function)["return"] is nn.Module
    assert inspect.getdoc(function)


@contract
def test_it_maps_images_to_logits_each_by_itself(name: str) -> None:
    model = build_model(small(name, 2), SHAPE, 7, seed=0).double().eval()
    x = torch.randn(3, *SHAPE, dtype=torch.float64, generator=generator(1))
    logits = model(x)
    assert logits.shape == (3, 7)
    assert bool(logits.isfinite().all())
    one_by_one = torch.cat([model(each.unsqueeze(0)) for each in x])
    torch.testing.assert_close(one_by_one, logits, rtol=1e-10, atol=1e-10)


@contract
def test_initial_weights_follow_from_the_seed_alone(name: str) -> None:
    around = surroundings()
    one, again, other = (build_model(small(name, 2), SHAPE, 7, seed=seed) for seed in (3, 3, 4))
    assert surroundings() == around
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(77)
        later = build_model(small(name, 2), SHAPE, 7, seed=3)
    assert same_bits(one, again)
    assert same_bits(one, later)
    for key, p in prunable(one).items():
        assert content(p) != content(prunable(other)[key])


@contract
def test_it_is_ready_to_be_trained_and_pruned(name: str) -> None:
    model = build_model(small(name, 2), SHAPE, 7, seed=0)
    assert all(module.training for module in model.modules())
    weights = prunable(model)
    assert [p.ndim for p in weights.values()] == [
        4 if isinstance(m, nn.Conv2d) else 2 for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    loss = nn.functional.cross_entropy(model(torch.randn(4, *SHAPE, generator=generator(2))), torch.arange(4))
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


@contract
def test_nothing_in_it_is_random_but_its_initial_weights(name: str) -> None:
    """Dropout, say, would draw from the global state: two runs of one spec would differ."""
    model, around = build_model(small(name, 2), SHAPE, 7, seed=0).train(), surroundings()
    model(torch.randn(2, *SHAPE, generator=generator(2)))
    assert surroundings() == around


@contract
def test_its_options_are_keywords_with_defaults(name: str) -> None:
    _, _, *options = inspect.signature(MODELS[name]).parameters.values()
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    assert all(option.default is not option.empty for option in options)


def test_an_unknown_network_is_refused_with_the_choices() -> None:
    message = f"no network is named 'resnet8'; choices: {', '.join(sorted(MODELS))}; did you mean "
    with pytest.raises(TrainingError, match=re.escape(message)):
        build_model(Spec("resnet8"), SHAPE, 7, seed=0)


@pytest.mark.parametrize(("channels_in", "channels", "stride"), [(2, 2, 1), (2, 5, 2), (3, 4, 1), (2, 2, 2)])
def test_the_shortcut_without_parameters(channels_in: int, channels: int, stride: int) -> None:
    block = BasicBlock(channels_in, channels, stride).eval()
    for p in block.bn2.parameters():
        nn.init.zeros_(p)  # the residual branch gives nothing: what is left is ReLU(shortcut)
    x = torch.rand(2, channels_in, 4, 6, generator=generator(1))
    found = block(x)
    extra = channels - channels_in
    expected = torch.zeros(2, channels, 4 // stride, 6 // stride)
    expected[:, extra // 2 : extra // 2 + channels_in] = x[:, :, ::stride, ::stride]
    assert torch.equal(found, expected)


def test_lenet_is_as_large_as_in_print() -> None:
    model = build_model(Spec("lenet_300_100"), (1, 28, 28), 10, seed=0)
    assert sum(p.numel() for p in model.parameters()) == 266_610
    assert [tuple(p.shape) for p in prunable(model).values()] == [(300, 784), (100, 300), (10, 100)]
