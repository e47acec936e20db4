"""The study of methods: what its recipes may say, and which jobs under which keys they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import yaml

from secateurs.core import DataError, PruningError, RecipeError, TrainingError, version_of
from secateurs.jobs import Store
from secateurs.studies import EarlyPeriodsStudy, Methods, MethodsPlan, Sweep, check, load_recipe, plan
from secateurs.studies.estimate import estimate
from secateurs.studies.methods import Cell
from secateurs.what import SCORES, magnitude

Make = Callable[..., Methods]


@pytest.fixture
def cells(tmp_path: Path) -> Callable[[Methods], dict[tuple[str, float, str, int], Cell]]:
    """The cells of a recipe, by method, density, moment and seed."""
    store = Store(tmp_path / "store")
    return lambda recipe: {(c.method, c.density, c.moment, c.seed): c for c in MethodsPlan(recipe).cells(store)}


# ---------------------------------------------------------------------------------------- schema

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"methods": {"magnitude": {"score": "magnitud"}}}, "methods.magnitude.score: unknown name 'magnitud'"),
    ({"methods": {"magnitude": {"scope": "locl"}}}, "methods.magnitude.scope: expected 'global', 'layer' or 'erk'"),
    ({"methods": {"magnitude": {"score": {"name": "fisher", "x": 1}}}}, "methods.magnitude.score.x: unknown key"),
    ({"methods": {"magnitude": {"att": 0}}}, "methods.magnitude.att: unknown key; choices: ablation, after, at, "),
    ({"methods": {"magnitude": {"ablation": "shufle"}}}, "methods.magnitude.ablation: expected 'none', 'shuffle' or "),
    (
        {"methods": {"magnitude": {"density": 0.1}}},
        "methods.magnitude.density: densities are the study's: put 0.1 among",
    ),
    ({"methods": {"magnitude": 3}}, "methods.magnitude: expected a mapping of keys, got 3"),
    ({"methods": {" ": {}}}, "methods: a method has no name: give it one"),
    ({"methods": {"rewound": {"scored_at": "soon"}}}, "methods.rewound.scored_at: moment 'soon' is not understood"),
    ({"methods": {"rewound": {"scored_at": 4}}}, "methods.rewound.scored_at: 4 lies outside the run of 3 epochs"),
    ({"methods": {"rewound": {"at": "4ep"}}}, "methods.rewound.at: 4ep lies outside the run of 3 epochs"),
    (
        {"methods": {"rewound": {"ablation": "reinitialise", "at": "end", "scored_at": None, "after": "continue"}}},
        "methods.rewound.ablation: weights that are drawn anew at the run's end have no epochs left",
    ),
    ({"methods": None}, "methods: is missing"),
    ({"methods": []}, "methods: expected a mapping, got []"),
    ({"prune": {"density": 0.1}}, "prune.density: densities are the study's: put 0.1 among its densities"),
    ({"prune": {"scor": 0.1}}, "prune.scor: unknown key"),
    ({"prune": []}, "prune: expected a mapping of keys, got []"),
    ({"densities": []}, "densities: expected at least 1, got []"),
    ({"densities": [0.5, 0]}, "densities.1: expected a number greater than 0.0, got 0"),
    ({"densities": [1.5]}, "densities.0: expected a number of at most 1.0, got 1.5"),
    ({"densities": [0.5, "0.50"]}, "densities: says something twice: 0.5, 0.5"),
    ({"moments": [1, "1ep"]}, "moments: says something twice: 1, 1ep"),
    ({"moments": [4]}, "moments: 4 lies outside the run of 3 epochs"),
    ({"moments": ["end"]}, "moments.0: moment 'end' is not understood"),
    ({"trained": "perhaps"}, "trained: expected true or false, got 'perhaps'"),
    ({"reported": [{"source": "x"}]}, "reported.0.accuracy: is missing"),
    (
        {"reported": [{"source": "x", "accuracy": 91.7}]},
        "reported.0.accuracy: expected a number of at most 1.0, got 91.7",
    ),
    (
        {"reported": [{"source": "x", "accuracy": 0.9, "method": "magnitud", "density": 0.5}]},
        "reported.0.method: unknown method 'magnitud'; choices: magnitude, rewound, shuffled; did you mean 'magnitude",
    ),
    (
        {"reported": [{"source": "x", "accuracy": 0.9}, {"source": "x", "accuracy": 0.9, "density": 0.3}]},
        "reported.1.density: 0.3 is none of the densities 0.5, 0.2",
    ),
    ({"triggers": {}}, "triggers: unknown key"),
    ({"settings": {"a": {"methods": {"rewound": {"at": 9}}}}}, "settings.a.methods.rewound.at: 9 lies outside the run"),
    ({"settings": {"a": {"study": "early_periods"}}}, "settings.a.study: the settings of a recipe are of one kind"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_fault_is_told_with_its_path(methods: Make, change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as told:
        methods(**change)
    assert str(told.value).startswith(f"recipe tiny: {message}")
    assert len(str(told.value).splitlines()) == 1


def test_all_faults_are_told_at_once(methods: Make) -> None:
    with pytest.raises(RecipeError) as told:
        methods(train={"lr": "fast"}, densities=[2], methods={"magnitude": {"scope": 1}, "shuffled": {"score": "snap"}})
    paths = [line.split(": ")[1] for line in str(told.value).splitlines()]
    assert paths == ["train.lr", "methods.magnitude.scope", "methods.shuffled.score", "densities.0"]
    with pytest.raises(RecipeError) as told:
        methods(moments=[9], methods={"rewound": {"at": 9, "scored_at": 9}})
    assert len(str(told.value).splitlines()) == 3


def test_a_method_is_a_change_of_what_they_have_in_common(methods: Make) -> None:
    prune = {"score": {"name": "fisher"}, "scope": "layer", "min_lr": 0.5}
    changes = {"shuffled": {"score": "random", "min_lr": 0}, "rewound": {"scope": None}}
    made = methods(prune=prune, methods=changes)
    assert list(made.methods) == ["magnitude", "shuffled", "rewound"]
    said = {name: (m.score.name, m.scope, m.min_lr, m.ablation, m.after) for name, m in made.methods.items()}
    assert said == {
        "magnitude": ("fisher", "layer", 0.5, "none", "replay"),
        "shuffled": ("random", "layer", 0.0, "shuffle", "replay"),
        "rewound": ("fisher", "global", 0.5, "none", "replay"),  # null takes away what lies below
    }
    assert made.methods["magnitude"].at_density(0.2).density == 0.2
    assert made.methods["rewound"].scored_at == "end"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prune": {"score": "fisher"}, "methods": {"rewound": {"scope": None}}},
        {"settings": {"a": {"methods": {"rewound": None, "magnitude": {"score": "random"}}}, "b": {}}},
        {"reported": [{"source": "P2", "accuracy": 0.9, "method": "rewound", "density": 0.2}]},
    ],
    ids=str,
)
def test_a_recipe_survives_being_written_down(methods: Make, changes: dict[str, Any]) -> None:
    made = methods(**changes)
    plain = yaml.safe_load(yaml.safe_dump(made.model_dump(mode="json"), sort_keys=False))
    again = check(plain, "again")
    assert again == made
    assert again.each() == made.each()
    assert [job.key for job in Sweep(again).graph().jobs] == [job.key for job in Sweep(made).graph().jobs]


def test_settings_change_methods_and_what_they_have_in_common(methods: Make) -> None:
    settings = {
        "plain": {},
        "layers": {"prune": {"scope": "layer"}},
        "random": {"methods": {"magnitude": {"score": "random"}, "rewound": None}},
        "densities": {"densities": [0.3], "moments": [2]},
    }
    each = methods(settings=settings, methods={"shuffled": {"scope": "erk"}}).each()
    assert each["plain"] == methods(methods={"shuffled": {"scope": "erk"}})
    assert {name: m.scope for name, m in each["layers"].methods.items()} == {
        "magnitude": "layer",
        "shuffled": "erk",
        "rewound": "layer",
    }
    assert {name: m.score.name for name, m in each["random"].methods.items()} == {
        "magnitude": "random",
        "shuffled": "magnitude",
    }
    assert (each["densities"].densities, each["densities"].moments) == ((0.3,), (2,))


YAML = """
study: methods
common:
  title: Mine
  model: {name: lenet_300_100, hidden: [8, 6]}
  data: {name: digits, train_examples: 120}
  train: {epochs: 3, batch_size: 50, lr: 0.05}
  prune: {scope: layer, after: replay}
  methods:
    magnitude: {score: magnitude}
    random: {score: random, scope: global}
  densities: [0.5]
  seeds: [0]
