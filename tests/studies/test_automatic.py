"""One run that prunes itself, as a job: the study's own run at the moment that it chose, to the bit, if cut off too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secateurs.core import RecipeError, Spec, StoreError, TrainingError
from secateurs.jobs import Entry, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.studies import EarlyPeriods, EarlyPeriodsStudy, Methods, load_recipe
from secateurs.studies.automatic import AutomaticPlan, one_setting
from secateurs.studies.pruned_folder import PrunedFolder, mask_of, saved_by
from secateurs.when import At, default_trigger, describe, trigger_of

Make = Callable[..., EarlyPeriods]
PEAK = "peak signal=fisher_trace patience=1 min_drop=0 no_later_than=2ep"


def done(plan: AutomaticPlan, root: Path) -> Entry:
    store = Store(root)
    run(plan.graph(), store, Serial()).raise_for_failures()
    return store.entry(plan.job)


def final(entry: Entry) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in entry.tensors("final").items()}


def without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]


@pytest.mark.parametrize("trigger", [PEAK, "middle"])
def test_it_is_the_pruned_run_that_the_study_makes_where_the_trigger_fires(
    recipe: Make, tmp_path: Path, trigger: str
) -> None:
    made = recipe(seeds=[1], moments=[0])
    plan = AutomaticPlan.of(made, trigger, seed=1)
    live = done(plan, tmp_path)
    study = EarlyPeriodsStudy(plan.recipe)
    store = Store(tmp_path)
    run(study.graph(), store, Serial()).raise_for_failures()
    (choice,) = [each for each in study.choices(store) if plan.trigger in each.chosen_by]
    assert live.summary["pruned"] == str(choice.moment)
    pruned = store.entry(choice.job)
    assert final(live) == final(pruned)
    same = set(live.summary) & set(pruned.summary)
    assert {"test_accuracy", "validation_accuracy", "density", "layer_densities", "diverged"} <= same
    assert {name: live.summary[name] for name in same} == {name: pruned.summary[name] for name in same}


def test_cut_off_after_every_epoch_it_gives_the_same_bits(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = AutomaticPlan.of(recipe(), PEAK)
    whole = done(plan, tmp_path / "whole")
    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    store = Store(tmp_path / "cut")
    sittings = 1
    while run(plan.graph(), store, Serial()).stopped:
        sittings += 1
        assert sittings < 20
    assert sittings == 5, "the untrained network's, and three epochs'"
    entry = store.entry(plan.job)
    assert final(entry) == final(whole)
    assert entry.summary == whole.summary
    assert without_seconds(entry.rows()) == without_seconds(whole.rows())


def test_only_what_the_trigger_needs_is_measured_unless_all_is_asked_for(recipe: Make) -> None:
    made = recipe()
    assert [spec.name for spec in AutomaticPlan.of(made, PEAK).recipe.signals] == ["fisher_trace"]
    assert AutomaticPlan.of(made, PEAK).recipe.signals[0].options["samples"] == 8, "as the recipe has it"
    assert AutomaticPlan.of(made, "middle").recipe.signals == ()
    early_crop = AutomaticPlan.of(made, "early_crop")
    assert [spec.name for spec in early_crop.recipe.signals] == ["weight_change"], "the recipe has it not"
    every = AutomaticPlan.of(made, "early_crop", all_signals=True).recipe.signals
    assert [spec.name for spec in every] == ["fisher_trace", "kl_uniform", "loss", "weight_change"]


def test_the_key_follows_from_the_trigger_as_it_acts(recipe: Make) -> None:
    """A default that changes, or follows from the density, is another run; a name is not."""
    made = recipe()
    keys = {AutomaticPlan.of(made, text).job.key for text in (None, "middle", PEAK, "at moment=2ep", "at moment=1ep")}
    assert len(keys) == 4
    assert AutomaticPlan.of(made).job.key == AutomaticPlan.of(made, "default").job.key
    assert AutomaticPlan.of(made, seed=1).job.key != AutomaticPlan.of(made).job.key
    assert AutomaticPlan.of(made).rule == trigger_of(Spec("default"), epochs=3, density=0.3)
    assert "Below(signal='weight_change', threshold=0.3" in AutomaticPlan.of(made, "early_crop").job.config["rule"]


def test_no_trigger_is_the_one_named_default_and_else_the_built_in(recipe: Make) -> None:
    mine = recipe(triggers={"default": {"name": "at", "moment": "1ep"}})
    assert AutomaticPlan.of(mine).rule == AutomaticPlan.of(mine, "default").rule == At("1ep")
    assert AutomaticPlan.of(mine).job.key == AutomaticPlan.of(mine, "default").job.key
    built_in = default_trigger(epochs=3)
    assert AutomaticPlan.of(recipe()).rule == AutomaticPlan.of(recipe(), "default").rule == built_in


def test_triggers_as_a_person_writes_them(recipe: Make) -> None:
    made = recipe(triggers={"a mean of two": {"name": "peak", "signal": "loss", "smoothing": 2}})
    assert AutomaticPlan.of(made, "a mean of two").trigger == "a mean of two"
    words = AutomaticPlan.of(made, "peak signal=loss smoothing=2").rule
    assert words == AutomaticPlan.of(made, "a mean of two").rule
    assert AutomaticPlan.of(made, "{name: peak, signal: loss, smoothing: 2}").rule == words
    combined = "{name: any_of, of: [{name: at, moment: 50%}, {name: below, signal: loss, threshold: 1}]}"
    both = AutomaticPlan.of(made, combined)
    assert describe(both.rule) == "loss below 1, no later than epoch 2"


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("midle", "trigger 'midle': unknown name; choices: .*; did you mean 'middle'?"),
        ("peak of something", "unknown name"),
        ("", "unknown name"),
        ("{}", "unknown name"),
        ("[peak]", "unknown name"),
        ("peak", "trigger 'peak': signal: is missing"),
        ("peak signal=loss patiense=3", "patiense: unknown key; choices: .*; did you mean 'patience'?"),
        ("peak signal=loss patience=soon", "patience: expected a whole number, got 'soon'"),
        ("peak signal=loss patience=0", "patience: expected a finite number of at least 1"),
        ("peak signal='loss", "not understood .* write 'peak signal=loss patience=3'"),
        ("{name: [", "trigger '{name: .', line 1: not valid YAML: .* write 'peak signal=loss patience=3'"),
        ("{name: peak, signal: loss, signal: x}", "line 1: not valid YAML: key 'signal' stands on line 1 already"),
        ("{name: [peak]}", "unknown name"),
        ("peak signal=los", "the signal 'los' does not exist; choices: .*; did you mean 'loss'?"),
        ("at moment=4ep", "trigger 'at': moment: 4ep lies outside the run of 3 epochs"),
        ("at moment=100it", "trigger 'at': 100it lies outside the run of 3 epochs of 3 steps"),
        ("at moment=101%", "trigger 'at moment=101%': moment: .*101%"),
        ("peak signal=loss no_later_than=9ep", "trigger 'peak': no_later_than: 9ep lies outside the run"),
    ],
)
def test_triggers_that_cannot_be(recipe: Make, trigger: str, message: str) -> None:
    with pytest.raises((RecipeError, TrainingError), match=message):
        AutomaticPlan.of(recipe(), trigger)


def test_a_signal_with_one_value_a_layer_decides_nothing(recipe: Make) -> None:
    made = recipe(signals=[{"name": "gradient_norms", "layerwise": True}])
    with pytest.raises(RecipeError, match="'gradient_norms' has one value a layer, triggers read one"):
        AutomaticPlan.of(made, "peak signal=gradient_norms")


def test_recipes_of_another_kind_and_of_several_settings(recipe: Make, methods: Callable[..., Methods]) -> None:
    with pytest.raises(RecipeError, match="compares methods and has no trigger: take one of kind early_periods"):
        one_setting(methods())
    several = recipe(settings={"slow": {"train": {"lr": 0.01}}, "fast": {"train": {"lr": 0.1}}})
    with pytest.raises(RecipeError, match="has several settings: name one with --setting; choices: fast, slow"):
        one_setting(several)
    with pytest.raises(RecipeError, match=r"no setting 'fats'; choices: fast, slow; did you mean 'fast'?"):
        one_setting(several, "fats")
    assert one_setting(several, "fast").train.lr == 0.1
    assert one_setting(recipe()).train.lr == 0.05


# ---------------------------------------------------------------------------------------------- the folder


def test_what_lies_in_the_folder_is_looked_at_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("dear", encoding="utf-8")
    with pytest.raises(StoreError, match="is a file: name a folder"):
        PrunedFolder(tmp_path / "file")
    with pytest.raises(StoreError, match="holds 'file', and no run of 'secateurs prune'"):
        PrunedFolder(tmp_path)
    study = tmp_path / "study"
    study.mkdir()
    (study / "recipe.yaml").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="is the folder of a study"):
        PrunedFolder(study)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".DS_Store").write_text("", encoding="utf-8")
    assert PrunedFolder(tmp_path / "hidden").store.root == PrunedFolder(tmp_path / "hidden").store.root
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "hidden", "study"]


def test_networks_of_other_runs_make_room(recipe: Make, tmp_path: Path) -> None:
    """A folder holds one result, and the store all of them."""
    folder = PrunedFolder(tmp_path / "out")
    files = []
    for trigger in ("middle", "below signal=loss threshold=-1", "middle"):
        plan = AutomaticPlan.of(recipe(), trigger)
        outcome = run(plan.graph(), folder.store, Serial())
        files.append((len(outcome.done), [path.name for path in folder.write_network(folder.store.entry(plan.job))]))
        assert {path.name for path in folder.root.iterdir()} == {"store", *files[-1][1]}
    pruned = ["pruned.safetensors", "mask.safetensors"]
    assert files == [(1, pruned), (1, ["dense.safetensors"]), (0, pruned)]


def test_of_a_run_that_diverged_no_network_is_kept(recipe: Make, tmp_path: Path) -> None:
    plan = AutomaticPlan.of(recipe(train={"lr": 1e20}), "middle")
    folder = PrunedFolder(tmp_path / "out")
    run(plan.graph(), folder.store, Serial()).raise_for_failures()
    entry = folder.store.entry(plan.job)
    assert entry.summary["diverged"] == "1ep"
    assert entry.summary["pruned"] is None
    assert folder.write_network(entry) == ()


def test_what_a_mask_saves(recipe: Make, tmp_path: Path) -> None:
    plan = AutomaticPlan.of(recipe(), "middle")
    entry = done(plan, tmp_path)
    mask = mask_of(entry)
    assert mask is not None
    saved = saved_by(plan, mask)
    assert saved["multiply_adds_dense"] == mask.total == 620, "a fully connected network uses each weight once"
    assert saved["multiply_adds_kept"] == mask.kept
    assert saved["bytes_dense"] == 4 * (620 + 8 + 6 + 10)


def test_a_recipe_of_the_regret_benchmark_serves_too() -> None:
    several = load_recipe("benchmarks/when", "smoke")
    plan = AutomaticPlan.of(one_setting(several, next(iter(several.settings))), "at 10 %")
    assert plan.job.name == "automatic_run"
    assert plan.recipe.triggers.keys() == {"at 10 %"}
