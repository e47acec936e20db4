"""Rules on plain numbers: what matches, since when, and how fast it was learnt."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import (
    MATCHING_WITHIN,
    MeasureError,
    early_stopping,
    first_from,
    is_matching,
    least_dilation,
    median_step,
    sparsity_range,
)

STEPS = st.lists(st.integers(0, 10_000), unique=True, max_size=8)
MAYBE = st.none() | st.integers(0, 10)


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.integers(0, 1000))
def test_matching_is_decided_as_by_whole_numbers(correct: int, reference: int, within: int) -> None:
    """Of 100,000 examples, whatever floats make of it."""
    found = is_matching(correct / 1e5, reference / 1e5, within / 1e5)
    assert found == (correct >= reference - within)


def test_two_tenths_of_a_point_still_match() -> None:
    assert MATCHING_WITHIN == 0.002
    assert all(is_matching(correct / 10_000, (correct + 20) / 10_000) for correct in range(9981))
    assert not any(is_matching(correct / 10_000, (correct + 21) / 10_000) for correct in range(9980))
    assert not is_matching(None, 0.5)
    assert not is_matching(math.nan, 0.5)


@given(st.lists(st.tuples(st.integers(2, 21), st.none() | st.integers(0, 100)), max_size=8))
def test_the_least_that_matches_wherever_it_stands(pairs: list[tuple[int, int | None]]) -> None:
    factors = [tenths / 10 for tenths, _ in pairs]
    accuracies = [None if percent is None else percent / 100 for _, percent in pairs]
    good = [tenths / 10 for tenths, percent in pairs if percent is not None and percent >= 50]
    assert least_dilation(factors, accuracies, 0.5, 0.0) == min(good, default=None)


@given(STEPS, st.data())
def test_early_stopping_is_the_first_of_the_lowest(steps: list[int], data: st.DataObject) -> None:
    losses = data.draw(
        st.lists(
            st.sampled_from([0.1, 0.2, math.nan, math.inf, -math.inf, None]), min_size=len(steps), max_size=len(steps)
        )
    )
    found = early_stopping(steps, losses)
    finite = {step: loss for step, loss in zip(steps, losses, strict=True) if loss in (0.1, 0.2)}
    if found is None:
        assert not finite
    else:
        lowest = min(loss for loss in finite.values() if loss is not None)
        assert losses[found] == lowest
        assert steps[found] == min(step for step, loss in finite.items() if loss == lowest)


def test_ranges() -> None:
    assert [sparsity_range(t, m) for t in (True, False) for m in (True, False)] == ["I", "I", "II", "III"]


@given(STEPS, st.data())
def test_from_where_it_holds_it_holds_ever_after(steps: list[int], data: st.DataObject) -> None:
    flags = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))
    holds = dict(zip(steps, flags, strict=True))
    good = [step for step in steps if all(flag for later, flag in holds.items() if later >= step)]
    assert first_from(steps, flags) == min(good, default=None)


@given(st.lists(MAYBE, max_size=9))
def test_the_median_is_there_where_a_majority_has_one(steps: list[int | None]) -> None:
    known = [step for step in steps if step is not None]
    found = median_step(steps)
    assert (found is None) == (2 * len(known) <= len(steps))
    if found is not None:
        assert math.isfinite(found)
        assert found == median([*known, *[10**9] * (len(steps) - len(known))])


def test_lengths_must_agree() -> None:
    with pytest.raises(
        MeasureError, match="least_dilation: one value for each of the factors: got 2 factors, 1 values"
    ):
        least_dilation([0.5, 1.0], [0.9], 0.9)
    for rule in (early_stopping, first_from):
        with pytest.raises(MeasureError, match=f"{rule.__name__}: one value for each"):
            rule([1], [])
