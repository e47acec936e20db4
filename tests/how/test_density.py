"""Schedules and counts against their closed forms in exact arithmetic."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import PruningError
from secateurs.how import DENSITIES, early_crop, exponential, harmonic, imp, linear, one_shot, rounds, survivors

DECIMALS = st.integers(1, 1000).map(lambda thousandths: thousandths / 1000)
TO_A_TARGET = sorted(set(DENSITIES) - {"imp", "one_shot"})


@given(DECIMALS, st.integers(0, 10**9))
def test_survivors_round_the_decimal_number_half_up(density: float, total: int) -> None:
    assert survivors(density, total) == int((Decimal(str(density)) * total).to_integral_value(ROUND_HALF_UP))


def test_survivors_where_floating_point_loses_the_half() -> None:
    assert int(0.7 * 45 + 0.5) == 31
    assert survivors(0.7, 45) == 32


@pytest.mark.parametrize("density", [-0.1, 1.1, float("nan")])
def test_survivors_refuses_what_is_no_share(density: float) -> None:
    with pytest.raises(PruningError, match="between 0 and 1"):
        survivors(density, 10)


@given(st.sampled_from(TO_A_TARGET), DECIMALS, st.integers(1, 30))
def test_schedules_fall_and_end_exactly_at_the_target(name: str, density: float, n: int) -> None:
    steps = DENSITIES[name](density, n)
    assert steps[-1] == density
    assert all(after <= before for before, after in pairwise((1.0, *steps)))
    if name != "early_crop":
        assert len(steps) == n


@pytest.mark.parametrize("name", TO_A_TARGET)
def test_schedules_refuse_what_they_cannot_do(name: str) -> None:
    for density in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(PruningError, match="above 0 and at most 1"):
            DENSITIES[name](density, 3)
    with pytest.raises(PruningError, match="at least one step"):
        DENSITIES[name](0.5, 0)


def test_early_crop_of_98_percent() -> None:
    sparsities = [float(1 - Fraction(repr(d))) for d in early_crop(0.02, 5)]
    assert sparsities == [0.5, 0.74, 0.86, 0.92, 0.95, 0.965, 0.98]
    assert early_crop(0.5, 5) == (0.5,)


def test_imp_is_exact_at_levels_where_repeated_rounding_is_not() -> None:
    assert imp(3) == (0.8, 0.64, 0.512)
    counts = [survivors(density, 1003) for density in imp(12)]
    assert counts == [int(Fraction(4, 5) ** level * 1003 + Fraction(1, 2)) for level in range(1, 13)]
    for rate in (0.0, 1.0):
        with pytest.raises(PruningError, match="rate"):
            imp(3, rate)
    with pytest.raises(PruningError, match="at least one step"):
        imp(0)


@given(DECIMALS, st.integers(1, 25))
def test_harmonic_removes_the_fraction_of_the_released_code(density: float, n: int) -> None:
    remaining, p = Fraction(1), 1 - Fraction(repr(density))
    for k, after in enumerate(harmonic(density, n), start=1):
        remaining -= remaining * p / (k * p + n * (1 - p))
        assert after == float(remaining)


@given(DECIMALS, st.integers(1, 25))
def test_exponential_drops_the_same_share_of_the_rest_each_time(density: float, n: int) -> None:
    ratios = [after / before for before, after in pairwise((1.0, *exponential(density, n)))]
    assert ratios == pytest.approx([density ** (1 / n)] * n, rel=1e-12)


def test_the_plain_ones() -> None:
    assert one_shot(0.1) == (0.1,)
    assert rounds(0.25, 25) == linear(0.25, 25)
    assert linear(0.1, 3) == (0.7, 0.4, 0.1)