scales:
  all: {}
  one: {methods: {random: null, magnitude: {scope: null}}}
  two: {settings: {a: {methods: {random: null}}, b: {methods: {magnitude: null}}, c: null}}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(YAML, encoding="utf-8")
    return str(path)


def test_a_file_of_methods(file: str) -> None:
    assert {name: m.scope for name, m in load_recipe(file, "all").methods.items()} == {
        "magnitude": "layer",
        "random": "global",
    }
    assert {name: m.scope for name, m in load_recipe(file, "one").methods.items()} == {"magnitude": "global"}
    assert {label: list(r.methods) for label, r in load_recipe(file, "two").each().items()} == {
        "a": ["magnitude"],
        "b": ["random"],
    }
    changed = load_recipe(file, "all", ["methods.random=null", "methods.snippy={score: fisher}", "prune.scope=erk"])
    assert {name: m.scope for name, m in changed.methods.items()} == {"magnitude": "erk", "snippy": "erk"}


def test_an_override_that_every_method_hides_is_refused(file: str) -> None:
    with pytest.raises(RecipeError, match=r"override prune.score: each of the methods says it too; override methods."):
        load_recipe(file, "all", ["prune.score=fisher"])
    with pytest.raises(RecipeError, match=r"override methods.random: the setting 'a' says it too"):
        load_recipe(file, "two", ["methods.random=null"])


