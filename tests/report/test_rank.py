"""Rank correlation against a slow, obvious oracle, and over the seeds of a study."""

from __future__ import annotations

import dataclasses
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import DataError
from secateurs.report import GRID, DenseRun, PrunedRun, find, ranks, spearman
from secateurs.report.rank import correlations

tied = st.integers(-3, 3).map(float)
values = st.lists(st.tuples(tied, tied) | st.tuples(st.floats(-1e9, 1e9), tied), min_size=3, max_size=12)


def rank_of(value: float, among: list[float]) -> float:
    """How many are below, and half of the others that are equal."""
    return 1 + sum(each < value for each in among) + (sum(each == value for each in among) - 1) / 2


@given(st.lists(tied | st.floats(-1e9, 1e9), max_size=12))
def test_ranks_are_those_of_counting(numbers: list[float]) -> None:
    assert ranks(numbers).tolist() == [rank_of(value, numbers) for value in numbers]


@given(values)
def test_spearman_is_pearson_of_counted_ranks(pairs: list[tuple[float, float]]) -> None:
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    found = spearman(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
        return
    first, second = [rank_of(x, a) for x in a], [rank_of(y, b) for y in b]
    assert found == pytest.approx(statistics.correlation(first, second), abs=1e-12)
    assert found == spearman(b, a)
    assert -1 <= found <= 1


def test_known_values() -> None:
    # Without ties: 1 - 6 * sum(d^2) / (n (n^2 - 1)) with d^2 = 1 + 1 + 4 + 1 + 1
    assert spearman([1, 2, 3, 4, 5], [2, 1, 5, 3, 4]) == pytest.approx(1 - 6 * 8 / 120)
    assert spearman([1, 2, 3], [1e-9, 2, 1e9]) == 1.0
    assert spearman([1, 2, 3], [3, 2, 1]) == -1.0
    assert spearman([1, 2], [1, 2]) is None


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(DataError, match="3 values against 2"):
        spearman([1, 2, 3], [1, 2])
    with pytest.raises(DataError, match="not finite"):
        spearman([1, 2, float("nan")], [1, 2, 3])


def runs(seed: int, signal: list[float], accuracy: list[float | None]) -> tuple[DenseRun, list[PrunedRun]]:
    """A dense run that measured ``signal`` at each epoch from 0 on, pruned at each of them."""
    root = DenseRun(seed, "net", 7, 9, [{"epoch": e, "s": value} for e, value in enumerate(signal)])
    results = [{"test_accuracy": a, "validation_accuracy": a and 1 - a} for a in accuracy]
    return root, [PrunedRun(seed, "net", f"{e}ep", e, 0.1, (GRID,), result) for e, result in enumerate(results)]


def test_each_seed_against_its_own_signal_without_the_untrained_network() -> None:
    first, pruned = runs(0, [99.0, 1.0, 2.0, 3.0], [0.9, 0.1, 0.2, 0.3])
    second, more = runs(1, [99.0, 1.0, 3.0, 2.0, 4.0], [0.9, 0.1, 0.2, 0.3, None])
    validation, test = correlations([first, second], [*pruned, *more], ["s", "absent"])
    assert (validation.part, test.part) == ("validation", "test")
    assert test.spread.mean == pytest.approx((1.0 + 0.5) / 2)
    assert validation.spread.mean == pytest.approx(-0.75)
    assert test.interval == (0.5, 1.0)
    assert (test.moments, test.spread.n) == (3, 2)


def test_one_seed_has_no_interval_and_lost_or_diverged_runs_take_no_part(make_study) -> None:
    root, pruned = runs(0, [0.0, 1.0, 2.0, 3.0], [None, 0.1, 0.2, 0.3])
    assert correlations([root], pruned, ["s"])[1].interval is None
    assert correlations([root], pruned[:3], ["s"]) == ()
    gone = dataclasses.replace(root, summary={"diverged": "2ep"})
    assert correlations([gone], pruned, ["s"]) == ()
    (found,) = find(make_study())
    assert found.correlations == ()  # two moments after the untrained network are too few
