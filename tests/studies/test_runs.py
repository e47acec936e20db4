"""The jobs of a study, run for real: what they write, and that every way to the same result gives the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from secateurs.core import StoreError, prunable
from secateurs.how import Mask
from secateurs.jobs import Graph, Job, Outcome, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.procedures import early_pruning
from secateurs.studies import EarlyPeriods, EarlyPeriodsStudy, Sweep, runs
from secateurs.studies.estimate import estimate
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data
from secateurs.train import Seeds, begin, train

Make = Callable[..., EarlyPeriods]


def done(study: EarlyPeriodsStudy, root: Path, jobs: list[Job] | None = None) -> tuple[Store, Outcome]:
    store = Store(root)
    graph = study.graph() if jobs is None else Graph(jobs)
    outcome = run(graph, store, Serial())
    outcome.raise_for_failures()
    return store, outcome


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]


def bits(store: Store, job: Job, name: str) -> dict[str, bytes]:
    return {path: tensor.numpy().tobytes() for path, tensor in store.entry(job).tensors(name).items()}


def test_a_study_from_plan_to_results(recipe: Make, folder: Path) -> None:
    study = EarlyPeriodsStudy(recipe(signals=["fisher_trace", "kl_uniform", "gradient_norms", "loss"]))
    store, outcome = done(study, folder / "study")
    assert len(outcome.done) == 2 + 2 * 2 + 2  # each trigger fires at 1ep: a moment of its own
    dense = store.entry(study.dense[0])
    rows = dense.rows()
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert {"fisher_trace", "fisher_trace.standard_error", "seconds/fisher_trace"} <= set(rows[0])
    assert "kl_uniform" not in rows[0]  # it streams from training steps: there were none yet
    for row in rows[1:]:
        assert {"fisher_trace", "kl_uniform", "gradient_norm", "loss", "lr", "validation_accuracy", "seconds"} <= set(
            row
        )
    assert [row["lr"] for row in rows[1:]] == pytest.approx([0.05 * 0.97**k for k in range(3)])
    assert list(dense.summary["checkpoints"]) == ["0ep", "2ep", "3ep"]
    measures = {f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy")}
    assert measures <= set(dense.summary)
    assert dense.summary["diverged"] is None

    choices = study.choices(store)
    assert [(str(c.moment), c.chosen_by) for c in choices if c.seed == 0] == [
        ("0ep", ("grid",)),
        ("2ep", ("grid",)),
        ("1ep", ("middle",)),
    ]
    for choice in choices:
        entry = store.entry(choice.job)
        summary = entry.summary
        assert measures <= set(summary)
        # digits: 64 inputs, hidden 8 and 6, 10 classes
        kept = math.floor(0.3 * (64 * 8 + 8 * 6 + 6 * 10) + 0.5)
        assert summary["density"] * 620 == pytest.approx(kept)
        assert summary["alive"] == kept
        assert summary["empty_layers"] == []
        assert [row["epoch"] for row in entry.rows()] == list(range(choice.moment.epoch + 1, 4))
        assert all(row["loss"] > 0 for row in entry.rows())

    again = run(study.graph(), store, Serial())
    assert (again.done, len(again.reused)) == ((), 8)


@pytest.mark.parametrize("moment", ["0ep", "1ep", "4it", "2ep", "8it", "3ep"])
@pytest.mark.parametrize("score", ["magnitude", "fisher"])
def test_a_pruned_run_is_the_procedure_in_one_process(recipe: Make, folder: Path, moment: str, score: str) -> None:
    """Also from the nearest checkpoint (0ep or 2ep), some steps before its moment."""
    made = recipe(moments=[moment], seeds=[1], prune={"score": score, "examples_per_class": 4})
    study = EarlyPeriodsStudy(made)
    store, _ = done(study, folder / "runs", list(study.graph().jobs))
    job = study.graph().jobs[-1]
    data = load_data(made.data)
    state = early_pruning(made.model, data, made.train, made.prune, at=moment, seeds=Seeds(init=1, order=1, pruning=1))
    found = store.entry(job).tensors("final")
    for name, value in state.model.state_dict().items():
        assert torch.equal(found[f"model/{name}"], value), name
    assert (
        Mask.from_tensors({k.removeprefix("mask/"): v for k, v in found.items() if k.startswith("mask/")}) == state.mask
    )


def test_the_dense_run_is_plain_training(recipe: Make, folder: Path) -> None:
    made = recipe(seeds=[1])
    study = EarlyPeriodsStudy(made)
    store, _ = done(study, folder / "runs", [study.dense[1]])
    data = load_data(made.data)
    state = begin(made.model, data, made.train, init_seed=1)
    state = train(state, data, made.train, until="2ep", order_seed=1)
    found = store.entry(study.dense[1]).tensors("2ep")
    for name, value in state.model.state_dict().items():
        assert torch.equal(found[f"model/{name}"], value), name


def test_another_run_gives_the_same_bits(recipe: Make, folder: Path) -> None:
    study = EarlyPeriodsStudy(recipe(seeds=[1], moments=[1]))
    (one, _), (two, _) = (done(study, folder / name) for name in ("bits", "bits again"))
    for job in study.graph().jobs:
        names = ["final"] if job.name == "pruned_run" else ["0ep", "2ep"]
        assert all(bits(one, job, name) == bits(two, job, name) for name in names)
        assert without_seconds(one.entry(job).rows()) == without_seconds(two.entry(job).rows())
        assert one.entry(job).summary == two.entry(job).summary


@pytest.mark.parametrize("resnet", [False, True])
def test_a_run_that_was_cut_off_after_every_epoch_gives_the_same_bits(
    recipe: Make, folder: Path, monkeypatch: pytest.MonkeyPatch, resnet: bool
) -> None:
    model = {"model": {"name": "digits_resnet", "width": 2}} if resnet else {}
    signals = ["fisher_trace", {"name": "kl_uniform"}, {"name": "gradient_norms", "layerwise": True}, "loss"]
    study = EarlyPeriodsStudy(recipe(seeds=[0], moments=["4it"], signals=signals, triggers={}, **model))
    whole, _ = done(study, folder / f"whole {resnet}")

    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    store = Store(folder / f"cut {resnet}")
    sittings = 0
    while True:
        sittings += 1
        assert sittings < 20
        if not run(study.graph(), store, Serial()).stopped:
            break
    assert sittings > 5
    for job in study.graph().jobs:
        names = ["final"] if job.name == "pruned_run" else ["0ep", "2ep"]
        assert all(bits(store, job, name) == bits(whole, job, name) for name in names)
        assert without_seconds(store.entry(job).rows()) == without_seconds(whole.entry(job).rows())
        assert store.entry(job).summary == whole.entry(job).summary


def test_test_data_are_looked_at_once_at_the_end(recipe: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = EarlyPeriodsStudy(recipe(seeds=[0], moments=[1], prune={"score": "fisher", "examples_per_class": 4}))
    data = load_data(study.recipe.data)
    seen: list[str] = []
    real = runs.evaluate

    def evaluate(model: Any, task: Any, examples: Any, **options: Any) -> Any:
        seen.append(next(part for part in ("train", "validation", "test") if getattr(data, part) is examples))
        return real(model, task, examples, **options)

    monkeypatch.setattr(runs, "evaluate", evaluate)
    done(study, folder / "looked")
    final = ["train", "validation", "test"]
    assert (
        seen == ["validation"] * 3 + final + final
    )  # a dense run, and a pruned one (its trigger chose the same moment)


@pytest.mark.parametrize("score", ["magnitude", "fisher"])
def test_divergence_is_a_result(recipe: Make, folder: Path, score: str) -> None:
    made = recipe(seeds=[0], train={"lr": 1e20}, moments=[0, 2, 3], prune={"score": score, "examples_per_class": 4})
    study = EarlyPeriodsStudy(made)
    store, outcome = done(study, folder / f"diverged {score}")
    assert len(outcome.done) == 4  # no trigger is judged on it
    dense = store.entry(study.dense[0])
    assert dense.summary["diverged"] == "1ep"
    assert [row["epoch"] for row in dense.rows()] == [0, 1]
    assert "fisher_trace" not in dense.rows()[1]
    for job in study.graph().jobs[1:]:
        summary = store.entry(job).summary
        assert summary["diverged"] == "1ep"
        assert ("density" in summary) == (job.config["at"] == "0ep")


def test_divergence_in_the_very_last_step_is_a_result(recipe: Make, folder: Path) -> None:
    """No training loss follows that could show it; what is evaluated is a broken network all the same."""
    made = recipe(seeds=[0], train={"epochs": 1, "batch_size": 120, "lr": 1e30}, moments=[0, 1])
    study = EarlyPeriodsStudy(made)
    store, outcome = done(study, folder / "last step")
    assert len(outcome.done) == 3  # no trigger is judged on it
    for job in study.graph().jobs:
        assert store.entry(job).summary["diverged"] == "1ep"


def test_unpruned_at_density_one_the_pruned_run_is_the_dense_one(recipe: Make, folder: Path) -> None:
    """Nothing goes and the rate goes on: the rest is the dense run's, bit for bit."""
    made = recipe(seeds=[0], moments=[2], prune={"density": 1.0, "min_lr": 0.0}, checkpoint_every=1)
    study = EarlyPeriodsStudy(made)
    store, _ = done(study, folder / "nothing")
    dense, pruned = (store.entry(job) for job in (study.dense[0], study.graph().jobs[-1]))
    assert pruned.summary["density"] == 1.0
    assert pruned.rows()[-1]["loss"] == pytest.approx(dense.rows()[-1]["loss"], rel=1e-5)
    assert pruned.summary["test_accuracy"] == pytest.approx(dense.summary["test_accuracy"], abs=0.01)


