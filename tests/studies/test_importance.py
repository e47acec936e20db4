"""The study of importance: its recipe, its plan, and its run against the same measures taken one by one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from secateurs.core import DataError, PruningError, RecipeError, Spec, generator_for, prunable
from secateurs.how import keep_top
from secateurs.jobs import Entry, Graph, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.measure import evaluate
from secateurs.studies import check, importance_runs
from secateurs.studies.importance import ImportancePlan
from secateurs.studies.merging import merge
from secateurs.studies.runs import load_data
from secateurs.studies.schema import Importance
from secateurs.train import begin, train
from secateurs.what import score

Make = Callable[..., Importance]

IMPORTANCE: dict[str, Any] = {
    "study": "importance",
    "title": "tiny importance",
    "model": {"name": "digits_resnet", "width": 4},
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 3, "batch_size": 50, "lr": 0.05, "augment": "shift", "temperature": 5},
    "seeds": [1],
    "every": 1,
    "scatters": [0, "2ep", "end"],
    "examples_per_class": 4,
    "micro_batch": 1000,
    "points": 30,
    "exclude": ["conv"],
}


@pytest.fixture
def recipe() -> Make:
    """``recipe(train={"lr": 1})``: the tiny recipe with changes laid on it."""
    return lambda **changes: check(merge(deepcopy(IMPORTANCE), changes), "tiny")  # type: ignore[return-value]


def done(made: Importance, root: Path) -> Entry:
    plan, store = ImportancePlan(made), Store(root)
    run(plan.graph(), store, Serial()).raise_for_failures()
    return store.entry(next(iter(plan.runs.values())))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """The tiny recipe's run, undisturbed."""
    return done(check(IMPORTANCE, "tiny"), tmp_path_factory.mktemp("whole"))  # type: ignore[arg-type]


def without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.startswith("seconds")} for row in rows]


def measured(entry: Entry, what: str, unit: str) -> dict[int, dict[str, Any]]:
    rows = (row for row in entry.rows() if row.get("measured") == what and row["unit"] == unit)
    return {row["epoch"]: row for row in rows}


