"""A small study of lottery tickets, for tests: a few epochs of a few examples."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from secateurs.studies import Tickets
from secateurs.studies.merging import merge, without_nulls

TICKETS: dict[str, Any] = {
    "study": "tickets",
    "title": "tiny tickets",
    "model": {"name": "lenet_300_100", "hidden": [16, 8]},  # on digits 64 * 16 + 16 * 8 + 8 * 10 = 1232 weights
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 3, "batch_size": 50, "lr": 0.05, "augment": "shift"},  # three steps an epoch
    "seeds": [0],
    "checkpoint_every": 2,
    "levels": 3,
    "rewind": [0, "4it"],
    "tickets": {
        "IMP": {},
        "one-shot IMP": {"search": "one_shot"},
        "LRR": {"weights": "trained"},
        "magnitude after training": {"search": "one_shot", "weights": "trained"},
        "random re-initialisation": {"weights": "redrawn"},
        "layer-wise random": {"shuffled": True},
        "global random": {"search": "random", "weights": "redrawn"},
    },
}

INSTABILITY = {
    "copies": 3,
    "of": ["dense", "IMP"],
    "levels": [2],
    "after": ["continue", "replay"],
    "throughout": "1ep",
    "points": 3,
}

DILATION = {"factors": [0.3, 0.5, 1.0, 2.0], "of": ["dense", "IMP"], "levels": [1]}


def tickets(**changes: Any) -> Tickets:
    """The recipe with changes laid on it; a null takes something away."""
    return Tickets.model_validate(without_nulls(merge(deepcopy(TICKETS), changes), ("settings",)))
