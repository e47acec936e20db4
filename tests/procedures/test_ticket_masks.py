"""The masks of levels: how many weights each keeps of the original number, and which."""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor
from typing import Any

import pytest
import torch

from secateurs.core import PruningError, TrainState, prunable
from secateurs.how import Mask, imp
from secateurs.procedures import MaskSettings, kept_by_level, next_mask
from secateurs.train import TrainSettings, begin, train
from toys import RESNET, toy_data, unchanged

DATA = toy_data()
SETTINGS = TrainSettings(epochs=4, batch_size=16, lr=0.05)
MAGNITUDE = MaskSettings()


def at(moment: str) -> TrainState:
    return train(begin(RESNET, DATA, SETTINGS, init_seed=1), DATA, SETTINGS, until=moment)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_ten_levels_keep_what_the_rule_says_of_the_original_number(scope: Any) -> None:
    state, settings = at("1ep"), MaskSettings(scope=scope)
    weights, masks = prunable(state.model), list[Mask]()
    with unchanged(state.model):
        for density in imp(10):
            masks.append(next_mask(state.model, DATA, settings, density, within=masks[-1] if masks else None))
    sizes = [weight.numel() for weight in weights.values()] if scope == "layer" else [masks[0].total]
    for level, mask in enumerate(masks, start=1):
        share = Fraction(4, 5) ** level
        assert mask.kept == sum(floor(share * size + Fraction(1, 2)) for size in sizes)
        assert level == 1 or mask & masks[level - 2] == mask
    assert kept_by_level(weights, imp(10), scope) == tuple(mask.kept for mask in masks)


def test_a_level_drops_the_smallest_of_what_is_left() -> None:
    """Sorted by hand: of weights that grew since, those that an earlier level dropped stay out."""
    early, late = at("0ep").model, at("4ep").model
    first = next_mask(early, DATA, MAGNITUDE, 0.8)
    second = next_mask(late, DATA, MAGNITUDE, 0.64, within=first)
    sizes = torch.cat([weight.detach().abs().flatten() for weight in prunable(late).values()])
    alive = torch.cat([first[name].flatten() for name in prunable(late)])
    order = torch.where(alive, sizes, -1.0).sort(descending=True, stable=True).indices[: second.kept]
    assert sorted(order.tolist()) == torch.cat([second[name].flatten() for name in first]).nonzero().flatten().tolist()


def test_what_was_dropped_does_not_come_back() -> None:
    settings = MaskSettings(score="snip", revive=True, schedule="exponential")
    with pytest.raises(PruningError, match=r"prune.revive: .* leave revive out"):
        next_mask(at("0ep").model, DATA, settings, 0.5)


@pytest.mark.parametrize(
    ("densities", "told"),
    [
        ((), "levels: there is none"),
        ((0.5, 0.04), "level 2 leaves nothing: density 0.04 keeps 0 of 12 weights: ask for fewer levels than 2"),
        ((0.5, 0.51), "level 2 drops nothing: density 0.51 keeps 6 of 12 weights, no fewer than before"),
        ((0.5, 0.7), "level 2 drops nothing: density 0.7 keeps 8 of 12 weights"),
        ((1.0,), "level 1 drops nothing: density 1 keeps 12 of 12 weights"),
    ],
)
def test_levels_that_cannot_be_are_refused(densities: tuple[float, ...], told: str) -> None:
    weights = {"a": torch.empty(3, 2), "b": torch.empty(6)}
    with pytest.raises(PruningError, match=re.escape(told)):
        kept_by_level(weights, densities)
