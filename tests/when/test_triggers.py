"""Triggers against the definition, measured value by measured value."""

import copy
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Moment, SignalError, Trigger
from secateurs.when import TRIGGERS, early_bird_trigger, early_crop_trigger
from secateurs.when.triggers import (
    At,
    Below,
    Peak,
    Settled,
    all_of,
    any_of,
    no_earlier_than,
    no_later_than,
)

Rows = Sequence[tuple[Moment, Mapping[str, float]]]
VALUES = st.lists(st.integers(-9, 9).map(lambda tenths: tenths / 10), max_size=15)


def rows(values: Sequence[float | None], signal: str = "s") -> Rows:
    """One row per epoch of ten steps, from epoch 0; None = not measured in that row."""
    return [(Moment(10 * i, 10), {} if v is None else {signal: v}) for i, v in enumerate(values)]


def first(trigger: Trigger, log: Rows) -> int | None:
    """The epoch of the first True of a live run whose state goes through JSON at every measurement."""
    state = trigger.init()
    for moment, values in log:
        before = copy.deepcopy(state)
        after, fired = trigger.update(state, moment, values)
        assert state == before
        if fired:
            return moment.epoch
        state = json.loads(json.dumps(after))
    return None


def peak_oracle(values: Sequence[float], patience: int, min_drop: float, smoothing: int, warm_up: int) -> int | None:
    for now in range(len(values)):
        ends = range(warm_up + smoothing - 1, now + 1)
        smooth = [sum(values[end - smoothing + 1 : end + 1]) / smoothing for end in ends]
        if not smooth:
            continue
        top = max(smooth)
        standing = len(smooth) - 1 - smooth.index(top)
        fall = top - smooth[-1]
        drop = fall / abs(top) if top else math.inf if fall else 0.0
        if standing >= patience and drop >= min_drop:
            return now
    return None


@given(VALUES, st.integers(1, 4), st.sampled_from([0.0, 0.02, 0.5, 2.0]), st.integers(1, 3), st.integers(0, 3))
def test_peak_is_its_definition(
    values: list[float], patience: int, min_drop: float, smoothing: int, warm_up: int
) -> None:
    trigger = Peak("s", patience, min_drop, smoothing, warm_up)
    assert first(trigger, rows(values)) == peak_oracle(values, patience, min_drop, smoothing, warm_up)


@pytest.mark.parametrize(
    ("values", "options", "epoch"),
    [
        ([9, 1, 5, 4, 3, 2], {}, 4),  # the spike of the untrained network is ignored, then two epochs of patience
        ([9, 1, 5, 4, 3, 2], {"warm_up": 0}, 2),
        ([0, 1, 5, 4, 6, 5, 4], {}, 6),  # a new maximum begins the count again
        ([0, 50, 49.5, 49.2, 49], {}, 4),  # patience is over at epoch 3, a drop of 2 % comes at 4
        ([0, 5, 4, 5, 4], {}, 4),  # equalled is not beaten
        ([0, 1, 2, 3, 4], {}, None),
        ([0, 0, 0, 0, 0], {"min_drop": 0.0}, 3),
        ([0, 0, 0, 0, 0], {}, None),
        ([0, 0, -1, -1], {}, 3),  # a maximum of zero: every fall is infinitely large
        ([0, -4, -5, -5], {}, 3),
        ([9, 1, None, 5, None, None, 4, 3], {}, 7),  # rows without the signal are no measurements
        ([9, 1, 5, math.nan, math.inf, 4, 3], {}, 6),
        ([], {}, None),
    ],
)
def test_peak_by_hand(values: list[float | None], options: dict[str, float], epoch: int | None) -> None:
    assert first(Peak("s", **options), rows(values)) == epoch  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "options", "epoch"),
    [
        ([0, 3, 2, 1], {"threshold": 2}, 3),  # strictly below, and not the untrained network
        ([0, 3, 2, 1], {"threshold": 2, "warm_up": 0}, 0),
        ([0, 1, 3, 1, 1], {"threshold": 2, "patience": 2}, 4),  # in a row
        ([0, 1, math.nan, None, 1], {"threshold": 2, "patience": 2}, 4),
        ([0, 3, 3], {"threshold": 2}, None),
        ([-5, -4, -6], {"threshold": -5}, 2),
    ],
)
def test_below_by_hand(values: list[float | None], options: dict[str, float], epoch: int | None) -> None:
    assert first(Below("s", **options), rows(values)) == epoch  # type: ignore[arg-type]


