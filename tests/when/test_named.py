"""Triggers by name: shares of the run, what follows from it, combinations; and whether a bound fired."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Moment, SignalError, Spec, derive_seed
from secateurs.when import (
    TRIGGERS,
    At,
    Below,
    Peak,
    all_of,
    any_of,
    default_trigger,
    early_bird_trigger,
    early_crop_trigger,
    no_earlier_than,
    no_later_than,
    reached_bound,
    replay,
    trigger_of,
)
from secateurs.when.bounds import unbounded
from secateurs.when.named import random_trigger


@pytest.mark.parametrize(
    ("share", "epochs", "moment"),
    [
        *(("0%", 30, "0ep"), ("100%", 30, "30ep"), ("10%", 30, "3ep"), ("10%", 25, "3ep"), ("10%", 24, "2ep")),
        *(("50%", 3, "2ep"), ("50 %", 20, "10ep"), ("33.3%", 30, "10ep"), ("2.5%", 20, "1ep"), ("2.4%", 20, "0ep")),
    ],
)
def test_shares_of_the_run_are_whole_epochs(share: str, epochs: int, moment: str) -> None:
    assert trigger_of(Spec("at", {"moment": share}), epochs=epochs) == At(moment)


@given(st.integers(0, 1000), st.integers(1, 500))
def test_a_share_is_rounded_halves_up(thousandths: int, epochs: int) -> None:
    made = trigger_of(Spec("at", {"moment": f"{thousandths / 10}%"}), epochs=epochs)
    assert made == At(f"{floor(Fraction(thousandths, 1000) * epochs + Fraction(1, 2))}ep")


def test_bounds_may_be_shares() -> None:
    options = {"signal": "s", "no_earlier_than": "10%", "no_later_than": "50%"}
    made = trigger_of(Spec("peak", options), epochs=20)
    assert made == no_later_than(no_earlier_than(Peak("s"), "2ep"), "10ep")


def test_what_follows_from_the_run_is_filled_in() -> None:
    run = {"epochs": 40, "density": 0.05}
    assert trigger_of(Spec("early_crop"), **run) == early_crop_trigger(0.05, 40)
    assert trigger_of(Spec("early_crop", {"threshold": 0.3}), **run) == early_crop_trigger(0.05, 40, 0.3)
    assert trigger_of(Spec("default"), **run) == default_trigger(epochs=40)
    assert trigger_of(Spec("early_bird", {"threshold": 0.2})) == early_bird_trigger(0.2)
    assert trigger_of(Spec("random"), **run, seed=3) == random_trigger(epochs=40, density=0.05, seed=3)


def test_combinations_hold_triggers() -> None:
    peak, at = Spec("peak", {"signal": "s"}), Spec("at", {"moment": "50%"})
    made = trigger_of(Spec("any_of", {"of": (Spec("all_of", {"of": (peak, at)}), Spec("early_bird"))}), epochs=10)
    assert made == any_of(all_of(Peak("s"), At("5ep")), early_bird_trigger())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec("peek"), "unknown trigger 'peek'; choices: .*; did you mean 'peak'"),
        (Spec("early_crop"), "trigger 'early_crop' follows from the run: give its epochs"),
        (Spec("at", {"moment": "101%"}), "moment: '101%' is no share of the run: write one from 0% to 100%"),
        (Spec("at", {"moment": "-5%"}), "moment: '-5%' is no share of the run"),
        (Spec("at", {"moment": "ten%"}), "moment: 'ten%' is no share of the run"),
        (Spec("at", {"moment": "10%"}), "moment: '10%' is a share of the run: give its epochs, or write '12ep'"),
        (Spec("any_of", {"of": ()}), "need at least one trigger"),
        ("peak", r"a trigger by name is a Spec with its options, such as Spec\('early_bird'\), got 'peak'"),
        (Spec("peak", {"signal": "s", "patiense": 3}), "'peak' has no option 'patiense'; .* did you mean 'patience'"),
        (Spec("peak", {"patience": 3}), "trigger 'peak' needs the option 'signal'"),
        (Spec("early_crop", {"density": 0.1}), "'early_crop' has no option 'density': that is the run's to say"),
        (Spec("any_of"), "trigger 'any_of' needs the option 'of'"),
        (Spec("any_of", {"of": ("early_bird",)}), r"such as Spec\('early_bird'\), got 'early_bird'"),
        (Spec("any_of", {"of": "early_bird"}), "of: expected a list of Specs, got 'early_bird'"),
        (Spec("any_of", {"of": Spec("early_bird")}), "of: expected a list of Specs, got Spec"),
        (Spec("below", {"signal": "s", "threshold": "0.5"}), "threshold: expected a finite number .* got '0.5'"),
        (Spec("peak", {"signal": "s", "patience": None}), "patience: expected a finite number of at least 1, got None"),
        (Spec("early_bird", {"threshold": "0.5"}), "expected a threshold of at least 0, got '0.5'"),
        (Spec("at", {"moment": 1.5}), "a moment is written '12ep'"),
        (Spec("early_bird", {"no_later_than": 1.5}), "a moment is written '12ep'"),
    ],
    ids=str,
)
def test_what_cannot_be_made(spec: Spec, message: str) -> None:
    with pytest.raises(SignalError, match=message):
        trigger_of(spec)


def test_random_moments_are_uniform_and_follow_from_the_run() -> None:
    drawn = [random_trigger(epochs=10, density=0.1, seed=seed) for seed in range(2000)]
    counts = Counter(trigger.moment for trigger in drawn)  # type: ignore[attr-defined]
    assert set(counts) == {f"{epoch}ep" for epoch in range(10)}
    assert all(140 <= count <= 260 for count in counts.values())  # 200 expected, 4.5 standard deviations
    assert drawn[7] == random_trigger(epochs=10, density=0.1, seed=7)
    assert [random_trigger(epochs=10, density=0.05, seed=seed) for seed in range(50)] != drawn[:50]
    with pytest.raises(SignalError, match="epochs must be at least 1"):
        random_trigger(epochs=0, density=0.1, seed=0)
    assert derive_seed("random trigger", 10, "0.1", 7) != derive_seed("random trigger", 10, "0.1", 8)


def test_the_table_is_whole() -> None:
    assert set(TRIGGERS) == {
        *("peak", "below", "settled", "at", "random", "early_crop", "early_bird", "default", "any_of", "all_of")
    }


# ------------------------------------------------------------------------------------------- bounds

FALLING = [(Moment(epoch, 1), {"s": 1.0 / (1 + epoch)}) for epoch in range(10)]


@pytest.mark.parametrize(
    ("trigger", "free"),
    [
        (no_later_than(Below("s", 0.1), "5ep"), Below("s", 0.1)),
        (no_earlier_than(Below("s", 0.1), "5ep"), no_earlier_than(Below("s", 0.1), "5ep")),
        (no_later_than(no_earlier_than(Peak("s"), "2ep"), "5ep"), no_earlier_than(Peak("s"), "2ep")),
        (any_of(Peak("s"), Below("t", 1), At("3ep")), any_of(Peak("s"), Below("t", 1))),
        (any_of(At("3ep"), At("4ep")), None),
        (all_of(any_of(Peak("s"), At("4ep")), Below("t", 1)), all_of(Peak("s"), Below("t", 1))),
    ],
    ids=str,
)
def test_bounds_are_taken_off(trigger, free) -> None:
    assert unbounded(trigger) == free


@pytest.mark.parametrize(
    ("trigger", "reached"),
    [
        (no_later_than(Below("s", 0.3), "5ep"), False),  # 0.25 at epoch 3
        (no_later_than(Below("s", 0.3), "2ep"), True),
        (no_later_than(Below("s", 0.3), "3ep"), False),  # both at once: the signal did
        (no_earlier_than(Below("s", 0.3), "6ep"), False),
        (no_later_than(Below("gone", 0.3), "2ep"), True),
        (At("2ep"), False),
        (Below("s", 0.0), False),  # never fires
        (early_crop_trigger(0.1, 8), False),
    ],
    ids=str,
)
def test_whether_only_the_bound_fired(trigger, reached: bool) -> None:
    log = [(moment, {**values, "weight_change": values["s"] / 9}) for moment, values in FALLING]
    assert reached_bound(trigger, log) == reached


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1), st.integers(0, 12))
def test_a_bound_fired_where_the_signal_alone_fires_later_or_never(
    values: list[float], threshold: float, bound: int
) -> None:
    log = [(Moment(epoch, 1), {"s": value}) for epoch, value in enumerate(values)]
    inner = Below("s", threshold)
    alone, both = replay(inner, log), replay(no_later_than(inner, bound), log)
    wanted = both is not None and (alone is None or alone > both)
    assert reached_bound(no_later_than(inner, bound), log) == wanted
