"""Studies of regimes as graphs: what cells share is one job, and an extension adds only what is new."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from secateurs.core import DataError, PruningError, SecateursError, TrainingError, derive_seed
from secateurs.jobs import Job
from secateurs.studies import RegimeCell, Regimes, RegimesPlan, Sweep, TicketsPlan
from secateurs.studies.estimate import copies_kept, estimate
from small_regimes import regimes
from small_tickets import tickets

STOPS, DENSITIES = list(range(10, 161, 10)), [0.05, 0.06, 0.07, 0.08, 0.1, 0.14, 0.2, 0.4, 0.8]
BATCHES = {"name": "batch_size", "values": [20, 50], "iterations": 8}


def keys(recipe: Regimes) -> set[str]:
    return {job.key for job in RegimesPlan(recipe).graph().jobs}


def names(recipe: Regimes) -> Counter[str]:
    return Counter(job.name for job in RegimesPlan(recipe).graph().jobs)


def only(recipe: Regimes) -> RegimeCell:
    (cell,) = RegimesPlan(recipe).cells()
    return cell


def dense(recipe: Regimes) -> list[Job]:
    return list(dict.fromkeys(cell.dense for cell in RegimesPlan(recipe).cells()))


def test_one_dense_run_serves_all_stopping_epochs_and_densities() -> None:
    whole = regimes(
        train={"epochs": 160},
        temperature={"values": STOPS},
        load={"values": DENSITIES},
        copies=1,
        compare={"probe": None, "ends": False},
    )
    cells, plan = len(STOPS) * len(DENSITIES), RegimesPlan(whole)
    jobs = plan.graph().jobs
    assert Counter(job.name for job in jobs) == {
        "dense_run": 1,
        "state_at": len(STOPS),
        "ticket_mask": cells,
        "regime_run": cells,
    }
    (run,) = {cell.dense for cell in plan.cells()}
    assert run.config["train"]["epochs"] == 160
    assert "until" not in run.config
    assert len({job.label for job in jobs}) == len(jobs)
    assert plan.dense_epochs == {epochs: epochs for epochs in STOPS}
    assert (plan.later, plan.probe_epochs, set(plan.grow(run, None))) == (0, None, set())  # type: ignore[arg-type]


def test_the_dense_run_and_its_states_are_those_of_any_study() -> None:
    theirs = tickets(model={"name": "digits_resnet", "width": 4, "hidden": None}, train={"epochs": 3}, rewind=[0, 1])
    ours = regimes(train={"epochs": 3, "schedule": None}, temperature={"values": [1]}, seeds=[0])
    assert dense(ours) == [TicketsPlan(theirs).dense[0]]
    (start,) = {cell.start for cell in RegimesPlan(ours).cells()}
    assert start in TicketsPlan(theirs).starts.values()


def test_cells_say_what_they_are() -> None:
    plan = RegimesPlan(regimes(seeds=[0, 7], copies=3))
    found = [(cell.seed, cell.temperature, cell.load) for cell in plan.cells()]
    assert found == [(seed, epochs, load) for seed in (0, 7) for epochs in (1, 2) for load in (0.2, 0.5)]
    assert plan.probe_epochs == 4 / 3
    for cell in plan.cells():
        assert cell.density == cell.load
        assert cell.mask.inputs == {"earlier": cell.start}
        assert cell.mask.config["mask"]["density"] == cell.density
        assert cell.start.inputs == {"dense": cell.dense}
        assert [run.config["seeds"]["order"] for run in cell.runs] == [
            derive_seed("retraining", cell.seed, copy) for copy in range(3)
        ]
        assert all(run.inputs == {"start": cell.start, "mask": cell.mask} for run in cell.runs)
        for pairs, at in ((cell.ends, "end"), (cell.probes, "probe")):
            compared = [tuple(cell.runs.index(pair.inputs[place]) for place in ("0", "1")) for pair in pairs]
            assert compared == [(0, 1), (0, 2), (1, 2)]
            assert {pair.config["at"] for pair in pairs} == {at}


@pytest.mark.parametrize(
    ("change", "new"),
    [
        (
            {"temperature": {"values": [1, 2, 3]}},
            {"state_at": 1, "ticket_mask": 2, "regime_run": 4, "regime_pair": 4},
        ),
        ({"load": {"values": [0.2, 0.5, 0.8]}}, {"ticket_mask": 2, "regime_run": 4, "regime_pair": 4}),
        ({"copies": 3}, {"regime_run": 4, "regime_pair": 2 * 4 * 2}),
        (
            {"seeds": [0, 1]},
            {"dense_run": 1, "state_at": 2, "ticket_mask": 4, "regime_run": 8, "regime_pair": 8},
        ),
        ({"threshold": -0.1, "similar_from": 0.5, "tuning": {"initial": 2, "raised": 1}, "title": "else"}, {}),
        # other training of what was pruned: the masks are the same
        ({"retrain": {"optimizer": "adam"}}, {"regime_run": 8, "regime_pair": 8}),
        ({"compare": {"resamples": 50}}, {"regime_pair": 8}),
    ],
)
def test_an_extended_study_adds_only_what_is_new(change: dict[str, Any], new: dict[str, int]) -> None:
    base = {"train": {"epochs": 3}}
    before = keys(regimes(**base))
    after = {job.key: job.name for job in RegimesPlan(regimes(**base, **change)).graph().jobs}
    assert Counter(name for key, name in after.items() if key not in before) == new
    if not {"retrain", "compare"} & change.keys():
        assert before <= after.keys()


def test_without_the_ends_only_probes_are_compared() -> None:
    both, probes = regimes(), regimes(compare={"ends": False})
    assert keys(probes) < keys(both)
    assert names(probes) == names(both) - Counter(regime_pair=4)


def test_rho_0_is_training_without_sam_whatever_the_temperature_is_called() -> None:
    load = {"values": [0.2]}
    plain = only(regimes(temperature={"values": [2]}, load=load))
    assert only(regimes(temperature={"name": "rho", "values": [0.0]}, load=load)).jobs == plain.jobs
    assert only(regimes(temperature={"name": "lr", "values": [0.05]}, load=load)).jobs == plain.jobs
    plan = RegimesPlan(regimes(temperature={"name": "rho", "values": [0.0, 0.1], "adaptive": True}, load=load))
    without, with_sam = plan.cells()
    assert without.jobs == plain.jobs
    assert with_sam.dense.config["train"]["sam"] == {"rho": 0.1, "adaptive": True}
    assert with_sam.dense.cost == 2 * without.dense.cost == 4
    assert plan.dense_epochs == {0: 2, 0.1: 4}
    assert all("sam" not in run.config["train"] for run in with_sam.runs)


def test_temperatures_that_differ_by_little_are_two() -> None:
    near = regimes(temperature={"name": "lr", "values": [0.1, 0.10000001]}, load={"values": [0.2]})
    assert names(near)["dense_run"] == 2
    labels = [job.label for job in RegimesPlan(near).graph().jobs]
    assert len(set(labels)) == len(labels)


def test_retraining_is_as_it_says_and_without_sam_where_it_says_nothing() -> None:
    (cell, _) = RegimesPlan(regimes(train={"sam": {"rho": 0.1}}, retrain=None, temperature={"values": [2]})).cells()
    assert cell.start.config["train"]["sam"] == {"rho": 0.1, "adaptive": False}
    assert cell.runs[0].config["train"] == {k: v for k, v in cell.dense.config["train"].items() if k != "sam"}
    told = regimes(retrain={"sam": {"rho": 0.2}}, temperature={"values": [2]})
    assert RegimesPlan(told).cells()[0].runs[0].config["train"]["sam"]["rho"] == 0.2


def test_batch_sizes_take_so_many_steps_of_full_batches() -> None:
    recipe = regimes(temperature=BATCHES, load={"values": [0.2]})  # 120 examples: 6 and 2 steps an epoch
    small, large = dense(recipe)
    assert [(run.config["train"]["batch_size"], run.config["train"]["epochs"]) for run in (small, large)] == [
        (20, 2),
        (50, 4),
    ]
    assert all(run.config["train"]["drop_last"] for run in (small, large))
    assert (small.config["until"], "until" in large.config) == ("1ep2it", False)
    assert (small.cost, large.cost) == (8 / 6, 4)
    assert [cell.start.config["at"] for cell in RegimesPlan(recipe).cells()] == ["1ep2it", "4ep"]
    assert {cell.runs[0].config["train"]["batch_size"] for cell in RegimesPlan(recipe).cells()} == {40}
    assert RegimesPlan(recipe).dense_epochs == {20: 8 / 6, 50: 4}


def test_a_batch_size_that_fills_its_epochs_is_a_common_dense_run() -> None:
    load = {"values": [0.2]}
    train = {"batch_size": 50, "drop_last": True, "epochs": 4}
    stopped = only(regimes(train=train, temperature={"values": [4]}, load=load))
    sized = only(regimes(temperature={**BATCHES, "values": [50]}, load=load))
    assert stopped.jobs == sized.jobs


def test_widths_and_depths_are_networks_of_their_own() -> None:
    recipe = regimes(load={"name": "width", "values": [0.5, 1, 2], "density": 0.2})
    assert names(recipe)["dense_run"] == 3
    assert [cell.model.options["width"] for cell in RegimesPlan(recipe).cells()] == [2, 4, 8] * 2
    assert {cell.density for cell in RegimesPlan(recipe).cells()} == {0.2}
    same = [cell for cell in RegimesPlan(recipe).cells() if cell.load == 1]
    assert [cell.jobs for cell in same] == [cell.jobs for cell in RegimesPlan(regimes(load={"values": [0.2]})).cells()]
    deep = regimes(model={"name": "preresnet", "width": 2}, load={"name": "depth", "values": [8, 14], "density": 0.2})
    assert [run.config["model"]["depth"] for run in dense(deep)] == [8, 14]
    labels = [job.label for job in RegimesPlan(deep).graph().jobs]
    assert len(set(labels)) == len(labels)


def test_only_the_probe_is_retrained_for_where_nothing_else_is_wanted() -> None:
    whole, short = regimes(), regimes(probe_only=True)
    assert names(short) == names(whole) - Counter(regime_pair=4)
    for cell in RegimesPlan(short).cells():
        assert not cell.ends
        assert {(run.config["probe"], run.config["until"], run.cost) for run in cell.runs} == {
            ("1ep1it", "1ep1it", 4 / 3)
        }
    unprobed = RegimesPlan(regimes(compare={"probe": None})).cells()[0].runs[0].config
    assert not {"probe", "until"} & unprobed.keys()


def test_settings_share_what_they_have_in_common() -> None:
    adam = {"optimizer": {"name": "adam"}, "lr": 0.001}
    sweep = Sweep(regimes(settings={"SGD, SGD": {}, "SGD, Adam": {"retrain": adam}, "Adam, Adam": {"train": adam}}))
    counts = Counter(job.name for job in sweep.graph().jobs)
    assert (counts["dense_run"], counts["ticket_mask"], counts["regime_run"]) == (2, 8, 24)
    assert {job.label.split(":")[0] for job in sweep.graph().jobs} == set(sweep.studies)


def test_epochs_of_smaller_batches_take_the_time_of_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(recipe: Regimes, steps: int, device: str) -> float:
        return 1 + 0.5 * steps

    monkeypatch.setattr("secateurs.studies.estimate.seconds_per_epoch", timed)
    sizes = {"name": "batch_size", "values": [10, 20, 60], "iterations": 12}
    recipe = regimes(temperature=sizes, load={"values": [0.5]}, train={"batch_size": 60}, retrain={"batch_size": 60})
    sweep = Sweep(recipe)
    steps = {10: 12, 20: 6, 60: 2}
    jobs = sweep.graph().jobs
    expected = sum(job.cost * (1 + 0.5 * steps[job.config["train"]["batch_size"]]) for job in jobs)
    assert estimate(sweep).seconds == pytest.approx(expected)


def test_only_training_is_twice_as_dear_with_sam() -> None:
    plain, sharp = (RegimesPlan(regimes(train={"sam": sam})).cells()[0] for sam in (None, {"rho": 0.1}))
    assert (sharp.dense.cost, sharp.mask.cost) == (2 * plain.dense.cost, plain.mask.cost)
    assert sharp.start.cost - 2.0 == pytest.approx(plain.start.cost - 1.0)  # one epoch is trained again
    again = RegimesPlan(regimes(retrain={"sam": {"rho": 0.1}})).cells()[0]
    assert [job.cost for job in again.runs] == [2 * job.cost for job in plain.runs]
    assert [job.cost for job in (*again.ends, *again.probes)] == [job.cost for job in (*plain.ends, *plain.probes)]


def test_a_probe_at_the_end_is_compared_once() -> None:
    (cell, *_) = RegimesPlan(regimes(compare={"probe": 2})).cells()
    assert cell.probes == cell.ends
    assert len(cell.ends) == 1


def test_the_size_of_a_plan_goes_by_each_network_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secateurs.studies.estimate.seconds_per_epoch", lambda *_: 1.0)
    one = regimes(load={"name": "width", "values": [1], "density": 0.2})
    wide = regimes(load={"name": "width", "values": [4], "density": 0.2})
    small, large = (estimate(Sweep(recipe)) for recipe in (one, wide))
    assert (small.jobs, small.epochs) == (large.jobs, large.epochs)
    assert small.seconds == pytest.approx(small.epochs)
    assert 10 < large.seconds / small.seconds < 16
    assert large.bytes / small.bytes == pytest.approx(19130 / 1334)
    cell = RegimesPlan(one).cells()[0]
    assert [copies_kept(job) for job in cell.jobs] == [2 * 2, 2, 0, 2, 2, 0, 0]


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (
            {"temperature": {**BATCHES, "values": [20, 500]}},
            DataError,
            "temperature.values: a batch of 500 is larger than the 120",
        ),
        ({"compare": {"probe": "7it"}}, TrainingError, "compare.probe: 7it lies outside retraining of 2 epochs of 3"),
        ({"compare": {"samples": 9}}, DataError, "compare.samples: 9 are fewer than the 10 outputs"),
        ({"retrain": {"batch_size": 500}}, DataError, "retrain: batch_size 500 is larger than the 120"),
        ({"prune": {"exclude": ["fd"]}}, PruningError, "prune.exclude: the model has no module or parameter 'fd'"),
        ({"load": {"values": [0.2, 1e-5]}}, PruningError, "density 1e-05 keeps none"),
        (
            {"load": {"values": [0.2, 0.005]}},
            PruningError,
            "load.values: 0.005 leaves no weight in conv (of 36): ask for at least 0.014, leave what is empty alone "
            "with prune.exclude=[fc,conv]",
        ),
        (
            {"load": {"name": "width", "values": [0.5, 1], "density": 0.01}},
            PruningError,
            "load.density: width 0.5: 0.01 leaves no weight in conv (of 18)",
        ),
        (
            {"load": {"name": "width", "values": [1e9], "density": 0.2}},
            TrainingError,
            "load.values: 1e+09: model: digits_resnet has layers larger than any tensor",
        ),
        (
            {"model": {"name": "preresnet"}, "load": {"name": "depth", "values": [21], "density": 0.2}},
            TrainingError,
            "load.values: 21: preresnet: depth must be 6 n",
        ),
        ({"train": {"precision": "float16"}}, TrainingError, "float16"),
        ({"retrain": {"precision": "float16"}}, TrainingError, "retrain: "),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(change: dict[str, Any], error: type[SecateursError], told: str) -> None:
    with pytest.raises(error) as raised:
        RegimesPlan(regimes(**change))
    assert told in str(raised.value)
