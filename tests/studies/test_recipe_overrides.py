"""Overrides: how they are written, laid on one another, and refused where they would have no effect."""

from __future__ import annotations

import re
from typing import Any

import pytest

from secateurs.core import RecipeError
from secateurs.studies import load_recipe
from secateurs.studies.merging import merge
from secateurs.studies.recipe import parse_overrides
from secateurs.train import Adam, Cosine


@pytest.mark.parametrize("text", ["train.lr", "", "=3", ".lr=1", "train..lr=1", "train.=1"])
def test_overrides_of_another_form(text: str) -> None:
    message = f"recipe demo: override {text!r} is not of the form key.path=value"
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_recipe("demo", "smoke", [text])


@pytest.mark.parametrize("text", ["train={lr: 1, lr: 2}", "train.lr=[1", "train.lr=a: b: c", "title='"])
def test_overrides_that_are_no_yaml(text: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(f"override {text!r}, line ") + r"\d+: not valid YAML: "):
        load_recipe("demo", "smoke", [text])


def test_overrides_are_laid_on_one_another() -> None:
    found = parse_overrides(["train.lr=0.3", "train.epochs=4", "train.lr=0.5", "title=a=b", "seeds=[1, 2]"], "x")
    assert found == {"train": {"lr": 0.5, "epochs": 4}, "title": "a=b", "seeds": [1, 2]}
    made = load_recipe("demo", "smoke", ["train.lr=5e-1", "train.optimizer.name=adam", "train.schedule.name=cosine"])
    assert made.train.lr == 0.5
    assert made.train.optimizer == Adam()  # of another optimiser nothing is left
    assert made.train.schedule == Cosine()


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": {"name": "p", "x": 1}}, {"a": {"name": "q"}}, {"a": {"name": "q"}}),
        ({"a": {"name": "p", "x": 1}}, {"a": {"name": "p", "z": 2}}, {"a": {"name": "p", "x": 1, "z": 2}}),
        ({"a": "p"}, {"a": {"x": 1}}, {"a": {"name": "p", "x": 1}}),
        ({"a": "p"}, {"a": {"name": "q", "x": 1}}, {"a": {"name": "q", "x": 1}}),
        ({"a": {"x": 1}}, {"a": "p"}, {"a": "p"}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({}, {}, {}),
    ],
)
def test_merging(base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]) -> None:
    kept = repr((base, over))
    assert merge(base, over) == merged
    assert repr((base, over)) == kept


def test_null_takes_away_what_lies_below() -> None:
    recipe = load_recipe("demo", "smoke", ["triggers.peak of tr(F)=null", "triggers.peak of KL-uniform=null"])
    assert list(recipe.triggers) == ["halfway"]
    only = load_recipe("demo", "smoke", ["triggers=null", "signals=[kl_uniform]"])
    assert only.triggers == {}


@pytest.mark.parametrize("override", ["prune.density=0.3", "prune={density: 0.3}"])
def test_an_override_that_a_setting_hides_is_refused(override: str) -> None:
    with pytest.raises(RecipeError, match=r"prune.density: 2 settings say it too; override 'settings.80 % spars"):
        load_recipe("p0/fig5", "smoke", [override])
    assert load_recipe("p0/fig5", "smoke", ["train.lr=0.3"]).train.lr == 0.3


def test_all_settings_that_hide_an_override_are_told_at_once_as_a_shell_takes_them() -> None:
    with pytest.raises(RecipeError) as told:
        load_recipe("p2/fig4_15", "paper", ["levels=3", "rewind=[0]"])
    levels, rewind = str(told.value).splitlines()
    assert levels.startswith(
        "recipe p2/fig4_15: override levels: 8 settings say it too; override 'settings.LeNet, MNIST."
    )
    assert "'settings.VGG-16, CIFAR-10.levels=...' 'settings.VGG-16 low, CIFAR-10.levels=...'" in levels
    assert rewind.startswith("recipe p2/fig4_15: override rewind: 3 settings say it too")
