"""The jobs of regimes, run for real: against the procedures by hand, interrupted, diverged, pruned to nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from torch import Tensor

from secateurs.core import TrainState, derive_seed, under
from secateurs.how import Mask
from secateurs.jobs import Graph, Job, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.measure import evaluate
from secateurs.procedures import Comparing, Connection, connected, find_mask, mask_facts, retrained
from secateurs.studies import RegimeCell, Regimes, RegimesPlan
from secateurs.studies.plan import Planner
from secateurs.studies.regimes.jobs import RegimeJobs
from secateurs.studies.runs import load_data
from secateurs.train import begin, train
from secateurs.zoo import Dataset
from small_regimes import regimes

RESAMPLED = {"resamples": 40}
DROPPING = {"name": "batch_size", "values": [50], "iterations": 3}


@dataclass(frozen=True)
class Done:
    """A study that was run."""

    plan: RegimesPlan
    store: Store

    def cell(self, temperature: float, load: float) -> RegimeCell:
        (found,) = (cell for cell in self.plan.cells() if (cell.temperature, cell.load) == (temperature, load))
        return found

    def summary(self, job: Job) -> dict[str, Any]:
        return dict(self.store.entry(job).summary)


def finished(recipe: Regimes, root: Path) -> Done:
    plan, store = RegimesPlan(recipe), Store(root)
    run(plan.graph(), store, Serial()).raise_for_failures()
    return Done(plan, store)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return finished(regimes(compare=RESAMPLED), tmp_path_factory.mktemp("whole"))


@dataclass(frozen=True)
class ByHand:
    """P4's pipeline, written out with the procedures alone."""

    recipe: Regimes
    data: Dataset

    @classmethod
    def of(cls, recipe: Regimes) -> ByHand:
        return cls(recipe, load_data(recipe.data))

    def dense(self, until: str | int) -> TrainState:
        r = self.recipe
        settings = r.temperature.training(r.train, r.temperature.values[0], len(self.data.train))
        return train(begin(r.model, self.data, settings, init_seed=0), self.data, settings, until=until, order_seed=0)

    def mask(self, dense: TrainState, density: float) -> Mask:
        return find_mask(dense.model, self.data, self.recipe.prune.at_density(density))

    def copy(self, dense: TrainState, density: float, copy: int, until: str | int) -> TrainState:
        settings, order = self.recipe.retraining, derive_seed("retraining", 0, copy)
        pruned = retrained(dense, self.mask(dense, density), settings, self.data)
        return train(pruned, self.data, settings, until=until, order_seed=order)

    def connected(self, dense: TrainState, density: float, until: str | int) -> Connection:
        compare = self.recipe.compare
        how = Comparing(points=compare.points, samples=compare.samples, resamples=compare.resamples, seed=0)
        one, other = (self.copy(dense, density, copy, until) for copy in (0, 1))
        return connected(one, other, self.data, how)

    def error(self, state: TrainState, part: str) -> float:
        return 1 - evaluate(state.model, self.data.task, getattr(self.data, part))["accuracy"]


def same(one: dict[str, Tensor], state: TrainState) -> bool:
    other = dict(state.model.state_dict())
    return one.keys() == other.keys() and all(bits(value) == bits(other[name]) for name, value in one.items())


def bits(value: Tensor) -> bytes:
    return value.detach().numpy().tobytes()


@pytest.mark.parametrize(("epochs", "density"), [(1, 0.2), (2, 0.5)])
def test_a_cell_is_trained_pruned_retrained_and_compared_as_by_hand(study: Done, epochs: int, density: float) -> None:
    by, cell = ByHand.of(study.plan.recipe), study.cell(epochs, density)
    dense = by.dense(epochs)  # no checkpoint is kept at 1
    assert same(under("model", study.store.entry(cell.start).tensors("state")), dense)
    mask = by.mask(dense, density)
    assert Mask.from_tensors(study.store.entry(cell.mask).tensors("mask")) == mask
    found = study.summary(cell.mask)
    assert {name: found[name] for name in ("density", "empty_layers", "layer_densities")} == {
        name: mask_facts(mask, dense.model)[name] for name in ("density", "empty_layers", "layer_densities")
    }
    for place, job in enumerate(cell.runs):
        entry, told = study.store.entry(job), study.summary(job)
        halfway, probe, end = (by.copy(dense, density, place, until) for until in (1, "1ep1it", 2))
        assert same(under("model", entry.tensors("final")), end)
        assert same(under("model", entry.tensors("probe")), probe)
        assert {path.split("/")[0] for path in entry.tensors("probe")} == {"model", "mask"}
        assert told["diverged"] is None
        assert told["train_error"] == by.error(end, "train")
        for part in ("validation", "test"):
            assert told[f"{part}_error"] == fmean([by.error(halfway, part), by.error(end, part)])
        assert told["probe"] == {f"{part}_error": by.error(probe, part) for part in ("train", "validation", "test")}
        looked = [row for row in entry.rows() if "test_error" in row]
        assert [row["moment"] for row in looked] == ["1ep", "2ep"]
        assert [row["moment"] for row in entry.rows() if "loss" in row] == ["1ep", "1ep1it", "2ep"]


