"""What training settings refuse, and that they are values."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from pydantic import ValidationError

from secateurs.core import DataError, Moment, TrainingError
from secateurs.train import TrainSettings, begin
from toys import LENET, toy_data

DATA = toy_data()


def test_a_batch_larger_than_the_data_is_refused() -> None:
    message = "batch_size 49 is larger than the 48 training examples: set train.batch_size to at most 48"
    with pytest.raises(DataError, match=re.escape(message)):
        begin(LENET, DATA, TrainSettings(epochs=1, batch_size=49), init_seed=0)
    assert begin(LENET, DATA, TrainSettings(epochs=1, batch_size=48), init_seed=0).moment == Moment(0, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"epochs": 1, "batch_size": 0},
        {"epochs": 1, "lr": 0},
        {"epochs": 1, "lr": -1},
        {"epochs": 1, "lr": math.nan},
        {"epochs": 1, "lr": math.inf},
        {"epochs": 1, "rate": 0.1},
        {"epochs": 1, "augment": "mixup"},
        {"epochs": 1.5},
        {},
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(TrainingError):
        TrainSettings(**options)


def test_all_that_is_wrong_is_told_with_its_place() -> None:
    options: dict[str, Any] = {"epochs": 0, "lerning_rate": 1, "optimizer": {"name": "adam", "eps": 0, "x": 1}}
    with pytest.raises(TrainingError) as refused:
        TrainSettings(**options, warm_up="soon")
    assert [line.rpartition("; choices")[0] or line for line in str(refused.value).splitlines()] == [
        "TrainSettings: epochs: Input should be greater than 0 (got 0)",
        "TrainSettings: optimizer.adam.eps: Input should be greater than 0 (got 0)",
        "TrainSettings: optimizer.adam.x: unknown key",
        "TrainSettings: warm_up: moment 'soon' is not understood: write '12ep', '500it' or '12ep50it'",
        "TrainSettings: lerning_rate: unknown key",
    ]


def test_who_reads_settings_gets_all_faults_with_their_places() -> None:
    with pytest.raises(ValidationError) as refused:
        TrainSettings.model_validate({"epochs": 1, "lr": -1, "optimizer": {"momentum": 2}})
    assert [fault["loc"] for fault in refused.value.errors()] == [("lr",), ("optimizer", "sgd", "momentum")]


def test_settings_are_values() -> None:
    chosen = TrainSettings(epochs=4, lr=0.005, optimizer={"name": "adam"}, schedule="cosine")
    assert TrainSettings.model_validate(json.loads(chosen.model_dump_json())) == chosen
    assert hash(chosen) == hash(chosen.model_copy())
    with pytest.raises(ValidationError, match="frozen"):
        chosen.lr = 1.0  # type: ignore[misc]
