"""Recipes of regimes: every fault at once, with its path and what to do about it; what may grow."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from secateurs.core import RecipeError
from secateurs.studies import Regimes, check
from secateurs.studies.extending import differences
from secateurs.studies.merging import merge, without_nulls
from small_regimes import REGIMES, regimes


def faults(**changes: Any) -> list[str]:
    """Everything that is wrong with the recipe and the changes laid on it."""
    with pytest.raises(RecipeError) as raised:
        check(without_nulls(merge(deepcopy(REGIMES), changes), ("settings",)), "tiny")
    return [line.removeprefix("recipe tiny: ") for line in str(raised.value).splitlines()]


def test_a_recipe_says_what_p4_s_defaults_are() -> None:
    recipe = regimes(compare=None, copies=None, last_epochs=None, retrain=None, prune=None, train={"epochs": 5})
    assert isinstance(check(recipe.model_dump(mode="json"), "again"), Regimes)
    assert (recipe.prune.scope, recipe.copies, recipe.last_epochs) == ("layer", 3, 5)
    assert (recipe.threshold, recipe.similar_from) == (-0.05, 0.9)
    compare = recipe.compare
    assert (compare.ends, compare.probe, compare.points, compare.samples, compare.outputs, compare.resamples) == (
        *(True, None, 11, 6400, "softmax", 0),
    )
    assert recipe.retraining == recipe.train


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    told = faults(
        temperature={"values": [1, 3]},
        load={"name": "width", "values": [0.3, 1], "density": 0.5},
        copies=1,
        compare={"probe": "3ep"},
        last_epochs=3,
        tuning={"initial": 1, "raised": 5},
    )
    assert told == [
        "temperature.values: 3 lies outside the run of 2 epochs: stop earlier, or raise train.epochs",
        "load.values: 0.3 times the width 4 are 1.2 channels: choose factors that come to whole ones",
        "compare.probe: 3ep lies outside the run of 2 epochs of retraining",
        "last_epochs: 3, and retraining has only 2 epochs: say at most 2",
        "copies: one is compared with none: say at least 2, or leave comparing out (compare.ends: false, without "
        "compare.probe)",
        "tuning.raised: 5 is none of the temperatures: choose among 1, 3, or add it to them",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": {"values": [1, 2, 1]}}, "temperature.values: says something twice: 1, 2, 1"),
        ({"temperature": {"values": []}}, "temperature.values: expected at least 1, got []"),
        ({"temperature": {"values": [0]}}, "temperature.values.0: expected a number greater than 0, got 0"),
        ({"temperature": {"name": "heat", "values": [1]}}, "temperature: unknown name 'heat'; choices: batch_size, "),
        ({"temperature": {"iterations": 5}}, "temperature.iterations: unknown key; choices: values"),
        ({"temperature": {"name": "batch_size", "values": [20]}}, "temperature.iterations: is missing"),
        ({"load": {"values": [0.5, 0.5]}}, "load.values: says something twice: 0.5, 0.5"),
        ({"load": {"values": [1.5]}}, "load.values.0: expected a number of at most 1.0, got 1.5"),
        ({"load": {"name": "depth", "values": [8]}}, "load.density: is missing"),
        (
            {"load": {"name": "depth", "values": [8], "density": 0.1}},
            "load.name: the network 'digits_resnet' has no option 'depth'; take another one; choices: cifar_resnet, ",
        ),
        (
            {"model": {"name": "lenet_300_100", "width": None}, "load": {"name": "width", "values": [2], "density": 1}},
            "load.name: the network 'lenet_300_100' has no option 'width'",
        ),
        ({"probe_only": True, "compare": {"probe": None}}, "probe_only: where does retraining end? Say compare.probe"),
        ({"compare": {"probe": "0it"}}, "compare.probe: copies differ only after some retraining: say 2ep, or 100it"),
        ({"compare": {"samples": 1}}, "compare.samples: expected a number of at least 2, got 1"),
        ({"compare": {"outputs": "probabilities"}}, "compare.outputs: expected 'softmax' or 'logits'"),
        ({"threshold": 0.1}, "threshold: expected a number of at most 0"),
        ({"tuning": {"initial": 1, "raised": 2}}, "tuning.raised: 2 is not hotter than 1 (epochs)"),
        ({"tuning": {"initial": 2, "raised": 2}}, "tuning.raised: 2 is not hotter than 2 (epochs)"),
        (
            {"train": {"sam": {"rho": 0.1}}, "temperature": {"name": "rho", "values": [0.0]}},
            "train.sam: the temperature says which rho: leave it out",
        ),
        (
            {"train": {"precision": "float16"}, "temperature": {"name": "rho", "values": [0.1]}},
            "train: sam: float16 scales its loss",
        ),
    ],
)
def test_a_fault_has_a_path_and_a_remedy(change: dict[str, Any], told: str) -> None:
    assert any(line.startswith(told) for line in faults(**change)), faults(**change)


def test_what_is_said_in_epochs_does_not_go_with_batch_sizes() -> None:
    sizes = {"name": "batch_size", "values": [20, 50], "iterations": 8}
    assert faults(temperature=sizes, train={"schedule": {"name": "step", "milestones": [1]}, "warm_up": 1}) == [
        "train.schedule.milestones: epochs of other batch sizes are of other lengths, and every run has 8 steps: "
        "say them in steps, as '4it'",
        "train.warm_up: epochs of other batch sizes are of other lengths, and every run has 8 steps: say it in steps, "
        "as '500it'",
    ]
    for schedule in ("exponential", "cosine", {"name": "linear", "per": "step"}, "one_cycle"):
        (told,) = faults(temperature=sizes, train={"schedule": schedule})
        assert "follows epochs, or ends with the last one; epochs of other batch sizes" in told
    for milestone, fault in (("1ep2it", "say them in steps"), ("9it", "9it lies outside the run of 8 steps")):
        (told,) = faults(temperature=sizes, train={"schedule": {"name": "step", "milestones": ["4it", milestone]}})
        assert told.startswith("train.schedule.milestones: ")
        assert fault in told
    assert "9it lies outside" in faults(temperature=sizes, train={"warm_up": "9it"})[0]
    regimes(temperature=sizes, train={"schedule": {"name": "step", "milestones": ["4it"]}, "warm_up": "2it"})


@pytest.mark.parametrize(
    ("name", "values", "colder", "hotter"),
    [("epochs", [1, 2], 2, 1), ("rho", [0.0, 0.5], 0.0, 0.5), ("lr", [0.1, 0.5], 0.1, 0.5)],
)
def test_the_raised_temperature_is_the_hotter_one(name: str, values: list[float], colder: float, hotter: float) -> None:
    temperature = {"name": name, "values": values}
    tuning = regimes(temperature=temperature, tuning={"initial": colder, "raised": hotter}).tuning
    assert tuning is not None
    assert tuning.raised == hotter
    (told,) = faults(temperature=temperature, tuning={"initial": hotter, "raised": colder})
    assert told == f"tuning.raised: {colder:g} is not hotter than {hotter:g} ({name})"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": {"values": [1]}, "load": {"values": [0.9]}, "seeds": [3], "copies": 5}, []),
        ({"threshold": -0.1, "similar_from": 0.5, "tuning": {"initial": 2, "raised": 1}, "title": "other"}, []),
        ({"compare": {"ends": False}, "figure": "2"}, []),
        ({"compare": {"points": 5}}, ["compare.points: 3 there, 5 now"]),
        ({"compare": {"probe": None}}, ["compare.probe: 1ep1it there, nothing now"]),
        ({"temperature": {"name": "lr", "values": [0.1]}}, ["temperature.name: epochs there, lr now"]),
        ({"retrain": {"lr": 0.5}}, ["retrain.lr: 0.02 there, 0.5 now"]),
        ({"train": {"lr": 0.5}}, ["train.lr: 0.05 there, 0.5 now"]),
        ({"last_epochs": 1}, ["last_epochs: 2 there, 1 now"]),
    ],
)
def test_a_study_grows_by_temperatures_loads_seeds_and_copies(change: dict[str, Any], told: list[str]) -> None:
    assert [str(each) for each in differences(regimes(), regimes(**change))] == told


def test_retraining_that_is_said_or_follows_is_the_same() -> None:
    silent = regimes(retrain=None)
    told = regimes(retrain=silent.train.model_dump(mode="json"))
    assert differences(silent, told) == []
