"""Every recipe that ships, at every scale: it validates, plans, and its networks take the data they are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch

from secateurs.core import Moment, Spec
from secateurs.how import keep_density
from secateurs.jobs import Store
from secateurs.procedures import find_channels, find_mask
from secateurs.studies import EarlyPeriods, EarlyPeriodsStudy, Methods, MethodsPlan, load_recipe, plan, shipped
from secateurs.studies.methods import Cell
from secateurs.studies.recipe import _file as recipe_of
from secateurs.studies.recipe import scales_of
from secateurs.studies.schema import ChannelRecipe
from secateurs.when import replay, signal_of
from secateurs.zoo import build_model
from secateurs.zoo import digits as real_digits
from stand_ins import device_of, load

EVERY = [(name, scale) for name in shipped() for scale in scales_of(name)]
KINDS = {name: recipe_of(name).study for name in shipped()}
EARLY = [each for each in EVERY if KINDS[each[0]] in ("early_periods", "regret")]
METHODS = [each for each in EVERY if KINDS[each[0]] == "methods"]
NO_STORE = cast(Store, SimpleNamespace(entry=lambda _: SimpleNamespace(done=False)))  # nothing was done yet


@pytest.fixture(autouse=True)
def _no_download_and_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "load_data", load)
    monkeypatch.setattr(plan, "check_precision", lambda *_: None)


def planned(recipe: EarlyPeriods, device: str) -> set[str]:
    """Plan for one seed (more seeds only add jobs, which has a test of its own); the keys of the jobs."""
    study = EarlyPeriodsStudy(recipe.model_copy(update={"seeds": recipe.seeds[-1:]}), device)
    dense, *pruned = [job for job in study.graph().jobs if job.name != "costs_run"]
    assert dense.name == "dense_run"
    assert len(pruned) == len(recipe.moments)
    assert all(job.name == "pruned_run" and job.inputs == {"dense": dense} for job in pruned)
    # Pruned runs train only what is left; together with the dense prefix it is one budget.
    epochs, per_epoch = recipe.train.epochs, study.steps_per_epoch
    left = [max(0.5, epochs - Moment.parse(t, per_epoch).epochs) for t in recipe.moments]
    assert [job.cost for job in (dense, *pruned)] == pytest.approx([epochs, *left])
    return {job.key for job in (dense, *pruned)}


@pytest.mark.parametrize(("name", "scale"), EARLY, ids=str)
def test_a_study_of_early_periods_validates_and_plans(name: str, scale: str) -> None:
    recipe = load_recipe(name, scale)
    keys: dict[str, set[str]] = {}
    for label, one in recipe.each().items():
        assert isinstance(one, EarlyPeriods)
        keys[label] = planned(one, device_of(name, scale))
        assert len(keys[label]) == 1 + len(one.moments)
        moments = [Moment.parse(moment, 10**6) for moment in one.moments]
        assert len(set(moments)) == len(moments)
        assert one.triggers
        for spec in one.signals:
            signal_of(spec)
    labels = list(keys)
    assert all(keys[a] != keys[b] for a in labels for b in labels if a < b), "two settings are one"


def methods_plan(recipe: Methods, device: str) -> MethodsPlan:
    """Plan for one seed and one density: others only add jobs."""
    return MethodsPlan(
        recipe.model_copy(update={"seeds": recipe.seeds[-1:], "densities": recipe.densities[-1:]}), device
    )


def outcome(cell: Cell) -> str:
    last = cell.run or cell.mask
    assert last is not None
    return last.key


@pytest.mark.parametrize(("name", "scale"), METHODS, ids=str)
def test_a_study_of_methods_validates_and_plans(name: str, scale: str) -> None:
    seen: dict[str, str] = {}
    for label, one in load_recipe(name, scale).each().items():
        assert isinstance(one, Methods)
        assert not any("." in each for each in (label, *one.methods)), "an override could not name it"
        assert scale in ("paper", "small") or not one.reported, "other networks than those reported"
        study = methods_plan(one, device_of(name, scale))
        cells = study.cells(NO_STORE)
        own = [method.at is not None or method.when is not None for method in one.methods.values()]
        assert len(cells) == sum(1 if its_own else len(one.moments) for its_own in own)
        assert study.later == sum(2 + one.costs.measured for method in one.methods.values() if method.when is not None)
        for cell in cells:
            method = one.methods[cell.method]
            assert (cell.at is None) == (method.when is not None)
            if cell.at is None:
                assert cell.jobs == ()
                continue
            assert (cell.run is not None) == one.trained
            if method.after == "replay" and cell.run is not None:
                assert cell.run.cost == one.train.epochs  # the whole schedule again
            if cell.mask is not None:
                assert ("dense" in cell.mask.inputs) == (cell.at.steps > 0 or method.scored_at == "end")
            if cell.at.epochs < one.train.epochs:  # at the end, rewinding is pruning by magnitude
                told = f"{label} {cell.method} at {cell.moment}"
                assert seen.setdefault(outcome(cell), told) == told, "two cells are one"


@pytest.mark.parametrize("part", ["fig5_5", "fig5_7", "fig5_10", "fig5_12", "fig5_14"])
def test_methods_that_several_figures_show_are_run_once(part: str) -> None:
    for label, one in load_recipe(f"p2/{part}", "paper").each().items():
        first = load_recipe("p2/fig5_4", "paper").each()[label]
        assert isinstance(one, Methods)
        assert isinstance(first, Methods)
        assert set(one.densities) <= set(first.densities)
        shared = one.methods.keys() & first.methods.keys()
        assert shared
        known = {
            outcome(cell)
            for cell in methods_plan(first.model_copy(update={"densities": one.densities}), "cuda").cells(NO_STORE)
        }
        for cell in methods_plan(one, "cuda").cells(NO_STORE):
            if cell.method in shared and cell.moment == "0ep":
                assert outcome(cell) in known, cell.method


def test_every_method_finds_what_it_prunes() -> None:
    """On a tiny network, in few steps: what a recipe says of a score fits the score."""
    data = real_digits(train_examples=128)
    model = build_model(Spec("digits_resnet", {"width": 2, "bn_scale": "uniform"}), (1, 8, 8), 10, seed=0)
    masks, channels = set(), set()
    for name in dict(METHODS):
        recipe = load_recipe(name, "paper")
        assert isinstance(recipe, Methods)
        for label, method in recipe.methods.items():
            few = {"density": 0.3, "examples_per_class": 2, "steps": min(getattr(method, "steps", 1), 2)}
            settings = method.at_density(0.5)
            if isinstance(settings, ChannelRecipe):
                choice = settings.choice.model_copy(update={**few, "density": 0.5})
                if repr(choice) not in channels:
                    channels.add(repr(choice))
                    assert keep_density(find_channels(model, data, choice), choice.counted) <= 0.5, (name, label)
            else:
                mask = settings.mask.model_copy(update=few)
                if repr(mask) not in masks:
                    masks.add(repr(mask))
                    assert find_mask(model, data, mask).density == pytest.approx(0.3, abs=0.01), (name, label)
    assert len(masks) >= 12
    assert len(channels) >= 12


@pytest.mark.parametrize(("name", "scale"), [each for each in EARLY if each[1] != "smoke"], ids=str)
def test_its_triggers_can_fire_inside_the_run(name: str, scale: str) -> None:
    """Where a signal has a peak inside the run, every trigger of a shipped recipe fires before the end."""
    for recipe in load_recipe(name, scale).each().values():
        assert isinstance(recipe, EarlyPeriods)
        names = [signal_of(spec).name for spec in recipe.signals]
        # A signal with a peak early on, and one with a peak at once.
        for shape in ([1.0, 5, 9, 7, 4, 2], [9.0, 5, 3, 2, 1, 0.5]):
            curve = shape + [shape[-1] / (k + 2) for k in range(recipe.train.epochs + 1 - len(shape))]
            log = [(Moment(k, 1), dict.fromkeys(names, v)) for k, v in enumerate(curve[: recipe.train.epochs + 1])]
            for trigger, spec in recipe.triggers.items():
                if recipe.study == "regret" and spec.name != "peak":
                    continue  # it holds baselines, too, and thresholds that these curves know nothing of
                fired = replay(recipe.trigger(trigger), log)
                assert fired is not None, (trigger, shape)
                assert fired.steps < recipe.train.epochs, (trigger, shape)


@pytest.mark.parametrize("name", shipped())
def test_its_networks_take_its_data(name: str) -> None:
    seen = set()
    for scale in {"smoke", "demo"} & set(scales_of(name)):  # the full networks are built in their own tests
        for recipe in load_recipe(name, scale).each().values():
            key = repr((recipe.model, recipe.data.name, recipe.data.options.get("enlarge")))
            if key in seen:
                continue
            seen.add(key)
            data = load(recipe.data)
            model = build_model(recipe.model, data.input_shape, data.num_classes, seed=0).eval()
            assert model(torch.zeros(2, *data.input_shape)).shape == (2, data.num_classes)
    assert seen


@pytest.mark.parametrize("name", [name for name in shipped() if name != "demo"])
def test_every_recipe_has_a_paper_scale_or_says_what_it_is(name: str) -> None:
    scales = scales_of(name)
    assert "smoke" in scales
    assert {"paper", "small"} & set(scales)
    if name.startswith(("p2/", "p4/")):
        assert scales == ("paper", "small", "cpu", "smoke")
        assert load_recipe(name, "paper").figure.startswith(f"{name[:2].upper()}, ")


def test_p0_is_run_as_in_the_paper() -> None:
    recipe = load_recipe("p0/fig1a", "paper")
    assert isinstance(recipe, EarlyPeriods)
    t = recipe.train
    assert (t.epochs, t.batch_size, t.lr, t.augment, t.warm_up) == (200, 128, 0.1, "flip_crop", 0)
    assert t.optimizer.model_dump() == {
        "name": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "nesterov": False, "decay_norms_and_biases": True,
    }  # fmt: skip
    assert t.schedule.model_dump() == {"name": "exponential", "gamma": 0.97}
    assert t.precision == "float32"
    assert recipe.prune.density == pytest.approx(0.1)
    assert (recipe.prune.scope, recipe.prune.score.name, recipe.prune.min_lr) == ("global", "magnitude", 0.001)
    assert (recipe.moments, len(recipe.seeds)) == (tuple(range(0, 200, 20)), 3)
    assert recipe.model == Spec("resnet18", {"width": 64, "shortcut": "B", "bn_scale": "one"})
