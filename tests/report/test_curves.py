"""Curves and peaks on numbers that can be checked by eye."""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.report import DenseRun, Spread, find
from secateurs.report.curves import accuracy_curve, best_point, find_peak, signal_curve, signal_peak

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=8))
def test_spread_is_that_of_numpy(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread is not None
    assert spread.n == len(values)
    assert spread.mean == pytest.approx(np.mean(values), abs=1e-9)
    if len(values) == 1:
        assert spread.sd is None
    else:
        assert spread.sd == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-9)


def test_curve_means_over_seeds_at_grid_moments_only(make_study) -> None:
    (found,) = find(make_study())
    assert [point.epoch for point in found.curve] == [0, 4, 8]
    assert found.curve[1].test.mean == pytest.approx(0.91)
    assert found.curve[1].test.sd == pytest.approx(statistics.stdev([0.90, 0.91, 0.92]))
    assert found.best == found.curve[1]
    assert found.early_gain is not None
    assert found.early_gain.mean == pytest.approx(0.05)
    assert found.early_gain.sd == pytest.approx(0.0, abs=1e-12)


def test_the_best_moment_is_chosen_on_validation_not_on_test(make_study) -> None:
    study = make_study()
    runs = [
        dataclasses.replace(run, summary={**run.summary, "validation_accuracy": 0.99}) if run.epoch == 8 else run
        for run in study.pruned
    ]
    best = best_point(accuracy_curve(runs))
    assert best is not None
    assert best.epoch == 8


def test_a_moment_where_a_run_diverged_cannot_be_best_on_the_survivors(make_study) -> None:
    study = make_study()
    runs = [
        dataclasses.replace(run, summary={"diverged": "5ep"}) if (run.seed, run.epoch) == (0, 4) else run
        for run in study.pruned
    ]
    curve = accuracy_curve(runs)
    best = best_point(curve)
    assert [point.test.n for point in curve] == [3, 2, 3]
    assert best is not None
    assert best.epoch == 8


def test_equal_validation_accuracies_mean_the_earlier_moment(make_study) -> None:
    runs = [
        dataclasses.replace(run, summary={**run.summary, "validation_accuracy": 0.9}) for run in make_study().pruned
    ]
    best = best_point(accuracy_curve(runs))
    assert best is not None
    assert best.epoch == 0


def test_without_validation_accuracy_there_is_no_best_moment(make_study) -> None:
    runs = [dataclasses.replace(run, summary={"test_accuracy": 0.9}) for run in make_study().pruned]
    curve = accuracy_curve(runs)
    assert len(curve) == 3
    assert best_point(curve) is None


@given(st.lists(finite, min_size=2, max_size=12))
def test_an_inside_peak_rose_before_and_has_something_after(values: list[float]) -> None:
    found = find_peak(range(len(values)), values)
    assert found is not None
    top, place = found
    assert values[top] == max(values[1:])
    assert (place == "end") == (top == len(values) - 1)
    if place == "inside":
        assert values[top - 1] <= values[top] >= values[top + 1]
    if place == "start":
        assert top == 1
        assert values[0] > values[1]


def test_peak_of_a_run_that_starts_after_epoch_0_or_has_gaps() -> None:
    assert find_peak([1, 2, 3], [3.0, 2.0, 1.0]) == (0, "start")
    assert find_peak([0], [1.0]) is None
    rows = [{"epoch": e, "s": v} for e, v in enumerate([9.0, 1.0, None, 4.0, math.nan, 1.0])]
    peak = signal_peak(DenseRun(3, "net", 7, 5, rows), "s")
    assert peak is not None
    assert (peak.seed, peak.epoch, peak.value, peak.inside, peak.drop) == (3, 3.0, 4.0, True, 0.75)


def test_signal_curve_over_seeds_that_measured_at_other_epochs() -> None:
    runs = [
        DenseRun(0, "net", 7, 2, [{"epoch": 1, "s": 1.0}, {"epoch": 2, "s": 2.0}]),
        DenseRun(1, "net", 7, 2, [{"epoch": 1, "s": 3.0}, {"epoch": 2, "s": None}]),
    ]
    curve = signal_curve(runs, "s")
    assert curve is not None
    assert curve.epochs == (1.0, 2.0)
    assert [(value.mean, value.n) for value in curve.values] == [(2.0, 2), (2.0, 1)]
    assert signal_curve(runs, "other") is None


def test_densities_and_settings_are_judged_apart(make_study) -> None:
    study = make_study()
    more = [dataclasses.replace(run, density=0.2) for run in study.pruned]
    found = find(dataclasses.replace(study, pruned=[*study.pruned, *more]))
    assert [(item.setting, item.density) for item in found] == [("net", 0.2), ("net", 0.1)]
    assert found[0].curve == found[1].curve
