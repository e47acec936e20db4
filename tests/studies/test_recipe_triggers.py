"""Triggers in recipes: they follow from the run, and lie inside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from secateurs.core import RecipeError
from secateurs.studies import EarlyPeriods, check, load_recipe
from secateurs.when import At, any_of, default_trigger, early_crop_trigger

Make = Callable[..., EarlyPeriods]


def test_triggers_that_follow_from_the_run(recipe: Make) -> None:
    options = {"name": "any_of", "of": ["early_crop", {"name": "at", "moment": "100%"}]}
    made = recipe(
        train={"epochs": 8},
        signals=["weight_change", "mask_distance"],
        triggers={"middle": {"name": "at", "moment": "10%"}, "either": options, "usual": "default", "dice": "random"},
    )
    assert made.trigger("middle") == At("1ep")
    assert made.trigger("either") == any_of(early_crop_trigger(0.3, 8), At("8ep"))
    assert made.trigger("usual") == default_trigger(epochs=8)
    assert len({made.trigger("dice", seed) for seed in range(40)}) == 8
    assert check(made.model_dump(mode="json"), "again") == made


def test_a_run_that_does_not_suit_a_trigger(recipe: Make) -> None:
    change = {
        "train": {"epochs": 1},
        "moments": [0],
        "signals": ["weight_change"],
        "triggers": {"middle": "early_crop"},
    }
    with pytest.raises(RecipeError, match=r"triggers\.middle: early_crop_trigger: density must lie in .*epochs=1"):
        recipe(**change)


@pytest.mark.parametrize("option", ["moment=9ep", "no_later_than=9ep"])
def test_a_trigger_beyond_the_run_is_refused(option: str) -> None:
    key = option.split("=")[0]
    with pytest.raises(RecipeError, match=rf"triggers.halfway.{key}: 9ep lies outside the run of 4 epochs"):
        load_recipe("demo", "smoke", [f"triggers.halfway.{option}"])
