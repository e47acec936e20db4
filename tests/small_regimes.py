"""A small study of regimes, for tests: a few epochs of a few examples."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from secateurs.studies.merging import merge, without_nulls
from secateurs.studies.schema import Regimes

REGIMES: dict[str, Any] = {
    "study": "regimes",
    "title": "tiny regimes",
    "model": {"name": "digits_resnet", "width": 4},
    "data": {"name": "digits", "train_examples": 120},
    "train": {
        "epochs": 2,
        "batch_size": 50,
        "lr": 0.05,
        "schedule": "constant",
        "augment": "shift",
    },  # 3 steps an epoch
    "seeds": [0],
    "checkpoint_every": 2,
    "temperature": {"name": "epochs", "values": [1, 2]},
    "load": {"name": "density", "values": [0.2, 0.5]},
    "prune": {"exclude": ["fc"]},
    "retrain": {"epochs": 2, "batch_size": 40, "lr": 0.02, "schedule": "linear", "drop_last": True},
    "copies": 2,
    "compare": {"probe": "1ep1it", "points": 3, "samples": 64},
    "last_epochs": 2,
}


def regimes(**changes: Any) -> Regimes:
    """The recipe with changes laid on it; a null takes something away."""
    return Regimes.model_validate(without_nulls(merge(deepcopy(REGIMES), changes), ("settings",)))
