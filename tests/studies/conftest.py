"""Recipes for these tests: small enough that a whole study takes a second."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from secateurs.studies import EarlyPeriods, Methods, check
from secateurs.studies.merging import merge, without_nulls

TINY: dict[str, Any] = {
    "title": "tiny",
    "model": {"name": "lenet_300_100", "hidden": [8, 6]},
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 3, "batch_size": 50, "lr": 0.05, "augment": "shift"},  # three steps an epoch
    "prune": {"density": 0.3},
    "moments": [0, 2],
    "seeds": [0, 1],
    "signals": [
        {"name": "fisher_trace", "samples": 8},
        {"name": "kl_uniform", "source": "probe", "samples": 16},
        "loss",
    ],
    "triggers": {"middle": {"name": "at", "moment": "1ep"}},
    "checkpoint_every": 2,
}


@pytest.fixture
def recipe() -> Callable[..., EarlyPeriods]:
    """``recipe(train={"lr": 1})``: the tiny recipe with changes laid on it."""

    def make(**changes: Any) -> EarlyPeriods:
        return check(merge(deepcopy(TINY), changes), "tiny")

    return make


METHODS: dict[str, Any] = {
    "study": "methods",
    "title": "tiny methods",
    **{key: TINY[key] for key in ("model", "data", "train", "seeds", "checkpoint_every")},
    "prune": {"after": "replay", "examples_per_class": 4},
    "methods": {
        "magnitude": {},
        "shuffled": {"ablation": "shuffle"},
        "rewound": {"scored_at": "end"},
    },
    "densities": [0.5, 0.2],
    "moments": [0, "1ep"],
}


@pytest.fixture
def methods() -> Callable[..., Methods]:
    """``methods(train={"lr": 1})``: a tiny study of methods with changes laid on it; a null takes something away."""

    def make(**changes: Any) -> Methods:
        return check(without_nulls(merge(deepcopy(METHODS), changes), ("settings", "methods")), "tiny")

    return make
