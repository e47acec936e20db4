"""Area under the density curve and training FLOPs, step by step; prices."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import MeasureError
from secateurs.measure.costs import V100_32GB, History, area_under, money, training_flops

LATER = st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=5)


@given(st.floats(0, 1), LATER, st.integers(30, 40))
def test_it_is_the_sum_over_single_epochs(first: float, later: list[tuple[int, float]], end: int) -> None:
    history = [(0, first), *sorted(later, key=lambda each: each[0])]
    density, slow = first, 0.0
    for epoch in range(end):
        for start, value in history:
            density = value if start == epoch else density
        slow += density
    assert area_under(history, end) == pytest.approx(slow)
    per_example = [(start, 1000 * value) for start, value in history]
    assert training_flops(per_example, end, examples=7) == pytest.approx(slow * 1000 * 7 * 6)


def test_dense_epochs_then_pruned_epochs() -> None:
    history = [(0, 1.0), (12, 0.1)]
    assert area_under(history, 30) == pytest.approx(12 + 1.8)
    # 12 dense epochs and 18 of a tenth, 5 examples each: forward 2 operations, backward twice that
    assert training_flops([(0, 100), (12, 10)], 30, examples=5) == 5 * (12 * 100 + 18 * 10) * 6
    assert training_flops([(0, 100)], 2, examples=1, backward=0) == 400
    assert area_under([(0, 1.0), (0, 0.5), (10, 0.1), (10, 0.2)], 10) == 5


@pytest.mark.parametrize(
    ("history", "end", "told"),
    [
        ([], 10, "begins at no moment"),
        ([(1, 1.0)], 10, "begins at 1"),
        ([(0, 1.0), (5, 0.5), (4, 0.1)], 10, "4 comes after 5"),
        ([(0, 1.0), (12, 0.1)], 10, "none after the end, 10"),
        ([(0, 1.0), (math.nan, 0.1)], 10, "nan comes after 0"),
        ([(0, 1.0)], math.inf, "inf comes after 0"),
    ],
)
def test_refused(history: History, end: float, told: str) -> None:
    with pytest.raises(MeasureError, match=told):
        area_under(history, end)


def test_the_prices_of_p1() -> None:
    assert money(4.6, per_hour=V100_32GB) == pytest.approx(22.816)  # appendix A
    assert round(money(0.64), 2) == 1.59
    assert money(1, per_hour=0.5, kilowatt_hours=2, per_kilowatt_hour=0.25) == 1
