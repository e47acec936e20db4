"""Recipes with several settings: one graph, in which nothing is trained twice."""

from __future__ import annotations

import pytest

from secateurs.core import RecipeError, TrainingError
from secateurs.jobs import Serial, Store, run
from secateurs.studies import EarlyPeriodsStudy, Sweep, load_recipe, shipped
from secateurs.studies.recipe import scales_of
from secateurs.studies.runs import identity_and_place


def test_settings_that_only_prune_differently_share_their_dense_runs() -> None:
    sweep = Sweep(load_recipe("p0/fig5", "smoke"))
    dense = [{job.key for job in study.dense.values()} for study in sweep.studies.values()]
    assert dense[0] == dense[1] == dense[2]
    assert list(sweep.studies) == ["80 % sparsity", "90 % sparsity", "95 % sparsity"]
    assert len(sweep.graph()) == 2 + 3 * 2 * 2


def test_figures_that_share_runs_share_jobs() -> None:
    def keys(name: str) -> set[str]:
        return {job.key for job in Sweep(load_recipe(name, "smoke")).graph().jobs}

    assert keys("p0/fig7") == keys("p0/fig6")
    assert keys("p0/fig1a") < keys("p0/fig5")
    shared = keys("p0/fig5") & keys("p0/fig11")
    assert len(shared) == 2, "global and local pruning start from the same dense runs"


def test_a_recipe_without_settings_is_its_only_one() -> None:
    sweep = Sweep(load_recipe("demo", "smoke"))
    assert list(sweep.studies) == [""]
    alone = EarlyPeriodsStudy(load_recipe("demo", "smoke"))
    assert [job.key for job in sweep.graph().jobs] == [job.key for job in alone.graph().jobs]


def test_a_sweep_knows_all_its_jobs_once_it_is_run(tmp_path) -> None:
    changes = ["settings={a: {}, b: {prune: {density: 0.5}}}", "seeds=[0]", "moments=[0]", "train.epochs=3"]
    sweep = Sweep(load_recipe("demo", "smoke", changes))
    store = Store(tmp_path / "store")
    assert len(sweep.jobs(store)) == len(sweep.graph())
    outcome = run(sweep.graph(), store, Serial())
    outcome.raise_for_failures()
    assert {job.key for job in sweep.jobs(store)} == {job.key for job in outcome.done}
    assert len(outcome.done) > len(sweep.graph()), "the triggers' runs were added"
    assert {job.group for job in outcome.done} == {"a", "b"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{a: {prune: {density: 5}}}", "settings.a.prune.density: expected a number of at most 1"),
        ("{a: {model: resnet21}}", "settings.a.model: unknown name 'resnet21'"),
        ("{a: {triger: 1}}", "settings.a.triger: unknown key"),
        ("{a: {settings: {b: {}}}}", "settings.a: settings cannot hold settings"),
    ],
)
def test_a_fault_in_a_setting_is_told_with_its_path(settings: str, message: str) -> None:
    with pytest.raises(RecipeError, match="recipe demo: ") as told:
        load_recipe("demo", "smoke", [f"settings={settings}"])
    assert message in str(told.value)


def test_a_network_that_does_not_suit_the_data_is_refused_before_anything_runs() -> None:
    with pytest.raises(TrainingError, match="needs images of at least 32 x 32"):
        Sweep(load_recipe("demo", "smoke", ["model=vgg11"]))


def test_places_and_titles_of_data_are_in_no_key() -> None:
    identity, place = identity_and_place(
        load_recipe("p0/fig1a", "paper", ["data.folder=there", "data.title=mine"]).data
    )
    assert place == {"folder": "there", "title": "mine"}
    assert identity == {"name": "cifar10", "size": None, "validation": None, "train_examples": None}


def test_every_figure_of_p0_has_a_recipe_at_every_scale() -> None:
    figures = {f"p0/fig{n}" for n in range(2, 15)} | {f"p0/fig1{panel}" for panel in "abcd"}
    assert figures <= set(shipped())
    for name in figures:
        assert {"paper", "small", "smoke"} <= set(scales_of(name))
        for scale in scales_of(name):
            recipe = load_recipe(name, scale)
            assert recipe.each()
            assert recipe.figure.startswith("P0, figure ")


@pytest.mark.parametrize("name", [name for name in shipped() if "smoke" in scales_of(name)])
def test_every_recipe_plans_at_smoke_scale(name: str) -> None:
    assert len(Sweep(load_recipe(name, "smoke")).graph()) > 0


def test_the_paper_scale_is_the_paper_s_settings() -> None:
    recipe = load_recipe("p0/fig1a", "paper")
    assert (recipe.train.epochs, recipe.train.batch_size, recipe.train.lr) == (200, 128, 0.1)
    assert (recipe.train.optimizer.momentum, recipe.train.optimizer.weight_decay) == (0.9, 5e-4)
    assert recipe.train.schedule.gamma == 0.97
    assert recipe.moments == tuple(range(0, 200, 20))
    assert (recipe.prune.density, recipe.prune.scope, recipe.prune.min_lr) == (0.1, "global", 0.001)
    assert len(recipe.seeds) == 3