def test_the_recipe_says_epochs(recipe: Make) -> None:
    made = recipe()
    assert (made.units, made.change_epochs, made.scatter_epochs) == (("channels", "weights"), (1, 2, 3), (0, 2, 3))
    none = recipe(every=0, scatters=[], unit="weights")
    assert (none.units, none.change_epochs, none.scatter_epochs) == (("weights",), (), ())
    assert recipe(every="2ep").change_epochs == (2,)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scatters": [4]}, "scatters: 4 lies outside the run of 3 epochs"),
        ({"scatters": ["5it"]}, "scatters: 5it is inside an epoch"),
        ({"scatters": [3, "end"]}, "scatters: says something twice: 3, end"),
        ({"every": "2it"}, "every: 2it is inside an epoch"),
        ({"every": 4}, "every: 4 lies outside the run of 3 epochs"),
        ({"every": 0, "scatters": [], "gradient_norms": False}, "scatters: nothing is measured"),
        ({"checkpoint_every": 5}, "checkpoint_every: runs of this kind keep no checkpoints"),
        ({"mask_density": 1}, "mask_density: expected a number less than 1"),
        ({"points": 100_000}, "points: expected a number of at most 5000"),
        ({"unit": "filters"}, "unit: expected 'channels', 'weights' or 'both'"),
        ({"prune": {}}, "prune: unknown key"),
    ],
)
def test_what_a_recipe_cannot_say(recipe: Make, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"exclude": ["stem"]}, PruningError, "no module or parameter 'stem'"),
        ({"model": {"name": "lenet_300_100", "hidden": [8, 6]}, "exclude": []}, PruningError, "no convolution"),
        ({"examples_per_class": 20}, DataError, "examples_per_class: 20 are asked for"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_runs(
    recipe: Make, changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        ImportancePlan(recipe(**changes))


def test_filters_without_norms_have_no_change(recipe: Make) -> None:
    plain = {"model": {"name": "conv_2"}, "exclude": []}
    with pytest.raises(PruningError, match="no batch norm follows"):
        ImportancePlan(recipe(**plain))
    assert ImportancePlan(recipe(**plain, unit="weights")).runs
    assert ImportancePlan(recipe(**plain, every=0)).runs


def test_a_plan_has_a_run_for_each_seed_with_all_that_counts_in_its_key(recipe: Make) -> None:
    plan = ImportancePlan(recipe(seeds=[1, 2]), setting="one")
    assert [job.label for job in plan.graph().jobs] == ["one: measured, seed 1", "one: measured, seed 2"]
    assert (plan.epochs, plan.later, plan.steps_per_epoch) == (6, 0, 3)
    assert plan.jobs(None) == plan.graph().jobs  # type: ignore[arg-type]
    changes: list[dict[str, Any]] = [
        {},
        {"unit": "weights"},
        {"every": 2},
        {"scatters": [0]},
        {"mask_density": 0.5},
        {"points": 20},
        {"examples_per_class": 3},
        {"micro_batch": 5},
        {"depthwise": False},
        {"exclude": []},
        {"gradient_norms": False},
    ]
    keys = {ImportancePlan(recipe(**change)).runs[1].key for change in changes}
    assert len(keys) == len(changes)
    assert ImportancePlan(recipe(every="1ep", title="other")).runs[1].key == ImportancePlan(recipe()).runs[1].key


def test_measuring_changes_nothing_of_the_run(recipe: Make, whole: Entry) -> None:
    made = recipe()
    data = load_data(made.data)
    state = train(begin(made.model, data, made.train, init_seed=1), data, made.train, until=3, order_seed=1)
    plain = whole.summary
    for part in ("train", "validation", "test"):
        assert plain[f"{part}_loss"] == evaluate(state.model, data.task, getattr(data, part))["loss"]
    assert plain["layers"] == list(prunable(state.model))
    assert plain["looked_at"] == [name for name in plain["layers"] if name not in ("conv.weight", "fc.weight")]
    assert plain["widths"] == [4, 4, 4, 8, 8, 10]


def test_the_coefficients_are_those_of_the_scores(recipe: Make, whole: Entry) -> None:
    """By the scores of what/, the masks of how/ and numpy, on states trained anew."""
    made = recipe()
    data = load_data(made.data)
    examples = list(data.train.balanced(4, generator_for("importance", 1)))
    untrained = begin(made.model, data, made.train, init_seed=1)
    names = whole.summary["looked_at"]
    norms = {name: name.replace("conv", "bn") for name in names}
    before = dict(untrained.fork().model.named_parameters())
    state = train(untrained, data, made.train, until=1, order_seed=1)
    model, now = state.model, dict(state.model.named_parameters())

    def flat(values: Any) -> np.ndarray[Any, Any]:
        return torch.cat([each.detach().double().flatten() for each in values]).numpy()

    over = list(prunable(model, ["conv"]))
    lost = score("loss_preservation", model, data.task, examples, names=over)
    moved = [now[name] * (now[name] - before[name]) for name in names]
    row = measured(whole, "change", "weights")[1]
    expected = np.corrcoef(np.abs(flat(moved)), flat(lost[name] for name in names))[0, 1]
    assert row["correlation"] == pytest.approx(expected, abs=1e-9)
    masks = [keep_top({name: at[name].detach().abs() for name in names}, 0.8) for at in (before, now)]
    assert row["mask_distance"] == masks[0].distance(masks[1])
    assert row["entries"] == sum(now[name].numel() for name in names)

    row = measured(whole, "change", "channels")[1]
    moved = [now[norms[name]] * (now[norms[name]] - before[norms[name]]) for name in names]
    signed = score("movement", model, data.task, examples, names=over)
    sums = flat(signed[name].double().flatten(1).sum(1) for name in names)
    inside = flat(lost[name].double().flatten(1).sum(1) for name in names)
    scales = score("loss_preservation", model, data.task, examples, names=list(norms.values()))
    found = {"correlation": np.abs(sums), "of_sums": inside, "of_scales": flat(scales[norms[name]] for name in names)}
    for name, values in found.items():
        assert row[name] == pytest.approx(np.corrcoef(np.abs(flat(moved)), values)[0, 1], abs=1e-5)
    masks = [keep_top({name: at[norms[name]].detach().abs() for name in names}, 0.8) for at in (before, now)]
    assert row["mask_distance"] == masks[0].distance(masks[1])
    assert row["entries"] == 24


def test_the_scatter_is_grasp_against_loss(recipe: Make, whole: Entry) -> None:
    made = recipe()
    data = load_data(made.data)
    examples = list(data.train.balanced(4, generator_for("importance", 1)))
    model = begin(made.model, data, made.train, init_seed=1).model
    names, over = whole.summary["looked_at"], list(prunable(model, ["conv"]))
    first = {name: -each for name, each in score("movement", model, data.task, examples, names=over).items()}
    second = score(Spec("grasp", {"temperature": 1.0, "bn": "running"}), model, data.task, examples, names=over)
    pairs = {}
    for unit in ("channels", "weights"):
        each = [(first[name].double(), second[name].double()) for name in names]
        if unit == "channels":
            each = [(x.flatten(1).sum(1), y.flatten(1).sum(1)) for x, y in each]
        pairs[unit] = np.stack([torch.cat([side[i].flatten() for side in each]).numpy() for i in (0, 1)], axis=1)
        row = measured(whole, "flow", unit)[0]
        assert row["correlation"] == pytest.approx(np.corrcoef(pairs[unit].T)[0, 1], abs=1e-5)
        assert row["entries"] == len(pairs[unit])
    kept = whole.tensors("scatter-0ep")
    assert {name: list(each.shape) for name, each in kept.items()} == {"channels": [24, 2], "weights": [30, 2]}
    np.testing.assert_allclose(kept["channels"].numpy(), pairs["channels"], rtol=1e-3, atol=1e-6)
    # a draw without repetition, in order
    places = [int(np.abs(pairs["weights"] - point).sum(1).argmin()) for point in kept["weights"].numpy()]
    assert places == sorted(set(places))
    assert set(measured(whole, "flow", "channels")) == {0, 2, 3}


def test_gradient_norms_stand_in_the_rows_of_epochs(whole: Entry) -> None:
    rows = [row for row in whole.rows() if "measured" not in row]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(len(row["gradient_norms"]) == len(whole.summary["layers"]) for row in rows)
    assert all(norm > 0 for row in rows for norm in row["gradient_norms"])


def test_a_run_that_is_cut_off_gives_the_same_bits(
    recipe: Make, whole: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every epoch."""
    plan, store = ImportancePlan(recipe()), Store(tmp_path)
    real, sittings = Context.pause_point, 0

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    while run(plan.graph(), store, Serial()).stopped:
        sittings += 1
        assert sittings < 9
    assert sittings == 3
    again = store.entry(plan.runs[1])
    assert without_seconds(again.rows()) == without_seconds(whole.rows())
    assert again.summary == whole.summary
    for epoch in (0, 2, 3):
        ours, theirs = (entry.tensors(f"scatter-{epoch}ep") for entry in (again, whole))
        assert all(torch.equal(ours[unit], theirs[unit]) for unit in ("channels", "weights"))


def test_micro_batches_are_one_batch_up_to_rounding(recipe: Make, whole: Entry, tmp_path: Path) -> None:
    parts = done(recipe(micro_batch=7, every=0, scatters=[0], gradient_norms=False), tmp_path)
    ours, theirs = measured(parts, "flow", "weights")[0], measured(whole, "flow", "weights")[0]
    assert ours["correlation"] == pytest.approx(theirs["correlation"], abs=1e-4)
    assert "gradient_norms" not in parts.rows()[-1]


def test_test_data_are_not_measured_on(recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores see training examples alone."""
    made, seen = recipe(every=0, scatters=[0], train={"epochs": 1}), []
    real = importance_runs.loss_products

    def recording(model: Any, task: Any, batches: Any, *args: Any, **options: Any) -> Any:
        seen.extend(batches)
        return real(model, task, batches, *args, **options)

    monkeypatch.setattr(importance_runs, "loss_products", recording)
    done(made, tmp_path)
    data = load_data(made.data)
    everything = next(data.train.batches(len(data.train))).inputs
    (batch,) = seen
    assert len(batch.inputs) == 40
    assert all((everything == image).flatten(1).all(1).any() for image in batch.inputs)


def test_a_run_that_diverges_says_so(recipe: Make, tmp_path: Path) -> None:
    entry = done(recipe(train={"lr": 1e30}), tmp_path)
    assert entry.summary["diverged"] is not None
    assert set(measured(entry, "flow", "channels")) == {0}


def test_settings_are_a_sweep(recipe: Make) -> None:
    made = recipe(settings={"a": {}, "b": {"every": 2}})
    plans = {label: ImportancePlan(each, "cpu", label) for label, each in made.each().items()}
    assert Graph([job for plan in plans.values() for job in plan.graph().jobs])
    assert plans["a"].runs[1].key != plans["b"].runs[1].key