def test_a_recipe_cannot_be_laid_on_one_of_another_kind(file: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("base: demo\nstudy: methods\nscales: {}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="study: 'methods', but its base 'demo' is a 'early_periods'"):
        load_recipe(str(other), "smoke")


# ------------------------------------------------------------------------------------------ plan


def test_the_jobs_of_a_study(methods: Make, cells: Callable[..., Any], tmp_path: Path) -> None:
    study = MethodsPlan(methods())
    jobs = study.graph().jobs
    assert [job.label for job in jobs[:2]] == ["dense, seed 0", "dense, seed 1"]
    assert Counter(job.name for job in jobs) == {"dense_run": 2, "mask_run": 2 * 6, "masked_run": 2 * 12}
    found = cells(methods())
    assert len(found) == 3 * 2 * 2 * 2
    assert [key[0] for key in found][::4][:3] == ["magnitude", "shuffled", "rewound"]
    for (method, density, moment, seed), cell in found.items():
        own = {} if moment == "0ep" else {"dense": study.dense[seed]}
        assert cell.run.inputs == {"mask": cell.mask, **own}
        assert cell.run.config["at"] == moment
        assert cell.run.config["prune"]["density"] == cell.mask.config["mask"]["density"] == density
        assert cell.mask.inputs == ({"dense": study.dense[seed]} if method == "rewound" else own)
        assert cell.mask.config["at"] == ("3ep" if method == "rewound" else moment)
        assert cell.mask == found["magnitude", density, moment, seed].mask or method == "rewound"
        assert cell.run.cost == 3  # the whole schedule again
    assert found["rewound", 0.2, "0ep", 1].mask == found["rewound", 0.2, "1ep", 1].mask
    assert study.jobs(Store(tmp_path / "s")) == jobs
    assert study.epochs == pytest.approx(2 * (3 + 6 * 0.1 + 12 * 3))
    assert list(study.grow(jobs[0], None)) == []  # type: ignore[arg-type]


def test_untrained_masks_wait_for_nothing(methods: Make) -> None:
    jobs = MethodsPlan(methods(methods={"rewound": None}, moments=[0])).graph().jobs
    assert {job.name for job in jobs if not job.inputs} == {"dense_run", "mask_run"}
    assert not any("dense" in job.inputs for job in jobs)


def test_masks_alone(methods: Make, cells: Callable[..., Any]) -> None:
    at_init = MethodsPlan(methods(trained=False, methods={"rewound": None}, moments=[0]))
    assert at_init.dense == {}
    assert {job.name for job in at_init.graph().jobs} == {"mask_run", "shuffled_mask"}
    recipe = methods(trained=False)
    assert Counter(job.name for job in MethodsPlan(recipe).graph().jobs) == {
        "dense_run": 2, "mask_run": 12, "shuffled_mask": 8,
    }  # fmt: skip
    assert {cell.run for cell in cells(recipe).values()} == {None}
    assert len(cells(recipe)) == 24


def test_methods_with_a_moment_of_their_own(methods: Make, cells: Callable[..., Any]) -> None:
    recipe = methods(
        methods={"after training": {"at": "end", "after": "continue"}, "early": {"at": "4it", "after": "continue"}}
    )
    found = cells(recipe)
    assert {moment for method, _, moment, _ in found if method == "after training"} == {"3ep"}
    assert {moment for method, _, moment, _ in found if method == "early"} == {"1ep1it"}
    last = found["after training", 0.5, "3ep", 0]
    assert last.mask == found["rewound", 0.5, "0ep", 0].mask
    assert last.run.cost == 0.5
    assert found["early", 0.5, "1ep1it", 0].run.cost == pytest.approx(3 - 4 / 3)
    assert found["early", 0.5, "1ep1it", 0].mask.config["at"] == "1ep1it"


def test_two_names_of_one_moment_are_one_cell(methods: Make, cells: Callable[..., Any]) -> None:
    assert len(cells(methods(moments=["1ep", "3it"]))) == 12


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"moments": ["10it"]}, TrainingError, "moments: 10it lies outside the run of 3 epochs of 3 steps"),
        (
            {"methods": {"rewound": {"scored_at": "10it"}}},
            TrainingError,
            "methods.rewound.scored_at: 10it lies outside",
        ),
        ({"methods": {"rewound": {"at": "10it"}}}, TrainingError, "methods.rewound.at: 10it lies outside"),
        (
            {"methods": {"rewound": {"exclude": ["head"]}, "shuffled": {"exclude": ["had"]}}},
            PruningError,
            r"methods.shuffled.exclude: .* 'had'(.|\n)*methods.rewound.exclude: .* 'head'",
        ),
        (
            {"methods": {"rewound": {"score": "snip", "examples_per_class": 100}}},
            DataError,
            r"methods.rewound.examples_per_class: 100 are asked for, but the smallest class has \d+ training examples",
        ),
        ({"densities": [0.5, 1e-6]}, PruningError, "methods.magnitude: density 1e-06 keeps none of its 620 weights"),
        ({"model": {"name": "vgg11"}}, TrainingError, "needs images of at least 32 x 32"),
    ],
)
def test_what_cannot_be_run_is_refused_before(
    methods: Make, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Sweep(methods(**change))


def test_an_estimate_counts_and_times(methods: Make) -> None:
    found = estimate(Sweep(methods(seeds=[0])))
    assert (found.jobs, found.later) == (19, 0)
    assert found.epochs == pytest.approx(3 + 6 * 0.1 + 12 * 3)


# ------------------------------------------------------------------------------------------ keys


def keys(recipe: Methods) -> dict[str, str]:
    return {job.label: job.key for job in MethodsPlan(recipe).graph().jobs}


AFTER: list[dict[str, Any]] = [
    {"ablation": "reinitialise"},
    {"after": "continue"},
    {"min_lr": 0.5},
    {"fresh_optimizer": True},
]


@pytest.mark.parametrize("change", AFTER, ids=str)
def test_what_happens_to_a_mask_is_not_in_its_key(methods: Make, cells: Callable[..., Any], change: Any) -> None:
    before, after = cells(methods()), cells(methods(methods={"magnitude": change}))
    for place, cell in before.items():
        assert cell.mask == after[place].mask
        assert (cell.run == after[place].run) == (place[0] != "magnitude")


@pytest.mark.parametrize(
    "change", [{"score": "fisher"}, {"scope": "layer"}, {"examples_per_class": 5}, {"exclude": ["5"]}], ids=str
)
def test_what_a_mask_follows_from_is_in_its_key(methods: Make, cells: Callable[..., Any], change: Any) -> None:
    before, after = cells(methods()), cells(methods(methods={"magnitude": change}))
    for place, cell in before.items():
        assert (cell.mask == after[place].mask) == (place[0] != "magnitude")
        assert (cell.run == after[place].run) == (place[0] != "magnitude")


def test_more_methods_densities_moments_or_seeds_leave_what_is_there(methods: Make) -> None:
    before = keys(methods())
    more = {"title": "Other", "densities": [0.2, 0.1, 0.5], "moments": ["1ep", 2, 0], "seeds": [2, 1, 0]}
    after = keys(methods(**more, methods={"another": {"score": "random"}}, reported=[{"source": "x", "accuracy": 1}]))
    assert {label: after.get(label) for label in before} == before


def test_a_change_of_training_changes_every_key(methods: Make) -> None:
    before, after = keys(methods()), keys(methods(train={"lr": 0.06}))
    assert set(before) == set(after)
    assert all(before[label] != after[label] for label in before)


def test_versions_of_scores_are_in_the_keys(methods: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(methods())

    @wraps(magnitude)
    def newer(*args: Any, **kwargs: Any) -> Any:
        return magnitude(*args, **kwargs)

    newer.version = version_of(magnitude) + 1  # type: ignore[attr-defined]
    monkeypatch.setitem(SCORES, "magnitude", newer)
    assert all((before[label] == key) == label.startswith("dense") for label, key in keys(methods()).items())


def test_precision_is_checked(methods: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(plan, "check_precision", lambda *told: asked.append(told))
    MethodsPlan(methods())
    assert asked


def test_plans_are_told_apart(methods: Make, recipe: Callable[..., Any]) -> None:
    sweep = Sweep(methods(settings={"a": {}, "b": {"train": {"lr": 1}}}))
    assert list(sweep.plans(MethodsPlan)) == ["a", "b"]
    with pytest.raises(RecipeError, match="a study of kind methods has no EarlyPeriodsStudy"):
        sweep.plans(EarlyPeriodsStudy)
    with pytest.raises(RecipeError, match="a study of kind early_periods has no MethodsPlan"):
        Sweep(recipe()).plans(MethodsPlan)
