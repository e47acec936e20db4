"""The cluster bootstrap against the exact distribution of its resamples, and what leaves it as it is."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.report.ranking import cluster_interval, cluster_mean

VALUES = st.integers(-64, 64).map(lambda each: each / 128)
GROUPS = st.lists(st.lists(VALUES, min_size=1, max_size=4), min_size=1, max_size=4)


def every_mean(groups: list[list[float]]) -> dict[float, float]:
    """All means that a resample can have, with their probabilities: by going through every one."""
    chances: dict[float, float] = {}
    inner = [[statistics.fmean(each) for each in itertools.product(values, repeat=len(values))] for values in groups]
    for drawn in itertools.product(range(len(groups)), repeat=len(groups)):
        options = [inner[index] for index in drawn]
        weight = 1 / len(groups) ** len(groups)
        for means in itertools.product(*options):
            mean = round(statistics.fmean(means), 9)
            chances[mean] = chances.get(mean, 0.0) + weight / np.prod([len(option) for option in options])
    return chances


@pytest.mark.parametrize("groups", [[[0.0, 1.0], [4.0, 5.0, 9.0]], [[0.0], [1.0], [3.0]], [[0.5, 1.0, 2.0]]], ids=str)
@pytest.mark.parametrize("level", [0.5, 0.8])
def test_the_interval_holds_what_it_says_of_all_resamples(groups: list[list[float]], level: float) -> None:
    chances = every_mean(groups)
    assert sum(chances.values()) == pytest.approx(1)
    low, high = cluster_interval(groups, level=level, resamples=40_000)
    for end, inside in ((low, lambda mean: mean <= low + 1e-6), (high, lambda mean: mean >= high - 1e-6)):
        share = sum(chance for mean, chance in chances.items() if inside(mean))
        without = sum(chance for mean, chance in chances.items() if inside(mean) and abs(mean - end) > 1e-6)
        assert without - 0.01 <= (1 - level) / 2 <= share + 0.01


def test_settings_weigh_the_same_however_many_seeds_they_have() -> None:
    assert cluster_mean([[1.0] * 9, [3.0]]) == 2.0
    assert cluster_mean([[], []]) is None
    assert cluster_interval([[], [1.0]]) is None


def test_few_settings_make_a_wide_interval_however_many_their_seeds() -> None:
    apart = [[0.0] * 50, [1.0] * 50]
    assert cluster_interval(apart) == (0.0, 1.0)
    low, high = cluster_interval([[0.0, 1.0] * 25, [0.0, 1.0] * 25])
    assert high - low < 0.35


@given(GROUPS, st.randoms(use_true_random=False), VALUES)
def test_order_changes_nothing_and_a_constant_moves_it(groups, random, constant: float) -> None:
    found = cluster_interval(groups, resamples=300)
    mixed = [random.sample(values, len(values)) for values in random.sample(groups, len(groups))]
    assert cluster_interval(mixed, resamples=300) == found
    assert cluster_mean(mixed) == cluster_mean(groups)
    moved = cluster_interval([[value + constant for value in values] for values in groups], resamples=300)
    if found is None:
        assert moved is None
    else:
        assert moved == pytest.approx((found[0] + constant, found[1] + constant))
        values = [value for group in groups for value in group]
        assert min(values) - 1e-12 <= found[0] <= found[1] <= max(values) + 1e-12
