"""Student's t over settings: the interval by hand, its coverage by simulation."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.report import bootstrap_interval
from secateurs.report.ranking import cluster_interval, cluster_mean

VALUES = st.integers(-64, 64).map(lambda each: each / 128)
GROUPS = st.lists(st.lists(VALUES, min_size=1, max_size=4), min_size=1, max_size=4)


def test_the_interval_by_hand() -> None:
    low, high = cluster_interval([[1.0], [2.0], [1.0, 5.0]])  # means 1, 2, 3: deviation 1
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), abs=1e-4)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Eight settings of five seeds: normal means of settings, and seeds that differ about them."""
    random = np.random.default_rng(0)
    rounds = 1500
    held = 0
    for _ in range(rounds):
        means = random.normal(0.0, 1.0, size=(8, 1))
        low, high = cluster_interval((means + random.normal(0.0, 0.5, size=(8, 5))).tolist())
        held += low <= 0 <= high
    assert 0.93 < held / rounds < 0.97


def test_a_bootstrap_over_five_seeds_covers_less() -> None:
    """What the notes say of it: about 83 %."""
    random = np.random.default_rng(0)
    found = [bootstrap_interval(random.normal(size=5).tolist(), resamples=400) for _ in range(1000)]
    assert 0.79 < statistics.fmean(low <= 0 <= high for low, high in found) < 0.87


def test_settings_weigh_the_same_however_many_seeds_they_have() -> None:
    assert cluster_mean([[1.0] * 9, [3.0]]) == 2.0
    assert cluster_mean([[], []]) is None


def test_settings_are_the_witnesses_however_many_their_seeds() -> None:
    assert cluster_interval([[], [1.0, 2.0, 3.0]]) is None
    assert cluster_interval([[0.0] * 50, [1.0] * 50]) == cluster_interval([[0.0], [1.0]])
    assert cluster_interval([[0.0, 1.0] * 25] * 2) == (0.5, 0.5)


@given(GROUPS, st.randoms(use_true_random=False), VALUES)
def test_order_changes_nothing_and_a_constant_moves_it(groups, random, constant: float) -> None:
    found = cluster_interval(groups)
    mixed = [random.sample(values, len(values)) for values in random.sample(groups, len(groups))]
    assert cluster_interval(mixed) == found
    assert cluster_mean(mixed) == cluster_mean(groups)
    moved = cluster_interval([[value + constant for value in values] for values in groups])
    if found is None:
        assert moved is None
        assert len(groups) < 2
    else:
        assert moved == pytest.approx((found[0] + constant, found[1] + constant))
        assert found[0] <= cluster_mean(groups) <= found[1]
        assert sum(found) / 2 == pytest.approx(cluster_mean(groups))