def settled_oracle(
    values: Sequence[float], tolerance: float, patience: int, smoothing: int, warm_up: int
) -> int | None:
    for now in range(len(values)):
        ends = range(warm_up + smoothing - 1, now + 1)
        smooth = [sum(values[end - smoothing + 1 : end + 1]) / smoothing for end in ends]
        pairs = list(pairwise(smooth))[-patience:]
        changes = [abs(b - a) / max(abs(a), abs(b)) if a or b else 0.0 for a, b in pairs]
        if len(changes) == patience and max(changes) <= tolerance:
            return now
    return None


@given(VALUES, st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_settled_is_its_definition(
    values: list[float], tolerance: float, patience: int, smoothing: int, warm_up: int
) -> None:
    trigger = Settled("s", tolerance, patience, smoothing, warm_up)
    assert first(trigger, rows(values)) == settled_oracle(values, tolerance, patience, smoothing, warm_up)


@given(VALUES, st.lists(st.sampled_from([None, math.nan, math.inf, -math.inf]), max_size=8), st.randoms())
def test_what_is_no_measurement_changes_nothing(values: list[float], gaps: list[float | None], source: Random) -> None:
    mixed: list[float | None] = [*values]
    for gap in gaps:
        mixed.insert(source.randint(0, len(mixed)), gap)
    for trigger in (Settled("s", 0.5, warm_up=0), Settled("s", 0.5, 1, smoothing=2), Below("s", 0.0, 2), Peak("s")):
        plain, found = first(trigger, rows(values)), first(trigger, rows(mixed))
        seen = None if found is None else sum(v is not None and math.isfinite(v) for v in mixed[:found])
        assert seen == plain


@pytest.mark.parametrize(
    ("values", "options", "epoch"),
    [
        ([7, 4, 2, 1.96, 1.9], {}, 4),
        ([2, 2, 2, 2], {}, 3),  # the untrained network is ignored, then two changes
        ([2, 2, 2, 2], {"warm_up": 0}, 2),
        ([2, 2, 2, 2], {"warm_up": 0, "patience": 1}, 1),
        ([0, 4, 4, 2, 2, 2], {}, 5),  # in a row
        ([0, 0, 0, 0], {}, 3),  # between zeros nothing changes
        ([0, 1, -1, 1, -1], {"tolerance": 1.9}, None),  # a change of sign is as large as can be
        ([0, 1, -1, 1, -1], {"tolerance": 2}, 3),
        ([0, -10, -10.5, -10], {}, 3),
        ([0, 100, 95, 90.25], {}, 3),  # the tolerance itself will do
        ([0, 100, 95, 90.24], {}, None),
        ([0, 1, 3, 1, 3, 1], {"smoothing": 2}, 4),  # means of two stand still
        ([0, 1, 1, math.nan, None, math.inf, 1], {}, 6),
        ([0, 5e-324, 0, 5e-324], {"tolerance": 0.9}, None),
        ([1e308, 1e308, 1e308], {"smoothing": 1, "warm_up": 0}, 2),
        ([], {}, None),
    ],
)
def test_settled_by_hand(values: list[float | None], options: dict[str, float], epoch: int | None) -> None:
    assert first(Settled("s", **options), rows(values)) == epoch  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "epoch"), [("3ep", 3), ("25it", 3), ("2ep10it", 3), (3, 3), ("0ep", 0), ("9ep", None)]
)
def test_at_fires_at_the_first_update_at_or_after(moment: str | int, epoch: int | None) -> None:
    assert first(At(moment), rows([None] * 6)) == epoch


PEAK_AT_4 = rows([9, 1, 5, 4, 3, 2, 1, 0])


def test_an_upper_bound_holds_without_any_signal() -> None:
    assert first(no_later_than(Peak("s"), "3ep"), PEAK_AT_4) == 3
    assert first(no_later_than(Peak("s"), "6ep"), PEAK_AT_4) == 4
    assert first(no_later_than(Peak("absent"), "6ep"), PEAK_AT_4) == 6
    assert first(no_later_than(Peak("s"), "3ep"), rows([math.nan] * 5)) == 3


