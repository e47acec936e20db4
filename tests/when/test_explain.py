"""Why a trigger fired, or what it waits for: true of the log, for every trigger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Log, Moment, Trigger, TriggerState
from secateurs.when import (
    At,
    Below,
    Peak,
    Settled,
    all_of,
    any_of,
    default_trigger,
    early_bird_trigger,
    early_crop_trigger,
    explain,
    no_earlier_than,
    no_later_than,
)

PEAK = [9.0, 1.0, 3.0, 4.0, 3.7, 3.5]


def logged(name: str = "x", values: Any = PEAK, **others: Any) -> Log:
    """Epoch ends 1, 2, ...; None: not measured."""
    named = {name: values, **others}
    length = max(len(each) for each in named.values())
    return [
        (Moment(10 * (i + 1), 10), {n: v[i] for n, v in named.items() if i < len(v) and v[i] is not None})
        for i in range(length)
    ]


@dataclass(frozen=True)
class Own:
    """Somebody's own trigger, which knows nothing of explanations."""

    moment: int
    needs: frozenset[str] = frozenset({"x", "y"})

    def init(self) -> TriggerState:
        return {}

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]:
        return state, moment.epoch >= self.moment


BOUNDED = no_later_than(Below("x", 0.05), "3ep")
CASES: dict[str, tuple[Trigger, Log, str]] = {
    "peak": (
        Peak("x"),
        logged(),
        "x passed its maximum, 4 at epoch 4: 12 % below it, unbeaten for 2 measurements",
    ),
    "peak, smoothed": (
        Peak("x", smoothing=2, patience=1),
        logged(values=[9, 1, 3, 4, 2]),
        "x (mean of 2 measurements) passed its maximum, 3.5 at epoch 4: 14 % below it, unbeaten for 1 measurement",
    ),
    "peak, below zero": (
        Peak("x", patience=1, warm_up=0),
        logged(values=[-1.0, -4.0]),
        "x passed its maximum, -1 at epoch 1: 300 % below it, unbeaten for 1 measurement",
    ),
    "peak, rising": (Peak("x"), logged()[:4], "has not fired by epoch 4: x is at its maximum still, 4"),
    "peak, not low enough": (
        Peak("x", min_drop=0.5),
        logged(),
        "has not fired by epoch 6: x may have passed its maximum, 4 at epoch 4: 12 % below it, unbeaten for 2 "
        "measurements, where 50 % and 2 measurements are asked for",
    ),
    "peak, equalled": (
        Peak("x"),
        logged(values=[0, 1, 1]),
        "has not fired by epoch 3: x may have passed its maximum, 1 at epoch 2: not below it, unbeaten for 1 "
        "measurement, where 2 % and 2 measurements are asked for",
    ),
    "peak, too few": (
        Peak("x", warm_up=2),
        logged()[:1],
        "has not fired by epoch 1: x was measured 1 time, 3 are needed to say anything",
    ),
    "below": (Below("x", 0.05), logged(values=[1, 0.048]), "x is 0.048, below 0.05"),
    "below, by a hair": (Below("x", 0.05), logged(values=[1, 0.04999]), "x is 0.04999, below 0.05"),
    "below, in a row": (
        Below("x", 0.05, patience=2),
        logged(values=[1, 0.04, 0.03]),
        "x is 0.03, below 0.05, 2 measurements in a row",
    ),
    "below, once": (
        Below("x", 0.05, patience=2),
        logged(values=[1, 0.04]),
        "has not fired by epoch 2: x, 0.04, was below 0.05, but only 1 of 2 times in a row",
    ),
    "above": (Below("x", 0.05), logged(values=[1, 0.31]), "has not fired by epoch 2: x, 0.31, was not below 0.05"),
    "warming up": (
        Below("x", 5),
        logged(values=[1]),
        "has not fired by epoch 1: x was measured 1 time, 2 are needed to say anything",
    ),
    "early bird": (early_bird_trigger(0.1), logged("mask_distance", [0.1]), "mask_distance is 0.1, at most 0.1"),
    "early bird waits": (
        early_bird_trigger(0.1),
        logged("mask_distance", [0.2]),
        "has not fired by epoch 1: mask_distance, 0.2, was above 0.1",
    ),
    "early crop": (
        early_crop_trigger(0.1, 6),
        logged("weight_change", [1.0, 0.5, 0.31]),
        "no later than epoch 3: weight_change, 0.31, was not below 0.1",
    ),
    "settled": (
        Settled("x"),
        logged(values=[9, 1, 1.01, 1.02]),
        "x has settled at 1.02: it changed by at most 5 %, 2 times in a row",
    ),
    "settled once": (
        Settled("x"),
        logged(values=[9, 1, 1.01]),
        "has not fired by epoch 3: x has not settled: it changed by 0.99 % to 1.01: 1 of 2 times in a row at most 5 %",
    ),
    "unsettled": (
        Settled("x", warm_up=0),
        logged(values=[4, 1]),
        "has not fired by epoch 2: x has not settled: it changed by 75 % to 1, not at most 5 %",
    ),
    "at": (At("2ep"), logged(), "the moment 2ep was reached"),
    "at, inside an epoch": (
        At("25it"),
        [(Moment(24, 10), {})],
        "has not fired by 2ep4it: the moment 25it was not reached",
    ),
    "the bound": (BOUNDED, logged(values=[1, 0.5, 0.31]), "no later than epoch 3: x, 0.31, was not below 0.05"),
    "before the bound": (BOUNDED, logged(values=[1, 0.048]), "x is 0.048, below 0.05"),
    "with the bound": (BOUNDED, logged(values=[1, 1, 0.04]), "x is 0.04, below 0.05 (no later than epoch 3)"),
    "neither": (
        BOUNDED,
        logged(values=[1, 0.5]),
        "has not fired by epoch 2: x, 0.5, was not below 0.05 (no later than epoch 3)",
    ),
    "the bound without the signal": (BOUNDED, logged("y", [1, 1, 1]), "no later than epoch 3: x has no value yet"),
    "not before": (
        no_earlier_than(Below("x", 0.5, warm_up=0), "3ep"),
        logged(values=[0.4, 1, 1]),
        "not before epoch 3: x was 0.4, below 0.5, at epoch 1",
    ),
    "not yet": (
        no_earlier_than(Below("x", 0.5, warm_up=0), "3ep"),
        logged(values=[0.4, 1]),
        "has not fired by epoch 2: x was 0.4, below 0.5, at epoch 1, but not before epoch 3",
    ),
    "nested": (
        no_later_than(all_of(Below("x", 0.5, warm_up=0), Below("y", 0.5, warm_up=0)), "2ep"),
        logged(values=[0.4, 1], y=[1, 1]),
        "no later than epoch 2: x was 0.4, below 0.5, at epoch 1; but y, 1, was not below 0.5",
    ),
    "the default": (
        default_trigger(epochs=30),
        logged("mask_distance", [None] * 4 + [0.09, 0.05, 0.0394]),
        "mask_distance is 0.0394, below 0.04 (not before epoch 6)",
    ),
    "the default, at its latest": (
        default_trigger(epochs=30),
        logged("mask_distance", [0.05] * 12),
        "no later than epoch 12: mask_distance, 0.05, was not below 0.04",
    ),
    "the default, at its earliest": (
        default_trigger(epochs=30),
        logged("mask_distance", [None] * 4 + [0.01, 0.06]),
        "not before epoch 6: mask_distance was 0.01, below 0.04, at epoch 5",
    ),
    "the default waits": (
        default_trigger(epochs=30),
        logged("mask_distance", [None] * 4 + [0.07]),
        "has not fired by epoch 5: mask_distance, 0.07, was not below 0.04 (not before epoch 6, no later than "
        "epoch 12)",
    ),
    "settled, and held back": (
        no_earlier_than(Settled("x", patience=1, warm_up=0), "20it"),
        logged(values=[3, 1, 1]),
        "x has settled at 1: it changed by at most 5 %, 1 time in a row (not before step 20)",
    ),
    "several bounds": (
        any_of(Below("x", 0.5), At("4ep"), Below("y", 0.5), At("2ep")),
        logged(values=[1, 1], y=[1, 2]),
        "no later than epoch 2: x, 1, was not below 0.5; y, 2, was not below 0.5",
    ),
    "each of several": (
        all_of(no_later_than(Below("x", 0.5), "2ep"), Below("y", 0.5)),
        logged(values=[1, 1, 1], y=[1, 1, 0.25]),
        "(no later than epoch 2: x, 1, was not below 0.5), at epoch 2; y is 0.25, below 0.5",
    ),
    "moments alone": (any_of(At("3ep"), At("2ep")), logged(), "the moment 2ep was reached"),
    "early bird, by a hair": (
        early_bird_trigger(0.1),
        logged("mask_distance", [0.10004]),
        "has not fired by epoch 1: mask_distance, 0.10004, was above 0.1",
    ),
    "above, by a hair, a threshold of many digits": (
        Below("x", 0.1234567, warm_up=0),
        logged(values=[0.1234568]),
        "has not fired by epoch 1: x, 0.1235, was not below 0.1234567",
    ),
    "peak, nearly low enough": (
        Peak("x"),
        logged(values=[0, 1, 0.99, 0.9804]),
        "has not fired by epoch 4: x may have passed its maximum, 1 at epoch 2: 1.96 % below it, unbeaten for 2 "
        "measurements, where 2 % and 2 measurements are asked for",
    ),
    "peak, nearly to nothing": (
        Peak("x", patience=1),
        logged(values=[0, 1, 0.003]),
        "x passed its maximum, 1 at epoch 2: 99.7 % below it, unbeaten for 1 measurement",
    ),
    "peak, at zero": (
        Peak("x", patience=1),
        logged(values=[-1, 0, -0.5]),
        "x passed its maximum, 0 at epoch 2: -0.5 now, unbeaten for 1 measurement",
    ),
    "unsettled, by a hair": (
        Settled("x", warm_up=0),
        logged(values=[1, 0.9498]),
        "has not fired by epoch 2: x has not settled: it changed by 5.02 % to 0.95, not at most 5 %",
    ),
    "diverged": (Peak("x"), logged(values=[math.nan]), "has not fired by epoch 1: x has no finite value yet"),
    "empty": (Peak("x"), [], "has not fired: nothing was measured yet"),
    "somebody's own": (Own(2), logged(), f"{Own(2)} fired (x is 1, y has no value yet)"),
    "somebody's own waits": (
        Own(9),
        logged(values=[2.0]),
        f"has not fired by epoch 1: {Own(9)} waits (x is 2, y has no value yet)",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_why(name: str) -> None:
    trigger, log, told = CASES[name]
    assert explain(trigger, log) == told


SIMPLE = st.one_of(
    st.builds(Peak, st.just("x"), st.integers(1, 3), st.sampled_from([0.0, 0.3]), st.integers(1, 3), st.integers(0, 2)),
    st.builds(Below, st.just("y"), st.floats(-5, 5), st.integers(1, 3), st.integers(0, 2)),
    st.builds(Settled, st.just("x"), st.sampled_from([0.0, 1.5]), st.integers(1, 3), st.integers(1, 3)),
    st.builds(At, st.integers(0, 12)),
    st.builds(Own, st.integers(0, 12)),
)
TRIGGERS = st.recursive(
    SIMPLE, lambda each: st.builds(any_of, each, each) | st.builds(all_of, each, each), max_leaves=4
)
ROWS = st.dictionaries(st.sampled_from(["x", "y"]), st.floats(-9, 9) | st.just(math.nan) | st.just(0.0), max_size=2)


@given(TRIGGERS, st.lists(ROWS, max_size=12), st.integers(1, 5))
def test_it_always_has_words_and_says_what_was_decided(trigger: Trigger, rows: Any, more: int) -> None:
    log = [(Moment(10 * i, 10), row) for i, row in enumerate(rows)]
    state, fired = trigger.init(), None
    for number, (moment, values) in enumerate(log):
        state, now = trigger.update(state, moment, values)
        if now:
            fired = number
            break
    told = explain(trigger, log)
    assert told.startswith("has not fired") == (fired is None)
    if fired is not None:
        later = [(Moment(1000 + i, 10), {"x": 99.0, "y": -99.0}) for i in range(more)]
        assert told == explain(trigger, log[: fired + 1] + later)
