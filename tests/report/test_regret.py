"""Regret by hand, and its bounds."""

from __future__ import annotations

import dataclasses
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.report import GRID, DenseRun, PrunedRun, bootstrap_interval, find
from secateurs.report.regret import best_epoch_for, trigger_result
from secateurs.report.sentences import trigger_sentence


def run(seed: int, epoch: float, test: float, validation: float, by: tuple[str, ...] = (GRID,)) -> PrunedRun:
    return PrunedRun(
        seed, "net", f"{epoch}ep", epoch, 0.1, by, {"test_accuracy": test, "validation_accuracy": validation}
    )


def test_regret_by_hand(make_study) -> None:
    (found,) = find(make_study())
    (peak,) = found.triggers
    # best moment is epoch 4 for all: test .90 .91 .92; the trigger has .90 (on the grid), .905, .93
    assert [choice.best_epoch for choice in peak.choices] == [4, 4, 4]
    assert [choice.regret for choice in peak.choices] == pytest.approx([0.0, 0.005, -0.01])
    assert [choice.cost for choice in peak.choices] == pytest.approx([0.03, 0.025, 0.0])
    assert peak.regret is not None
    assert peak.regret.mean == pytest.approx(-0.005 / 3)  # negative: the trigger did better
    assert peak.interval is not None
    assert peak.interval[0] == pytest.approx(-0.01)
    assert peak.interval[1] == pytest.approx(0.005)
    assert peak.never == peak.lost == ()


def test_the_best_moment_of_a_seed_is_that_of_the_others() -> None:
    # Seed 0 alone would say epoch 1, the others say epoch 2: its own noise must not choose.
    runs = [run(0, 1, 0.99, 0.99), run(0, 2, 0.5, 0.5)]
    runs += [run(seed, epoch, 0.1 * epoch, 0.1 * epoch) for seed in (1, 2) for epoch in (1, 2)]
    assert best_epoch_for(0, runs) == 2
    assert best_epoch_for(1, runs) == 1
    root = DenseRun(0, "net", 7, 3, [], {"test_accuracy": 1.0})
    fired = run(0, 1.5, 0.6, 0.6, ("peak",))
    result = trigger_result("peak", "", [root], [*runs, fired])
    assert result.choices[0].regret == pytest.approx(0.5 - 0.6)


def test_a_moment_that_another_seed_lacks_is_no_candidate() -> None:
    runs = [run(0, 1, 0.5, 0.5), run(0, 2, 0.9, 0.9), run(1, 1, 0.5, 0.5), run(2, 1, 0.5, 0.5), run(2, 2, 0.9, 0.9)]
    assert best_epoch_for(0, runs) == 1


def test_seeds_without_a_decision_are_named_and_have_no_regret(make_study) -> None:
    (found,) = find(make_study(triggered={1: (5.0, 0.905)}))
    (peak,) = found.triggers
    assert peak.never == (0, 2)
    assert [choice.seed for choice in peak.choices] == [1]
    assert peak.regret is not None
    assert peak.regret.n == 1
    assert peak.interval is None


def test_a_trigger_that_never_fired(make_study) -> None:
    (found,) = find(make_study(triggered={}))
    (peak,) = found.triggers
    assert (peak.choices, peak.never, peak.regret, peak.cost) == ((), (0, 1, 2), None, None)


def test_a_chosen_run_without_result_is_lost_not_never(make_study) -> None:
    (found,) = find(make_study(triggered={0: (5.0, None), 1: (5.0, 0.9), 2: (5.0, 0.9)}))
    (peak,) = found.triggers
    assert (peak.lost, peak.never) == ((0,), ())
    assert peak.regret is not None
    assert peak.regret.n == 2
    assert found.missing == ("pruned at epoch 5, seed 0",)


def test_a_diverged_run_has_no_regret_and_is_named(make_study) -> None:
    study = make_study()
    runs = [
        dataclasses.replace(r, summary={"test_accuracy": 0.1, "diverged": "7ep2it"}) if "peak" in r.chosen_by else r
        for r in study.pruned
    ]
    (found,) = find(dataclasses.replace(study, pruned=runs))
    (peak,) = found.triggers
    assert peak.lost == (0, 1, 2)
    assert peak.regret is None
    assert [(d.seed, d.pruned, d.moment) for d in found.diverged] == [
        (0, "4ep", "7ep2it"),
        (1, "5ep", "7ep2it"),
        (2, "6ep", "7ep2it"),
    ]


def test_one_seed_has_no_regret(make_study) -> None:
    (found,) = find(make_study(seeds=1))
    (peak,) = found.triggers
    assert peak.regret is None
    assert peak.cost is not None


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6))
def test_the_interval_lies_within_the_values_and_is_reproducible(values: list[float]) -> None:
    bounds = bootstrap_interval(values, resamples=500)
    assert bounds == bootstrap_interval(values, resamples=500)
    assert bounds is not None
    assert min(values) - 1e-12 <= bounds[0] <= bounds[1] <= max(values) + 1e-12


def test_the_interval_of_many_values_is_about_the_normal_one() -> None:
    values = [0.1 * (index % 11) for index in range(110)]
    bounds = bootstrap_interval(values)
    mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
    assert bounds is not None
    assert bounds[0] == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert bounds[1] == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_a_dense_run_that_is_not_done_says_nothing_about_a_trigger() -> None:
    root = DenseRun(0, "net", 7, 3, [])
    result = trigger_result("peak", "", [root], [])
    assert result.never == ()
    assert trigger_sentence(result) == "The trigger “peak” has no finished dense run to be judged on yet."
    done = DenseRun(0, "net", 7, 3, [], {"test_accuracy": 0.9})
    assert trigger_result("peak", "", [done], []).never == (0,)


def test_a_dense_run_that_diverged_decides_nothing(make_study) -> None:
    """What is pruned from it early has results, what is pruned later has none: it must not name the best moment."""
    study = make_study(seeds=3)
    lost = {"diverged": "2ep"}
    dense = [*study.dense, DenseRun(3, "net", 7, 10, [], lost)]
    pruned = [*study.pruned, run(3, 0, 0.99, 0.99)]
    pruned += [PrunedRun(3, "net", f"{at}ep", at, 0.1, (GRID,), lost) for at in (4.0, 8.0)]
    (before,) = find(study)
    (after,) = find(dataclasses.replace(study, dense=dense, pruned=pruned))
    assert after.best == before.best
    assert after.early_gain == before.early_gain
    assert after.triggers[0].regret == before.triggers[0].regret
    assert [each.seed for each in after.diverged] == [3, 3, 3]
