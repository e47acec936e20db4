"""Removing is masking: over structures and random networks (test_zoo.py: over the zoo)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from channel_nets import STRUCTURES, assert_removed_is_masked, prepared, some, structure
from secateurs.how import channel_groups
from transformer_nets import Attention


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


BLOCKS = st.sampled_from(["attention", "fused", "shared", "biased", "masked", "mlp", "gated", "norm", "lstm", "torch"])


class Words(nn.Module):
    """Blocks in a row or around shortcuts, each of them what its word says; tied to the embedding or not."""

    def __init__(self, blocks: list[tuple[str, bool]], width: int, tied: bool) -> None:
        super().__init__()
        self.blocks, self.layers = blocks, nn.ModuleList()
        self.words, self.places = nn.Embedding(7, width), nn.Parameter(torch.randn(9, width))
        for word, _ in blocks:
            if word in ("attention", "fused", "biased", "masked"):
                self.layers.append(Attention(width, 2, fused=word == "fused", bias=word == "biased"))
            elif word == "shared":
                self.layers.append(Attention(width, 4, shared=2))
            elif word == "norm":
                self.layers.append(nn.LayerNorm(width))
            elif word == "lstm":
                self.layers.append(nn.LSTM(width, width, batch_first=True))
            elif word == "torch":
                self.layers.append(nn.TransformerEncoderLayer(width, 2, 5, dropout=0.0, batch_first=True))
            else:
                self.layers.append(nn.Linear(width, 6))
                self.layers[-1].add_module("back", nn.Linear(3 if word == "gated" else 6, width))
        self.out = nn.Linear(width, 7, bias=not tied)
        if tied:
            self.out.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.words(x) + self.places[: x.shape[1]]
        for (word, shortcut), layer in zip(self.blocks, self.layers, strict=True):
            if word == "masked":
                y = layer(x, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril())
            elif word == "lstm":
                y = layer(x)[0]
            elif word == "mlp":
                y = layer.back(F.gelu(layer(x)))
            elif word == "gated":
                a, b = layer(x).chunk(2, -1)
                y = layer.back(F.silu(a) * b)
            else:
                y = layer(x)
            x = x + y if shortcut else y
        return self.out(x)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(BLOCKS, st.booleans()), max_size=4), st.sampled_from([4, 6]), st.booleans(), st.integers(0, 1000)
)
def test_the_output_is_that_of_the_masked_network_for_random_networks_of_words(
    blocks: list[tuple[str, bool]], width: int, tied: bool, seed: int
) -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model, x = prepared(Words([*blocks, ("mlp", True)], width, tied), seed), torch.randint(0, 7, (2, 5))
    keep = some(channel_groups(model, x), seed)
    small = assert_removed_is_masked(model, keep, x)
    if any(kept.sum() > 1 for kept in keep.values()):
        assert_removed_is_masked(small, some(channel_groups(small, x), seed + 1), x)
