"""The instability run: the procedure on a dense run's state, to the same bits, cut off or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secateurs.core import TrainingError
from secateurs.jobs import Graph, Job, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.measure import l2_distance
from secateurs.procedures import Instability, instability, prune
from secateurs.studies import EarlyPeriods, EarlyPeriodsStudy, instability_runs
from secateurs.studies.instability_runs import InstabilityConfig
from secateurs.studies.runs import load_data
from secateurs.train import Seeds, begin, train

Make = Callable[..., EarlyPeriods]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def job_of(made: EarlyPeriods, **options: Any) -> tuple[Job, Job]:
    """The dense run of seed 1, and an instability run on it."""
    study = EarlyPeriodsStudy(made)
    dense = study.dense[1]
    same = {"model": made.model, "data": made.data, "train": made.train, "seeds": Seeds(init=1, order=1, pruning=1)}
    config = InstabilityConfig(**{**same, "at": "1ep", "order_seeds": (1, 5), "points": 3, **options})
    planner = study._planner
    return dense, planner.job("instability_run", config, {"dense": dense}, {}, "instability", 1.0)


def done(made: EarlyPeriods, root: Path, **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    store = Store(root)
    _, job = job_of(made, **options)
    run(Graph([job]), store, Serial()).raise_for_failures()
    entry = store.entry(job)
    return entry.summary, entry.rows()


def directly(made: EarlyPeriods, at: str, pruned: bool = False, **options: Any) -> Instability:
    data = load_data(made.data)
    state = train(begin(made.model, data, made.train, init_seed=1), data, made.train, until=at, order_seed=1)
    if pruned:
        state = prune(state, data, made.prune, made.train, pruning_seed=1)
    return instability(state, data, made.train, **{"points": 3, "order_seeds": (1, 5), **options})


@pytest.mark.parametrize(
    ("at", "options"),
    [
        ("0ep", {}),
        ("1ep", {"order_seeds": (4, 5)}),
        ("4it", {"until": "8it"}),
        ("2ep", {"after": "replay"}),
        ("3ep", {}),
    ],
)
@pytest.mark.parametrize("pruned", [False, True])
def test_it_is_the_procedure_in_one_process(
    recipe: Make, folder: Path, at: str, options: dict[str, Any], pruned: bool
) -> None:
    made = recipe()
    summary, rows = done(made, folder, at=at, **options, **({"prune": made.prune} if pruned else {}))
    found = directly(made, at, pruned, **options)
    assert summary["train_instability"] == found.mean("train")
    assert summary["test_instability"] == found.mean("test")
    assert summary["stable"] == found.stable
    assert (summary["diverged"], summary["diverged_copies"]) == (None, [])
    assert [row["part"] for row in rows] == ["train", "test"]
    for row in rows:
        pair = found.pairs[0]
        barrier, apart = pair.barriers[row["part"]], pair.distances[row["part"]]
        assert (row["moment"], row["until"], row["seeds"]) == (at, str(found.end), list(pair.seeds))
        assert row["alphas"] == [0.0, 0.5, 1.0]
        assert (row["errors"], row["losses"]) == (list(barrier.errors), list(barrier.losses))
        assert (row["instability"], row["loss_increase"]) == (barrier.instability, barrier.loss_increase)
        names = ("l2", "cosine", "differing", "loss_l2", "examples")
        assert [row[name] for name in names] == [getattr(apart, name) for name in names]


def test_the_distances_of_the_way(recipe: Make, folder: Path) -> None:
    """From initialisation to the moment, and from there to the end (P2 section 4.3.1)."""
    made, states = recipe(), []
    for at in ("0ep", "1ep", "3ep"):
        data = load_data(made.data)
        states.append(train(begin(made.model, data, made.train, init_seed=1), data, made.train, until=at, order_seed=1))
    summary, _ = done(made, folder)
    model = states[0].model
    assert summary["l2_from_initialisation"] == l2_distance(model, states[0], states[1])
    assert summary["l2_to_the_end"][0] == l2_distance(model, states[1], states[2])
    assert len(summary["l2_to_the_end"]) == 2


def test_the_dense_run_is_not_trained_again(recipe: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def counting(state: Any, *args: Any, order_seed: int, **options: Any) -> Any:
        seeds.append(order_seed)
        return train(state, *args, order_seed=order_seed, **options)

    monkeypatch.setattr(instability_runs, "train", counting)
    done(recipe(), folder, at="2ep", order_seeds=(1, 6))
    assert seeds == [6]
    done(recipe(), folder, at="2ep", order_seeds=(1, 6), after="replay")
    assert seeds == [6, 1, 1, 1, 6, 6, 6]


def test_a_run_that_is_cut_off_gives_the_same(
    recipe: Make, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every epoch of every copy."""
    made, options = recipe(), {"at": "1ep", "order_seeds": (4, 5), "prune": recipe().prune}
    expected = done(made, folder / "whole", **options)
    dense, job = job_of(made, **options)
    store = Store(tmp_path)
    run(Graph([dense]), store, Serial()).raise_for_failures()
    sittings = 0
    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    while run(Graph([job]), store, Serial()).stopped:
        sittings += 1
        assert sittings < 9
    assert sittings == 4
    assert (store.entry(job).summary, store.entry(job).rows()) == expected


def test_of_a_run_that_diverged_it_says_so(recipe: Make, tmp_path: Path) -> None:
    summary, rows = done(recipe(train={"lr": 1e30}), tmp_path, at="2ep")
    assert (summary, rows) == ({"diverged": "1ep"}, [])


def test_copies_that_diverge_are_said(recipe: Make, tmp_path: Path) -> None:
    summary, rows = done(recipe(train={"lr": 1e30}), tmp_path, at="0ep")
    assert summary["diverged"] is None
    assert summary["diverged_copies"] == [1, 5]
    assert (summary["train_instability"], summary["stable"], rows) == (None, None, [])
    assert summary["l2_to_the_end"] == []


@pytest.mark.parametrize("wrong", [{"order_seeds": (1,)}, {"points": 1}, {"after": "rest"}, {"copies": 2}])
def test_a_wrong_config_is_refused(recipe: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="InstabilityConfig"):
        job_of(recipe(), **wrong)


def test_the_key_says_all_that_counts(recipe: Make) -> None:
    """The same moment, seeds and options are one job."""
    made = recipe()
    keys = [
        job_of(made, **options)[1].key for options in ({}, {}, {"at": "2ep"}, {"points": 4}, {"order_seeds": (1, 6)})
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
