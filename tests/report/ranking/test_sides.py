"""Where triggers stand: by hand, against a slow oracle, and what must change nothing."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secateurs.core import DataError
from secateurs.report import GRID, DenseRun, PrunedRun, RankingStudy, Study, bootstrap_interval
from secateurs.report.ranking import Standing, difference, sides, summary


def by_name(bench: RankingStudy, side: int = 0) -> dict[str, Standing]:
    return {each.trigger: each for each in sides(bench)[side].standings}


def test_regrets_by_hand(make_bench) -> None:
    """The best moment is epoch 4 everywhere, 0.75; pruned at the end a network has 0.25, so a regret of 0.5."""
    found = by_name(make_bench())
    peak = found["peak"]
    assert [dict(place.regrets) for place in peak.places] == [
        {0: 0.0, 1: 0.125, 2: 0.0},
        {0: 0.0, 1: 0.5, 2: -0.125},  # on seed 1 it never fired
        {0: 0.25, 1: 0.25, 2: 0.25},
    ]
    assert peak.regret == pytest.approx((0.125 / 3 + 0.125 + 0.25) / 3)
    assert peak.share == pytest.approx((1 / 3 + (0.4 + 1.0 + 0.6) / 3 + 0.1) / 3)
    assert peak.places[1].charged == (1,)
    assert (peak.never, peak.uncharged, peak.runs, peak.settings, peak.lost) == (1, 0, 9, 3, 0)
    assert peak.worst.setting == "c <i>"
    assert peak.overhead == pytest.approx(11 * 0.05 / (10 * 0.8))
    half = found["half"]
    assert (half.regret, half.interval, half.share, half.overhead) == (0.0625, (0.0625, 0.0625), 0.5, 0.0)
    assert half.told_from_zero
    assert found["end"].regret == 0.5
    assert [each.trigger for each in sides(make_bench())[0].standings] == ["half", "peak", "end"]


def test_the_difference_is_paired(make_bench) -> None:
    found = by_name(make_bench())
    assert found["half"].behind is None
    assert found["end"].behind == pytest.approx(0.5 - 0.0625)
    assert found["end"].behind_interval == pytest.approx((0.4375, 0.4375))
    assert difference(found["peak"], found["half"])[0] == pytest.approx(found["peak"].regret - 0.0625)


def test_without_a_run_at_the_end_silence_is_no_merit(make_bench) -> None:
    quiet = {
        "a": {0: (4.0, 0.75), 1: None, 2: (4.0, 0.75)},
        "b": {0: (4.0, 0.75), 1: (4.0, 0.75), 2: (4.0, 0.75)},
    }
    bench = make_bench(quiet, end=False)
    (side,) = sides(bench)
    assert [each.trigger for each in side.standings] == ["half", "peak"]
    peak = side.standings[1]
    assert (peak.regret, peak.never, peak.uncharged, peak.settings) == (0.0, 1, 1, 2)
    assert peak.places[0].shares[1] == 1.0
    assert any("never fired on 1 of 6 runs: what that costs is not known on 1" in each for each in summary(side))
    assert sides(make_bench(quiet))[0].standings[0].trigger == "half"  # charged, it is behind, too


def test_judged_settings_come_first_and_stand_apart(make_bench) -> None:
    judged, chosen = sides(make_bench(judged=["b"]))
    assert [findings.setting for findings in judged.found] == ["b"]
    assert [findings.setting for findings in chosen.found] == ["a", "c <i>"]
    assert by_name(make_bench(judged=["b"]))["peak"].regret == pytest.approx(0.125)
    assert [side.name for side in sides(make_bench(judged=["a", "b", "c <i>"]))] == ["settings to judge on"]
    assert [side.name for side in sides(make_bench())] == ["all settings"]


def test_a_trigger_of_fewer_settings_stands_below(make_bench) -> None:
    peaks = {"a": dict.fromkeys(range(3), (4.0, 0.75)), "b": dict.fromkeys(range(3), (2.0, None))}
    (side,) = sides(make_bench(peaks))
    assert [each.trigger for each in side.standings] == ["half", "end", "peak"]
    peak = side.standings[2]
    assert (peak.regret, peak.settings, peak.lost) == (0.0, 1, 3)
    said = " ".join(summary(side))
    assert "Not every trigger can be judged in every setting; those judged in fewer stand below." in said
    assert "3 runs have no result" in said


def test_bounds_are_counted(make_bench) -> None:
    bench = make_bench(at_bound={("a", 0): ["peak"], ("a", 1): ["peak"], ("a", 2): ["peak"], ("b", 0): ["peak"]})
    peak = by_name(bench)["peak"]
    assert (peak.bound, peak.silent_settings) == (4, 1)
    assert peak.places[1].at_bound == (0,)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"judged": ["aa"]}, "judged: no setting 'aa'; choices: a, b, c <i>; did you mean 'a'"),
        ({"at_bound": {("a", 9): ["peak"]}}, r"at_bound: no dense run \('a', 9\)"),
    ],
)
def test_what_the_study_has_not(make_bench, more: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_bench(**more)


# ---------------------------------------------------------------------------- against a slow oracle

ACCURACY = st.integers(0, 256).map(lambda each: each / 512)  # sums and differences are exact
MOMENTS = (0.0, 3.0, 6.0)


@st.composite
def benches(draw: st.DrawFn) -> RankingStudy:
    """Settings, seeds, a grid, a trigger that may stay silent, and one at the end; some runs are lost."""
    dense, pruned = [], []
    for setting in "abc"[: draw(st.integers(1, 3))]:
        for seed in range(draw(st.integers(2, 4))):
            dense.append(DenseRun(seed, setting, 5, 8, [], {"test_accuracy": 0.5}))
            chosen = draw(st.sampled_from([None, 0.0, 2.0, 6.0, 7.0]))
            for epoch in sorted({*MOMENTS, 8.0, *([] if chosen is None else [chosen])}):
                by = [GRID] * (epoch in MOMENTS) + ["end"] * (epoch == 8.0) + ["t"] * (epoch == chosen)
                lost = epoch not in MOMENTS and draw(st.integers(0, 4)) == 0
                numbers = {"test_accuracy": draw(ACCURACY), "validation_accuracy": draw(ACCURACY)}
                pruned.append(PrunedRun(seed, setting, f"{epoch:g}ep", epoch, 0.1, tuple(by), {} if lost else numbers))
    return RankingStudy(Study("x", dense, pruned, triggers={"t": "", "end": ""}, signals=()))


def slow_regrets(study: Study, trigger: str, setting: str, part: str = "test") -> dict[int, float]:
    """Seed -> regret on this part of the data, with the end charged: straight from the runs, by the rule."""
    runs = [run for run in study.pruned if run.setting == setting]
    seeds = [run.seed for run in study.dense if run.setting == setting]
    test = {(run.seed, run.epoch): run.summary.get(f"{part}_accuracy") for run in runs}
    found = {}
    for seed in seeds:
        best, best_mean = None, -1.0
        for moment in MOMENTS:
            others = [
                run.summary["validation_accuracy"]
                for run in runs
                if run.epoch == moment and run.seed != seed and GRID in run.chosen_by
            ]
            if statistics.fmean(others) > best_mean:
                best, best_mean = moment, statistics.fmean(others)
        moments = [run.epoch for run in runs if run.seed == seed and trigger in run.chosen_by] or [8.0]
        if test[seed, moments[0]] is not None:
            found[seed] = test[seed, best] - test[seed, moments[0]]
    return found


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(benches())
def test_means_are_those_of_the_slow_oracle(bench: RankingStudy) -> None:
    (side,) = sides(bench)
    labels = list(dict.fromkeys(run.setting for run in bench.study.dense))
    for each in side.standings:
        slow = {label: slow_regrets(bench.study, each.trigger, label) for label in labels}
        assert {place.setting: dict(place.regrets) for place in each.places} == slow
        means = [statistics.fmean(values.values()) for values in slow.values() if values]
        assert each.regret == (statistics.fmean(means) if means else None)
        seen = {label: slow_regrets(bench.study, each.trigger, label, "validation") for label in labels}
        assert {place.setting: dict(place.validation_regrets) for place in each.places} == seen
        means = [statistics.fmean(values.values()) for values in seen.values() if values]
        assert each.validation_regret == (statistics.fmean(means) if means else None)


def test_settings_to_choose_on_are_ordered_by_validation(make_bench) -> None:
    """On validation data "peak" is hopeless; on test data it is the first."""
    bench = make_bench({name: dict.fromkeys(range(3), (2.0, 0.75)) for name in "ab"}, judged=["b"])
    pruned = [
        dataclasses.replace(run, summary={**run.summary, "validation_accuracy": 0.125}) if run.epoch == 2.0 else run
        for run in bench.study.pruned
    ]
    judged, chosen = sides(dataclasses.replace(bench, study=dataclasses.replace(bench.study, pruned=pruned)))
    assert [each.trigger for each in judged.standings] == ["peak", "half", "end"]
    assert [each.trigger for each in chosen.standings] == ["half", "end", "peak"]
    peak = chosen.standings[2]
    assert (peak.regret, peak.validation_regret, peak.validation_interval) == (0.0, 0.625, None)


def test_the_interval_of_one_setting_is_that_of_every_other_page(make_bench) -> None:
    peak = by_name(make_bench())["peak"]
    assert peak.places[0].interval == peak.places[0].result.interval == bootstrap_interval([0.0, 0.125, 0.0])
    assert peak.places[1].interval == bootstrap_interval([0.0, 0.5, -0.125])  # with the end that was charged, by seed


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(benches(), st.integers(0, 256).map(lambda each: each / 512), st.randoms(use_true_random=False))
def test_a_constant_and_the_order_and_names_of_runs_change_nothing(
    bench: RankingStudy, constant: float, random
) -> None:
    def numbers(of: RankingStudy) -> list[tuple[Any, ...]]:
        names = ("trigger", "regret", "interval", "behind", "behind_interval", "share", "never", "lost")
        return [tuple(getattr(each, name) for name in names) for each in sides(of)[0].standings]

    before, study = numbers(bench), bench.study
    lifted = [
        dataclasses.replace(run, summary={name: value + constant for name, value in run.summary.items()})
        for run in study.pruned
    ]
    assert numbers(RankingStudy(dataclasses.replace(study, pruned=lifted))) == before
    mixed = dataclasses.replace(
        study,
        dense=random.sample(list(study.dense), len(study.dense)),
        pruned=random.sample(list(study.pruned), len(study.pruned)),
    )
    assert numbers(RankingStudy(mixed)) == before
    names = dict(zip("abc", random.sample("xyz", 3), strict=True))
    seeds = {0: 12, 1: 7, 2: 0, 3: 5}
    renamed = dataclasses.replace(
        study,
        dense=[dataclasses.replace(run, setting=names[run.setting], seed=seeds[run.seed]) for run in study.dense],
        pruned=[dataclasses.replace(run, setting=names[run.setting], seed=seeds[run.seed]) for run in study.pruned],
    )
    assert numbers(RankingStudy(renamed)) == before
