"""Removing is masking: over structures, the whole zoo, and random networks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from channel_nets import STRUCTURES, assert_removed_is_masked, prepared, some, structure
from secateurs.core import Spec
from secateurs.how import channel_groups
from secateurs.zoo import MODELS, build_model

SMALL = {name: {"width": 4} for name in MODELS} | {"lenet_300_100": {"hidden": (9, 7)}}


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_output_is_that_of_the_masked_network(name: str) -> None:
    model, x = structure(name)
    groups = channel_groups(model, x)
    assert {group.name: group.units for group in groups} == STRUCTURES[name].units
    for seed in range(3):
        assert_removed_is_masked(model, some(groups, seed), x)


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_was_cut_can_be_cut_again(name: str) -> None:
    model, x = structure(name)
    small = assert_removed_is_masked(model, some(channel_groups(model, x), 1, share=0.8), x)
    assert_removed_is_masked(small, some(channel_groups(small, x), 2), x)


@pytest.mark.parametrize("name", MODELS)
def test_the_output_is_that_of_the_masked_network_for_the_zoo(name: str) -> None:
    model = prepared(build_model(Spec(name, SMALL[name]), (3, 32, 32), 10, seed=0))
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert_removed_is_masked(model, some(channel_groups(model, x[:1]), 0), x)


LAYERS = st.sampled_from(
    ["conv", "norm", "residual", "dense", "depthwise", "grouped", "groupnorm", "relu", "gate", "pool"]
)


class Random(nn.Module):
    """A stack of layers, each of them what its word says; then flattened, or averaged, into Linear layers."""

    def __init__(self, words: list[str], width: int, flatten: bool) -> None:
        super().__init__()
        self.words, self.flatten, self.layers = words, flatten, nn.ModuleList([nn.Conv2d(2, width, 3, padding=1)])
        for word in words:
            if word in ("conv", "residual", "gate"):
                self.layers.append(nn.Conv2d(width, width, 3, padding=1, bias=word == "conv"))
            elif word == "dense":
                self.layers.append(nn.Conv2d(width, 2, 1))
                width += 2
            elif word == "depthwise":
                self.layers.append(nn.Conv2d(width, width, 3, padding=1, groups=width))
            elif word == "grouped":
                self.layers.append(nn.Conv2d(width, width, 1, groups=2))
            elif word == "norm":
                self.layers.append(nn.BatchNorm2d(width))
            elif word == "groupnorm":
                self.layers.append(nn.GroupNorm(2, width))
            else:
                self.layers.append(nn.ReLU() if word == "relu" else nn.AvgPool2d(3, 1, 1))
        self.hidden, self.out = nn.Linear(width * (16 if flatten else 1), 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[0](x)
        for word, layer in zip(self.words, list(self.layers)[1:], strict=True):
            y = layer(x)
            if word == "residual":
                y = x + F.relu(y)
            elif word == "dense":
                y = torch.cat([y, x], 1)
            elif word == "gate":
                y = x * torch.sigmoid(y)
            x = y
        x = x.flatten(1) if self.flatten else x.mean((2, 3))
        return self.out(F.relu(self.hidden(x)))


@settings(max_examples=30)
@given(st.lists(LAYERS, max_size=7), st.sampled_from([2, 4, 6]), st.booleans(), st.integers(0, 1000))
def test_the_output_is_that_of_the_masked_network_for_random_networks(
    words: list[str], width: int, flatten: bool, seed: int
) -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model, x = prepared(Random(words, width, flatten), seed), torch.randn(2, 2, 4, 4, dtype=torch.float64)
    keep = some(channel_groups(model, x), seed)
    assert_removed_is_masked(model, keep, x)
