"""The recipes of P4: they validate and plan at every scale, say what the paper prints, and share what they can."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from secateurs.core import Spec
from secateurs.jobs import Serial, Store, run
from secateurs.studies import Sweep, load_recipe, plan, shipped
from secateurs.studies import recipe as recipes
from secateurs.studies.recipe import scales_of
from secateurs.studies.regimes import plan as regimes
from secateurs.studies.regimes.plan import RegimeCell, RegimesPlan
from secateurs.studies.schema.regimes import Regimes
from secateurs.train import TrainSettings
from stand_ins import device_of, load

recipe_of = cache(recipes._file)
NAMES = [name for name in shipped() if recipe_of(name).study == "regimes"]
EVERY = [(name, scale) for name in NAMES for scale in scales_of(name)]
FIGURES = (*range(1, 14), 15, 16)  # 14 is a Transformer's
DENSITIES = (0.05, 0.06, 0.07, 0.08, 0.1, 0.14, 0.2, 0.4, 0.8)
BATCHES = (16, 21, 27, 32, 38, 44, 52, 64, 92, 128, 180, 256, 512)
EPOCHS, BATCH = "training epochs", "batch size"


@pytest.fixture(autouse=True)
def _files_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "_file", recipe_of)


@pytest.fixture
def _no_download_and_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "load_data", load)
    for where in (plan, regimes):
        monkeypatch.setattr(where, "check_precision", lambda *_: None)


def at(number: int, scale: str = "paper") -> dict[str, Regimes]:
    return cast("dict[str, Regimes]", load_recipe(f"p4/fig{number}", scale).each())


def only(recipe: Regimes, temperatures: Any = None, loads: Any = None) -> Regimes:
    """One seed, and some of the values where they are given: others only add jobs."""
    change: dict[str, Any] = {"seeds": recipe.seeds[:1]}
    for axis, values in (("temperature", temperatures), ("load", loads)):
        if values is not None:
            change[axis] = getattr(recipe, axis).model_copy(update={"values": tuple(values)})
    return recipe.model_copy(update=change)


def corners(recipe: Regimes) -> Regimes:
    """The first and the last value of each axis."""
    return only(recipe, *(dict.fromkeys((v[0], v[-1])) for v in (recipe.temperature.values, recipe.load.values)))


def planned(recipe: Regimes, device: str = "cuda") -> RegimesPlan:
    return RegimesPlan(recipe, device, "")


def keys(recipe: Regimes) -> set[str]:
    return {job.key for job in planned(recipe).graph().jobs}


def test_every_figure_has_its_recipe() -> None:
    assert set(NAMES) == {f"p4/fig{n}" for n in FIGURES}
    titles = [recipe_of(name).common["title"] for name in NAMES]
    assert len(set(titles)) == len(titles)
    for name in NAMES:
        number = name.removeprefix("p4/fig")
        assert recipe_of(name).common["figure"] == f"P4, figure {number}"
        assert shipped()[name].read_text(encoding="utf-8").startswith(f"# P4 figure {number}: ")


@pytest.mark.usefixtures("_no_download_and_any_device")
@pytest.mark.parametrize(("name", "scale"), EVERY, ids=str)
def test_it_validates_and_plans(name: str, scale: str) -> None:
    recipe = load_recipe(name, scale)
    assert isinstance(recipe, Regimes)
    for label, one in recipe.each().items():
        assert "." not in label, "an override could not name it"
        assert (one.compare.outputs, one.threshold, one.similar_from) == ("softmax", -0.05, 0.9)
        assert one.retraining.sam is None
        assert list(one.temperature.values) == sorted(one.temperature.values)
        assert (one.compare.probe is None) == (name in {f"p4/fig{n}" for n in (8, 9, 10, 11, 12)})
        small = corners(one)
        made = planned(small, device_of(name, scale))
        cells, jobs = made.cells(), Counter(job.name for job in made.graph().jobs)
        places = len(small.temperature.values) * len(small.load.values)
        pairs = one.copies * (one.copies - 1) // 2
        assert len(cells) == places
        assert jobs["regime_run"] == places * one.copies
        assert jobs["regime_pair"] == places * pairs * (1 if one.compare.probe is None else 2)
        assert all(cell.start.inputs == {"dense": cell.dense} for cell in cells)
        hot = 1 if one.temperature.name == "epochs" else len(small.temperature.values)
        assert jobs["dense_run"] == hot * (1 if one.load.name == "density" else len(small.load.values))


@pytest.mark.usefixtures("_no_download_and_any_device")
def test_the_diagram_is_as_large_as_in_the_paper() -> None:
    recipe = at(2)[""]
    assert (len(recipe.seeds), len(recipe.temperature.values), len(recipe.load.values)) == (3, 16, 9)
    made = planned(only(recipe, recipe.temperature.values[::5]))  # one seed of three, 4 stops of 16
    assert len(made.cells()) == 4 * 9
    assert Counter(job.name for job in made.graph().jobs) == {
        "dense_run": 1,
        "state_at": 4,
        "ticket_mask": 4 * 9,
        "regime_run": 4 * 9 * 3,
        "regime_pair": 4 * 9 * 3 * 2,
    }


@pytest.mark.usefixtures("_no_download_and_any_device")
def test_what_several_figures_show_is_run_once() -> None:
    stops, whole = (80, 160), (0.05, 0.07, 0.1)
    diagram, batches = at(2)[""], at(7)[""]
    epochs_keys, batch_keys = keys(only(diagram, stops, whole)), keys(only(batches, (64, 128), whole))
    same = [(at(1)[""], EPOCHS), (at(4)[EPOCHS], EPOCHS), (at(16)[EPOCHS], EPOCHS)]
    same += [(at(4)[BATCH], BATCH), (at(16)[BATCH], BATCH), (at(3)["training epochs, density"], EPOCHS)]
    same += [(at(3)["batch size, density"], BATCH)]
    for recipe, which in same:
        first, values, known = {
            EPOCHS: (diagram, stops, epochs_keys),
            BATCH: (batches, (64, 128), batch_keys),
        }[which]
        assert set(recipe.temperature.values) <= set(first.temperature.values)
        assert set(recipe.load.values) <= set(first.load.values)
        assert (recipe.seeds, recipe.copies) == (first.seeds, first.copies)
        assert keys(only(recipe, values, whole)) == known
    five, thirteen = at(5), at(13)
    assert keys(only(five["SGD, training epochs"], stops)) < epochs_keys
    assert keys(only(five["SGD, batch size"], (64, 128))) < batch_keys
    assert keys(only(thirteen["SGD, retrained by SGD"], stops, (0.05,))) < epochs_keys
    assert keys(only(at(6)[""], (0,), whole)) < epochs_keys
    assert keys(only(at(3)["training epochs, width"], stops, (1,))) < epochs_keys
    assert keys(only(at(3)["batch size, width"], (64, 128), (1,))) < batch_keys
    assert keys(only(at(15)[EPOCHS], stops, (20,))) < epochs_keys
    assert keys(only(at(15)[BATCH], (64, 128), (20,))) < batch_keys
    dense = {job.name for job in planned(only(at(12)[""], stops, whole)).graph().jobs if job.key in epochs_keys}
    assert dense == {"dense_run", "state_at"}
    first, second = (planned(only(thirteen[f"{one}, retrained by Adam"], stops)) for one in ("SGD", "Adam"))
    assert not {cell.dense.key for cell in first.cells()} & {cell.dense.key for cell in second.cells()}
    # SAM's dense networks are others, the retraining of all is the same.
    assert not keys(only(five["SAM, training epochs"], stops)) & epochs_keys
    assert five["SAM, training epochs"].retraining == five["SGD, training epochs"].retraining


def usual(train: TrainSettings, **other: Any) -> bool:
    """Whether it is the training of appendix B.1, but for what is other."""
    said = train.model_dump()
    schedule = {"name": "step", "milestones": (80, 120), "gamma": 0.1}
    sgd = {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False, "decay_norms_and_biases": True}
    wanted = {"epochs": 160, "batch_size": 64, "lr": 0.1, "schedule": schedule, "optimizer": sgd, "warm_up": 0}
    wanted |= {"augment": "flip_crop", "precision": "float32", "drop_last": False, "label_smoothing": 0.0} | other
    return {name: said[name] for name in wanted} == wanted


def test_networks_are_trained_pruned_and_compared_as_in_the_paper() -> None:
    by_steps = {"name": "step", "milestones": ("31200it", "46800it"), "gamma": 0.1}
    for number in FIGURES:
        for label, recipe in at(number).items():
            adam = label.startswith("Adam"), label.endswith("Adam")
            if not adam[0]:
                in_steps = recipe.temperature.name == "batch_size"
                assert usual(recipe.train, **({"drop_last": True, "schedule": by_steps} if in_steps else {}))
            assert adam[1] or usual(recipe.retraining)
            pruned = recipe.prune
            assert (pruned.score.name, pruned.exclude) == ("magnitude", ("fc",))
            assert pruned.scope == ("global" if number == 12 else "layer")
            compared = recipe.compare
            assert (compared.points, compared.samples, compared.ends, recipe.last_epochs) == (11, 6400, True, 5)
            assert compared.probe == (None if number in range(8, 13) else 2)
            assert (len(recipe.seeds), recipe.copies) == (1 if number == 13 else 3, 3)
            if recipe.temperature.name == "batch_size":
                assert recipe.temperature.iterations == 62_400 == 160 * (50_000 // 128)
                assert recipe.temperature.values == ((64, 128) if number in (3, 15) else BATCHES)
            elif recipe.temperature.name == "epochs":
                assert recipe.temperature.values == ((80, 160) if number in (3, 15) else tuple(range(10, 170, 10)))
            if recipe.load.name == "density" and number in (1, 2, 4, 7, 10, 11, 12, 16):
                assert recipe.load.values == DENSITIES


def test_each_figure_varies_what_the_paper_varies() -> None:
    assert {at(n)[""].data.name for n in (1, 2, 6, 7, 8, 9, 12)} == {"cifar10"}
    assert (at(10)[""].data.name, at(11)[""].data.name) == ("cifar100", "svhn")
    preresnet = {"depth": 20, "width": 16, "shortcut": "B", "bn_scale": "one"}
    assert all(
        recipe.model == Spec("preresnet", preresnet) for n in (*range(1, 8), 10, 15) for recipe in at(n).values()
    )
    densenet, vgg = at(8)[""], at(9)[""]
    assert (densenet.model.name, densenet.model.options["initial"], vgg.model.name) == ("densenet40", 24, "vgg19")
    assert min(vgg.load.values) < min(densenet.load.values) < min(DENSITIES)
    tuned = at(3)
    assert list(tuned) == [f"{t}, {load_}" for load_ in ("density", "width") for t in (EPOCHS, BATCH)]
    for label, recipe in [*tuned.items(), *at(15).items()]:
        assert recipe.tuning is not None
        assert recipe.tuning.model_dump() == (
            {"initial": 160, "raised": 80} if label.startswith(EPOCHS) else {"initial": 128, "raised": 64}
        )
        kind, values = recipe.load.name, recipe.load.values
        if kind == "density":
            assert values == (0.05, 0.07, 0.1, 0.14, 0.2, 0.4)
        else:
            assert recipe.load.density == 0.05
            assert values == ((0.5, 1, 2, 4, 6, 8) if kind == "width" else (20, 32, 44, 56, 80, 152))
    for label, recipe in at(5).items():
        assert recipe.load.values == (0.07,)
        assert (recipe.train.sam.model_dump() if recipe.train.sam else None) == (
            {"rho": 0.6, "adaptive": False} if label.startswith("SAM") else None
        )
    (sam,) = at(6).values()
    assert sam.temperature.values == (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.6, 0.8)
    assert not sam.temperature.adaptive
    assert sam.load.values == (0.05, 0.07, 0.1, 0.2, 0.4, 0.8)
    for label, recipe in at(13).items():
        dense, again = re.fullmatch(r"(SGD|Adam), retrained by (SGD|Adam)", label).groups()
        assert recipe.load.values == (0.05, 0.06)
        for name, train in ((dense, recipe.train), (again, recipe.retraining)):
            assert train.optimizer.name == name.lower()
            assert (train.lr, train.optimizer.weight_decay) == (1e-3 if name == "Adam" else 0.1, 1e-4)
            assert usual(train, optimizer=train.optimizer.model_dump(), lr=train.lr)


@pytest.mark.parametrize(
    ("number", "label", "loads", "dense"), [(2, "", None, 1), (3, "batch size, width", (0.5,), 2), (6, "", (0.1,), 2)]
)
def test_it_runs_at_smoke_scale(
    number: int, label: str, loads: tuple[float, ...] | None, dense: int, tmp_path: Path
) -> None:
    """Between them: stops of one dense run, batch sizes, rho; densities and widths; ends and probes."""
    sweep = Sweep(only(at(number, "smoke")[label], None, loads))
    store, graph = Store(tmp_path / "store"), sweep.graph()
    run(graph, store, Serial()).raise_for_failures()
    assert Counter(job.name for job in graph.jobs)["dense_run"] == dense
    (made,) = sweep.plans(RegimesPlan).values()
    for cell in made.cells():
        _came_to_numbers(cell, store)


def _came_to_numbers(cell: RegimeCell, store: Store) -> None:
    for job in cell.runs:
        summary = store.entry(job).summary
        assert summary["diverged"] is None
        assert 0 <= summary["test_error"] <= 1
        assert summary["probe"].keys() == {"train_error", "validation_error", "test_error"}
    assert len(cell.ends) == len(cell.probes) == 1
    for job in (*cell.ends, *cell.probes):
        pair = store.entry(job).summary
        assert -1 <= pair["lmc"] <= 1
        assert len(pair["errors"]) == 3
        assert pair["cka"] is not None or pair["cka_undefined"]
