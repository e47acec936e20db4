"""Channels, triggers, rounds and levels, run for real: to the bits of the same thing done by hand, cut off or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from secateurs.core import Log, Moment, SignalError, TrainState, under
from secateurs.how import Mask, keep_top
from secateurs.jobs import Entry, Graph, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.procedures import find_channels, prune, prune_step
from secateurs.studies import Methods, MethodsPlan, check
from secateurs.studies.cells import Cell
from secateurs.studies.charged import charged
from secateurs.studies.firing import Watched
from secateurs.studies.runs import load_data
from secateurs.train import begin, pack, train
from secateurs.what import magnitude
from secateurs.when import Below, early_crop_trigger, replay

RECIPE: dict[str, Any] = {
    "study": "methods",
    "title": "ways to prune",
    "model": {"name": "digits_resnet", "width": 2},
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 4, "batch_size": 50, "lr": 0.01, "optimizer": "adam", "augment": "shift"},
    "prune": {"how": "channels", "examples_per_class": 2, "min_lr": 0, "score": "crop_gate"},
    "methods": {
        "one shot": {},
        "iterated": {"schedule": "early_crop", "at": 1},
        "rounds": {"every": 1, "schedule": "rounds", "steps": 2, "score": "gate_decorators"},
        "rounds of masks": {
            "how": "masks",
            "score": "magnitude",
            "every": "2it",
            "at": 1,
            "schedule": "rounds",
            "steps": 2,
        },
        "triggered": {"when": "early_crop", "score": "bn_scale"},
        "never": {"when": {"name": "below", "signal": "loss", "threshold": 0.0}},
        "levels": {"how": "masks", "score": "magnitude", "levels": 2, "at": 1, "after": "replay"},
    },
    "densities": [0.4],
    "moments": [0],
    "seeds": [1],
    "checkpoint_every": 2,
    "curves": True,
    "costs": {"repeats": 2},
}


@pytest.fixture(scope="module")
def recipe() -> Methods:
    made = check(RECIPE, "ways")
    assert isinstance(made, Methods)
    return made


@pytest.fixture(scope="module")
def done(recipe: Methods, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, Cell]]:
    store, plan = Store(tmp_path_factory.mktemp("store")), MethodsPlan(recipe)
    run(plan.graph(), store, Serial()).raise_for_failures()
    assert all(store.entry(job).done for job in plan.jobs(store))
    return store, {cell.method: cell for cell in plan.cells(store)}


@pytest.fixture
def entry(done: tuple[Store, dict[str, Cell]]) -> Callable[[str], Entry]:
    store, cells = done

    def of(method: str) -> Entry:
        job = cells[method].run
        assert job is not None
        return store.entry(job)

    return of


def dense_at(recipe: Methods, until: str | int) -> TrainState:
    data = load_data(recipe.data)
    state = begin(recipe.model, data, recipe.train, init_seed=1)
    return train(state, data, recipe.train, until=until, order_seed=1)


def ended(recipe: Methods, state: TrainState) -> dict[str, Tensor]:
    data = load_data(recipe.data)
    return pack(train(state, data, recipe.train, until=4, order_seed=1))[0]


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("method", "at"), [("one shot", 0), ("iterated", 1), ("triggered", None)])
def test_channels_are_cut_from_the_dense_run_and_the_rest_trained(
    recipe: Methods, done: tuple[Store, dict[str, Cell]], entry: Callable[[str], Entry], method: str, at: int | None
) -> None:
    store, cells = done
    data, settings = load_data(recipe.data), recipe.methods[method].at_density(0.4)
    moment = cells[method].at
    assert moment is not None
    assert at is None or moment.epoch == at
    state = dense_at(recipe, str(moment))
    keep = find_channels(state.model, data, settings, pruning_seed=1)
    assert cells[method].mask is not None
    assert {n: k.tolist() for n, k in store.entry(cells[method].mask).tensors("channels").items()} == {
        name: kept.tolist() for name, kept in keep.items()
    }
    state = prune(state, data, settings, recipe.train, pruning_seed=1)
    assert same(entry(method).tensors("final"), ended(recipe, state))
    summary = entry(method).summary
    assert summary["units"] == {name: [int(kept.sum()), len(kept)] for name, kept in keep.items()}
    assert summary["density"] <= 0.4
    assert summary["costs"]["weights_kept"] < summary["costs"]["weights"]


@pytest.mark.parametrize(("method", "moments"), [("rounds", [3, 6]), ("rounds of masks", [5, 7])])
def test_rounds_train_between(recipe: Methods, entry: Callable[[str], Entry], method: str, moments: list[int]) -> None:
    data, settings = load_data(recipe.data), recipe.methods[method].at_density(0.4)
    state = dense_at(recipe, f"{moments[0]}it")
    for steps, density in zip(moments, (0.7, 0.4), strict=True):
        state = train(state, data, recipe.train, until=f"{steps}it", order_seed=1)
        state = prune_step(state, data, settings, recipe.train, density=density, pruning_seed=1)
    assert same(entry(method).tensors("final"), ended(recipe, state))
    assert entry(method).summary["rounds"] == [[str(Moment(s, 3)), d] for s, d in zip(moments, (0.7, 0.4), strict=True)]


def test_levels_rewind(recipe: Methods, done: tuple[Store, dict[str, Cell]], entry: Callable[[str], Entry]) -> None:
    """Lottery ticket rewinding by hand: twice the mask from the end, within the one before, on weights of epoch 1."""
    data, settings = load_data(recipe.data), recipe.methods["levels"].at_density(0.4)
    weights, mask = dense_at(recipe, 4).model, None
    for density in (0.4**0.5, 0.4):
        mask = keep_top(magnitude(weights, mask=mask), density, within=mask)
        state = prune(dense_at(recipe, 1), data, settings, recipe.train, mask=mask)
        state = train(state, data, recipe.train, until=4, order_seed=1)
        weights = state.model
    final = entry("levels").tensors("final")
    assert same(final, pack(state)[0])
    assert Mask.from_tensors(under("mask", final)) == mask
    assert [row["epoch"] for row in entry("levels").rows()] == [1, 2, 3, 4]


def test_a_trigger_decides_on_the_dense_run(recipe: Methods, done: tuple[Store, dict[str, Cell]]) -> None:
    store, cells = done
    dense = MethodsPlan(recipe).dense[1]
    log = [(Moment.parse(row["moment"], 3), row) for row in store.entry(dense).rows()]
    told = [(moment, {"weight_change": row["weight_change"]} if "weight_change" in row else {}) for moment, row in log]
    assert cells["triggered"].at == replay(early_crop_trigger(0.4, 4), told)
    assert cells["triggered"].moment == "early_crop"
    assert not cells["triggered"].never
    never = cells["never"]
    assert never.never
    assert (never.at, never.run, never.mask, never.jobs, never.legs) == (None, None, None, (), ())


def test_before_the_dense_run_is_done_nobody_knows(recipe: Methods, tmp_path: Path) -> None:
    plan = MethodsPlan(recipe)
    cells = {cell.method: cell for cell in plan.cells(Store(tmp_path))}
    assert (cells["never"].never, cells["triggered"].at, cells["triggered"].jobs) == (False, None, ())
    assert plan.later == 2 * 3
    assert len(plan.jobs(Store(tmp_path))) == len(plan.graph())


def test_a_dense_run_that_diverged_says_nothing_of_triggers(tmp_path: Path) -> None:
    few = {name: RECIPE["methods"][name] for name in ("one shot", "triggered", "never")}
    plan = MethodsPlan(check({**RECIPE, "train": {**RECIPE["train"], "lr": 1e20}, "methods": few, "costs": {}}, "gone"))
    store = Store(tmp_path)
    run(Graph(plan.dense.values()), store, Serial()).raise_for_failures()
    cells = {cell.method: cell for cell in plan.cells(store)}
    broke = store.entry(plan.dense[1]).summary["diverged"]
    for name in ("triggered", "never"):
        assert (cells[name].never, cells[name].diverged, cells[name].jobs) == (False, broke, ())
    assert (cells["one shot"].never, cells["one shot"].diverged) == (False, None)


def test_a_signal_that_was_not_watched_is_no_never() -> None:
    values: Log = [(Moment(step, 1), {"loss": 1.0}) for step in range(3)]
    seen = Watched(values, frozenset({"loss", "mask_distance"}))
    assert seen.fired(Below("loss", 0.5)) is None
    assert seen.fired(Below("mask_distance", 0.5)) is None, "watched, but the run was too short"
    with pytest.raises(SignalError, match="needs the signal 'weight_change', which the dense run did not watch: add"):
        seen.fired(Below("weight_change", 0.5))
    assert Watched([], frozenset({"loss"}), "1ep").fired(Below("loss", 2.0)) is None


def test_everything_is_charged_and_measured(done: tuple[Store, dict[str, Cell]]) -> None:
    store, cells = done
    spent = {name: charged(cell.legs, store) for name, cell in cells.items() if cell.run is not None}
    assert all(each is not None and each.seconds > 0 for each in spent.values())
    assert len(cells["levels"].legs) == 3
    for name in spent:
        costs = cells[name].costs
        assert costs is not None
        assert store.entry(costs).summary["costs"]["batch"] is not None


def test_curves_have_no_test_data(recipe: Methods, done: tuple[Store, dict[str, Cell]]) -> None:
    store, cells = done
    jobs = [MethodsPlan(recipe).dense[1], *(cell.run for cell in cells.values() if cell.run is not None)]
    for job in jobs:
        for row in store.entry(job).rows():
            assert not row.get("epoch") or {"train_accuracy", "train_loss", "validation_accuracy"} <= set(row)
            assert not any(name.startswith("test") for name in row)


def test_cut_off_after_every_epoch_it_all_gives_the_same_bits(
    recipe: Methods, done: tuple[Store, dict[str, Cell]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = done
    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    store, sittings = Store(tmp_path), 0
    while run(MethodsPlan(recipe).graph(), store, Serial()).stopped:
        sittings += 1
        assert sittings < 60
    assert sittings > 15
    for job in MethodsPlan(recipe).jobs(store):
        if job.name in ("cut_run", "rounds_run", "level_run"):
            one, two = whole.entry(job), store.entry(job)
            assert same(one.tensors("final"), two.tensors("final")), job.label
            assert len(one.rows()) == len(two.rows())
            assert {k: v for k, v in one.summary.items() if not k.startswith("seconds")} == {
                k: v for k, v in two.summary.items() if not k.startswith("seconds")
            }