def test_data_are_loaded_once(recipe: Make) -> None:
    assert load_data(recipe().data) is load_data(recipe().data)
    assert load_data(recipe().data) is not load_data(recipe(data={"train_examples": 121}).data)


def test_no_pruned_run_leaves_a_weight_alive_that_its_mask_dropped(recipe: Make, folder: Path) -> None:
    made = recipe(seeds=[0], moments=[1], train={"optimizer": "adam", "lr": 0.01}, prune={"scope": "erk"})
    study = EarlyPeriodsStudy(made)
    store, _ = done(study, folder / "alive")
    found = store.entry(study.graph().jobs[-1]).tensors("final")
    mask = Mask.from_tensors(found_mask(found))
    data = load_data(made.data)
    names = list(prunable(begin(made.model, data, made.train, init_seed=0).model))
    assert list(mask) == names
    for index, name in enumerate(dict(begin(made.model, data, made.train, init_seed=0).model.named_parameters())):
        if name in mask:
            assert not found[f"model/{name}"][~mask[name]].any()
            assert not found[f"optimizer/{index}/exp_avg"][~mask[name]].any()


def found_mask(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("mask/"): value for name, value in tensors.items() if name.startswith("mask/")}


# ----------------------------------------------------------------------------- estimate, folder


def test_an_estimate_counts_and_times(recipe: Make) -> None:
    threads = torch.get_num_threads()
    sweep = Sweep(recipe(settings={"a": {}, "b": {"prune": {"density": 0.5}}}))
    found = estimate(sweep)
    assert (found.jobs, found.later) == (2 + 8, 4)
    assert found.epochs == 2 * 3 + 2 * 2 * (3 + 1)
    assert 0 < found.seconds < 60
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("train", [{"epochs": 1, "batch_size": 120}, {"epochs": 2, "batch_size": 120}, {"epochs": 9}])
def test_an_estimate_of_the_shortest_of_runs(recipe: Make, train: dict[str, Any]) -> None:
    assert estimate(Sweep(recipe(train=train, moments=[0], triggers={}))).seconds > 0


def test_a_folder_says_what_was_ordered(recipe: Make, tmp_path: Path) -> None:
    ordered = Ordered(
        recipe(settings={"a": {"train": {"lr": 0.5}}}), "mine", "cpu", "secateurs run mine --scale small", "store"
    )
    made = StudyFolder.create(tmp_path / "study", ordered)
    assert made.ordered() == ordered
    assert StudyFolder(tmp_path / "study").ordered() == ordered
    assert StudyFolder.create(tmp_path / "study", ordered).ordered() == ordered
    assert (tmp_path / "study" / "store" / "store.json").is_file()


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no study here \(no recipe.yaml\)"):
        StudyFolder(tmp_path)