@pytest.mark.parametrize("at", ["end", "probe"])
def test_copies_are_compared_as_by_hand(study: Done, at: str) -> None:
    by, cell = ByHand.of(study.plan.recipe), study.cell(2, 0.2)
    expected = by.connected(by.dense(2), 0.2, 2 if at == "end" else "1ep1it")
    (job,) = cell.ends if at == "end" else cell.probes
    found = study.summary(job)
    assert expected.barrier is not None
    assert (found["lmc"], found["cka"], found["cka_undefined"]) == (expected.lmc, expected.cka, None)
    assert (tuple(found["errors"]), tuple(found["alphas"])) == (expected.barrier.errors, expected.barrier.alphas)
    assert found["passes"] == expected.passes == {"recalibration": 3, "evaluation": 3, "outputs": 2}
    assert found["resampled"] == {"lmc": list(expected.resampled_lmc), "cka": list(expected.resampled_cka)}
    assert (found["diverged"], found["diverged_copies"]) == (None, [])


def test_a_batch_size_s_run_ends_within_its_epoch_and_a_probe_ends_retraining(tmp_path: Path) -> None:
    recipe = regimes(temperature=DROPPING, load={"values": [0.2]}, probe_only=True, compare={"outputs": "logits"})
    done, by = finished(recipe, tmp_path), ByHand.of(recipe)
    (cell,) = done.plan.cells()
    dense = by.dense("3it")  # batches of 50 of 120 examples: two steps an epoch
    assert dense.moment.steps_per_epoch == 2
    assert list(done.summary(cell.dense)["checkpoints"]) == ["0ep", "1ep1it"]
    assert same(under("model", done.store.entry(cell.start).tensors("state")), dense)
    entry = done.store.entry(cell.runs[1])
    assert same(under("model", entry.tensors("probe")), by.copy(dense, 0.2, 1, "1ep1it"))
    assert [path.stem for path in entry.path.glob("*.safetensors")] == ["probe"]  # which is the end: kept once
    assert not cell.ends
    assert "resampled" not in done.summary(cell.probes[0])
    assert 0 < done.summary(cell.probes[0])["cka"] <= 1


def test_a_dense_run_that_diverged_leaves_nothing_to_retrain(tmp_path: Path) -> None:
    done = finished(regimes(train={"lr": 1e20}, load={"values": [0.2]}), tmp_path)
    for cell in done.plan.cells():
        for job in (cell.start, cell.mask, *cell.runs, *cell.ends, *cell.probes):
            assert done.summary(job) == {"diverged": "1ep"}
            assert not done.store.entry(job).rows()


def test_copies_that_diverged_are_named_and_have_no_errors(tmp_path: Path) -> None:
    done = finished(
        regimes(retrain={"lr": 1e20}, temperature={"values": [1]}, load={"values": [0.2]}, compare={"probe": "1it"}),
        tmp_path,
    )
    (cell,) = done.plan.cells()
    for job in cell.runs:
        told = done.summary(job)
        assert told["diverged"] is not None
        assert not [name for name in told if name.endswith("_error")]
        assert done.store.entry(job).tensors("final")
    (end,) = cell.ends
    assert done.summary(end) == {
        "diverged": None,
        "diverged_copies": [derive_seed("retraining", 0, copy) for copy in (0, 1)],
        **{"lmc": None, "cka": None, "cka_undefined": "a copy diverged"},
    }


