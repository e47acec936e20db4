"""Student's t: the quantile against quadrature and printed tables, the interval's coverage where seeds are few."""

from __future__ import annotations

import math

import numpy as np
import pytest

from secateurs.report.student import by_chance, t_interval, t_quantile


def below(t: float, degrees: int, steps: int = 20_000) -> float:
    """The chance that Student's t lies below t >= 0: its density by the trapezoid rule."""
    x = np.linspace(0.0, t, steps + 1)
    norm = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2) / math.sqrt(math.pi * degrees)
    return 0.5 + float(np.trapezoid(norm * (1 + x**2 / degrees) ** (-(degrees + 1) / 2), x))


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 14, 31])
@pytest.mark.parametrize("share", [0.5, 0.75, 0.95, 0.975])
def test_the_quantile_by_quadrature(share: float, degrees: int) -> None:
    assert below(t_quantile(share, degrees), degrees) == pytest.approx(share, abs=1e-6)


def test_the_quantile_as_printed_in_tables() -> None:
    printed = {1: 12.706, 2: 4.303, 4: 2.776, 7: 2.365, 30: 2.042}
    assert {degrees: round(t_quantile(0.975, degrees), 3) for degrees in printed} == printed


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_leaves_out_nothing_as_often_as_it_says(seeds: int) -> None:
    random = np.random.default_rng(0)
    rounds = 2000
    apart = 0
    for _ in range(rounds):
        low, high = t_interval(random.normal(size=seeds).tolist())
        apart += low > 0 or high < 0
    assert apart == pytest.approx(by_chance(rounds), rel=0.2), "one in twenty; a percentile bootstrap of 3: one in four"


def test_one_value_has_no_interval_and_equal_ones_none_to_speak_of() -> None:
    assert t_interval([]) is None
    assert t_interval([0.5]) is None
    assert t_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    assert by_chance(20) == pytest.approx(1.0)
