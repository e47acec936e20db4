"""A real run, watched: interrupted, resumed, replayed, and what the published rules make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from safetensors.torch import load, save

from secateurs.core import Log, Moment, Signal, Spec, TrainState, Trigger
from secateurs.train import TrainSettings, begin, observe, train
from secateurs.when import (
    Below,
    MaskDistance,
    Settled,
    Watch,
    WeightChange,
    early_bird_trigger,
    early_crop_trigger,
    replay,
)
from toys import LENET, RESNET, same_bits, toy_data

EPOCHS = 8
SETTINGS = TrainSettings(epochs=EPOCHS, batch_size=24, lr=0.05)
DATA = toy_data()
SIGNALS: tuple[Signal, ...] = (
    WeightChange(),
    MaskDistance(density=0.3, window=3),
)
CASES: dict[str, tuple[Spec, tuple[Signal, ...]]] = {
    "defaults": (LENET, SIGNALS),
    "squared, by Fisher": (LENET, (WeightChange("squared"), MaskDistance(Spec("fisher"), window=2, samples=6))),
    "algorithm, channels": (RESNET, (WeightChange("algorithm"), MaskDistance(of="bn_scale", density=0.5, window=2))),
}


def begun(model: Spec, signals: tuple[Signal, ...]) -> tuple[TrainState, Watch]:
    state = begin(model, DATA, SETTINGS, init_seed=1)
    return state, Watch(signals, state.model, probe=DATA.train.probe(12, 1), seed=1)


def run(model: Spec, signals: tuple[Signal, ...], cuts: range = range(0)) -> tuple[TrainState, list[dict[str, Any]]]:
    """Train to the end; at each cut the watch is put into files and a new one goes on from them."""
    state, watch = begun(model, signals)
    observe(state, DATA, [watch])
    rows = watch.rows
    for epoch in range(EPOCHS):
        if epoch in cuts:
            tensors, plain = watch.state()
            stored, plain = save({k: v.contiguous() for k, v in tensors.items()}), json.loads(json.dumps(plain))
            _, watch = begun(model, signals)
            watch.restore(load(stored), plain)
        seen = len(watch.rows)
        state = train(state, DATA, SETTINGS, until=epoch + 1, order_seed=1, observers=[watch])
        rows = [*rows, *watch.rows[seen:]] if rows is not watch.rows else rows
    return state, [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]


@pytest.mark.parametrize("name", CASES)
def test_interruptions_change_no_value_and_watching_no_weight(name: str) -> None:
    model, signals = CASES[name]
    state, rows = run(model, signals)
    window = next(s.window for s in signals if isinstance(s, MaskDistance))
    assert len(rows) == EPOCHS + 1
    assert [("weight_change" in row, "weight_change.distance" in row) for row in rows[:2]] == [
        (False,) * 2,
        (True,) * 2,
    ]
    assert ["mask_distance" in row for row in rows] == [epoch >= window for epoch in range(EPOCHS + 1)]
    for cuts in (range(EPOCHS), range(4, 5)):
        assert run(model, signals, cuts)[1] == rows
    unwatched = train(begin(model, DATA, SETTINGS, init_seed=1), DATA, SETTINGS, until=EPOCHS, order_seed=1)
    assert same_bits(state.model, unwatched.model)


def log_of(rows: list[dict[str, Any]]) -> Log:
    return [(Moment.parse(row["moment"], 2), {k: v for k, v in row.items() if isinstance(v, float)}) for row in rows]


TRIGGERS: dict[str, Trigger] = {
    "early_crop": early_crop_trigger(0.5, EPOCHS),
    "early_bird": early_bird_trigger(0.2),
    "settled": Settled("mask_distance", tolerance=0.25),
    "below": Below("mask_distance", 0.15),
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_the_live_decision_is_that_of_the_replay(name: str) -> None:
    """Decided between epochs, through JSON, without knowing what comes."""
    trigger = TRIGGERS[name]
    _, rows = run(LENET, SIGNALS)
    state, decided = trigger.init(), None
    for moment, values in log_of(rows):
        state, fired = trigger.update(json.loads(json.dumps(state)), moment, values)
        if fired:
            decided = moment
            break
    assert decided is not None
    assert 1 < decided.epoch < EPOCHS
    assert replay(trigger, log_of(rows)) == decided