def test_outputs_that_are_constant_are_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secateurs.studies.regimes.plan.check_weights_left", lambda *_: None)
    done = finished(
        regimes(temperature={"values": [1]}, load={"values": [0.005]}, compare={"probe": None, **RESAMPLED}), tmp_path
    )
    (cell,) = done.plan.cells()
    assert "conv.weight" in done.summary(cell.mask)["empty_layers"]
    (end,) = cell.ends
    found = done.summary(end)
    assert found["lmc"] == 0.0
    assert found["cka"] is None
    assert "the same output for every example: CKA is undefined" in found["cka_undefined"]
    assert found["resampled"]["cka"] == [None] * 40
    assert not [each for each in found["errors"] if math.isnan(each)]


def jobs_of(recipe: Regimes) -> RegimeJobs:
    return RegimeJobs(recipe, Planner(recipe, "cpu", ""))


def test_too_few_samples_are_said_in_words(study: Done) -> None:
    cell, recipe = study.cell(1, 0.2), regimes(compare={"samples": 5})
    jobs = jobs_of(recipe)
    pair = jobs.pair(jobs.pruned(1, 0.2, 0), (cell.runs[0], cell.runs[1]), (0, 1), "end")
    run(Graph([pair]), study.store, Serial()).raise_for_failures()
    found = study.summary(pair)
    assert found["cka"] is None
    assert "10 outputs for only 5 examples" in found["cka_undefined"]
    assert found["lmc"] == study.summary(cell.ends[0])["lmc"]


def test_networks_of_other_architectures_or_masks_are_refused_by_the_measure(study: Done, tmp_path: Path) -> None:
    jobs = jobs_of(study.plan.recipe)
    one, other = study.cell(1, 0.2), study.cell(1, 0.5)
    masked = jobs.pair(jobs.pruned(1, 0.2, 0), (one.runs[0], other.runs[0]), (0, 1), "end")
    outcome = run(Graph([masked]), study.store, Serial())
    assert "is masked differently in a and b" in next(iter(outcome.failed.values()))
    wide = jobs_of(regimes(model={"width": 2}))
    pair = wide.pair(wide.pruned(1, 0.2, 0), (one.runs[0], one.runs[1]), (0, 1), "end")
    outcome = run(Graph([pair]), study.store, Serial())
    told = next(iter(outcome.failed.values()))
    assert "they are different architectures" in told
    assert "in copy 1" in told


def stripped(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if "seconds" not in name}


def assert_same(one: Store, other: Store, jobs: tuple[Job, ...]) -> None:
    for job in jobs:
        mine, theirs = one.entry(job), other.entry(job)
        assert stripped(dict(mine.summary)) == stripped(dict(theirs.summary))
        assert [stripped(row) for row in mine.rows()] == [stripped(row) for row in theirs.rows()]
        assert {path.name for path in mine.path.glob("*.safetensors")} == {
            path.name for path in theirs.path.glob("*.safetensors")
        }
        for path in mine.path.glob("*.safetensors"):
            assert path.read_bytes() == (theirs.path / path.name).read_bytes()


def test_a_study_that_is_cut_off_at_every_pause_gives_the_same_bits(
    study: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Context.pause_point

    def stop_here(self: Context, save: Callable[[], Any]) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    store, sittings = Store(tmp_path), 1
    jobs = study.cell(1, 0.2).jobs
    while run(Graph(jobs), store, Serial()).stopped:
        sittings += 1
        assert sittings < 60
    assert sittings == 1 + 2 + 1 + 2 * 3 + 2 * 2  # the dense run's epochs, the way to 1ep, a copy's pieces, LMC and CKA
    assert_same(store, study.store, jobs)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", ["saving the probe", "looking at an epoch"])
def test_a_copy_that_was_killed_between_two_checkpoints_gives_the_same_bits(
    study: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    def dying(real: Callable[..., None], fatal: Callable[[Any], bool]) -> Callable[..., None]:
        def call(self: Context, *args: Any, **named: Any) -> None:
            real(self, *args, **named)
            if fatal(named.get("name") or args[0]):
                raise Killed

        return call

    cell = study.cell(1, 0.2)
    graph = Graph([cell.dense, cell.start, cell.mask, cell.runs[0]])
    with monkeypatch.context() as patched:
        if after == "saving the probe":
            patched.setattr(Context, "save", dying(Context.save, lambda name: name == "probe"))
        else:
            patched.setattr(Context, "log", dying(Context.log, lambda row: row.get("test_error") and row["epoch"] == 2))
        store = Store(tmp_path)
        with pytest.raises(Killed):
            run(graph, store, Serial(checkpoint_seconds=0))
    run(graph, store, Serial(checkpoint_seconds=0)).raise_for_failures()
    assert_same(store, study.store, graph.jobs)