def test_a_lower_bound_does_not_forget_the_peak_before_it() -> None:
    assert first(no_earlier_than(Peak("s"), "6ep"), PEAK_AT_4) == 6
    assert first(no_earlier_than(Peak("s"), "65it"), PEAK_AT_4) == 7
    assert first(no_earlier_than(Peak("s"), "2ep"), PEAK_AT_4) == 4
    assert first(no_earlier_than(Peak("s"), "2ep"), rows([1, 2, 3, 4])) is None
    window = no_later_than(no_earlier_than(Peak("s"), "2ep"), "3ep")
    assert first(window, PEAK_AT_4) == 3


def test_any_and_all() -> None:
    assert first(any_of(At("5ep"), Peak("s")), PEAK_AT_4) == 4
    assert first(all_of(At("5ep"), Peak("s")), PEAK_AT_4) == 5
    # Each stays fired: here one fires at epoch 1 alone, the other at 3 alone.
    log = [(moment, {"a": float(i != 1), "b": float(i != 3)}) for i, (moment, _) in enumerate(rows([None] * 5))]
    assert first(all_of(Below("a", 0.5), Below("b", 0.5)), log) == 3
    assert all_of(Below("a", 1), any_of(Peak("b"), At("1ep"))).needs == {"a", "b"}


def test_the_table_of_names() -> None:
    assert TRIGGERS["peak"]("s") == Peak("s")
    assert TRIGGERS["below"]("s", 0.1) == Below("s", 0.1)
    assert TRIGGERS["settled"]("s", 0.1) == Settled("s", 0.1)
    assert TRIGGERS["at"]("12ep") == At("12ep")


def test_the_time_of_early_crop() -> None:
    """Strictly below th = 1 - sparsity, the first value too; never later than half of the run."""
    falling = rows([None, 1.0, 0.5, 0.25, 0.2, 0.19, 0.1], "weight_change")
    assert first(early_crop_trigger(0.5, 100), falling) == 3
    assert first(early_crop_trigger(0.2, 100), falling) == 5
    assert first(early_crop_trigger(0.2, 9), falling) == 4
    assert first(early_crop_trigger(1, 100), rows([None, 0.9], "weight_change")) == 1
    for density, epochs in ((0, 9), (1.1, 9), (math.nan, 9), (0.5, 1)):
        with pytest.raises(SignalError, match="early_crop_trigger: density must lie in"):
            early_crop_trigger(density, epochs)


def test_the_time_of_early_bird() -> None:
    """At the threshold or below it, at the first full window."""
    assert first(early_bird_trigger(), rows([None, None, 0.1], "mask_distance")) == 2
    assert first(early_bird_trigger(), rows([None, 0.1000001, 0.2, 0.05], "mask_distance")) == 3
    assert first(early_bird_trigger(0), rows([0.1, 0.0], "mask_distance")) == 1
    for threshold in (-0.1, math.nan, math.inf):
        with pytest.raises(SignalError, match="early_bird_trigger: expected a threshold"):
            early_bird_trigger(threshold)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Peak("s", patience=0), "Peak.*patience: expected a finite number of at least 1, got 0"),
        (lambda: Peak("s", smoothing=0), "smoothing"),
        (lambda: Peak("s", min_drop=-0.1), "min_drop"),
        (lambda: Peak("s", min_drop=math.nan), "min_drop"),
        (lambda: Peak("s", warm_up=-1), "warm_up"),
        (lambda: Below("s", math.nan), "threshold"),
        (lambda: Below("s", 0.1, patience=0), "patience"),
        (lambda: Below("s", 0.1, warm_up=-1), "warm_up"),
        (lambda: Settled("s", tolerance=-0.1), "Settled.*tolerance"),
        (lambda: Settled("s", tolerance=math.nan), "tolerance"),
        (lambda: Settled("s", patience=0), "patience: expected a finite number of at least 1, got 0"),
        (lambda: Settled("s", smoothing=0), "smoothing"),
        (lambda: Settled("s", warm_up=-1), "warm_up"),
        (lambda: At("soon"), r"At\(moment='soon'\).*write '12ep'"),
        (lambda: At(-1), "steps >= 0"),
        (lambda: no_later_than(Peak("s"), "12"), "not understood"),
        (any_of, "at least one trigger"),
        (all_of, "at least one trigger"),
    ],
)
def test_wrong_arguments_are_refused_by_name(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SignalError, match=message):
        make()
