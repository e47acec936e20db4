"""The plan: which jobs, under which keys, and what the triggers add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import pytest

from secateurs.core import DataError, Moment, RecipeError, Spec, TrainingError, version_of
from secateurs.jobs import Job
from secateurs.studies import EarlyPeriods, EarlyPeriodsStudy, Sweep, log_of, plan
from secateurs.what import SCORES, magnitude
from secateurs.when import SIGNALS, FisherTrace
from secateurs.zoo import Dataset

Make = Callable[..., EarlyPeriods]


def keys(recipe: EarlyPeriods, device: str = "cpu") -> dict[str, str]:
    """Label -> key."""
    return {job.label: job.key for job in EarlyPeriodsStudy(recipe, device).graph().jobs}


class Done:
    """An entry of a dense run that is done, with these rows."""

    def __init__(self, rows: list[dict[str, Any]], diverged: str | None = None) -> None:
        self.done, self.summary, self._rows = True, {"diverged": diverged}, rows

    def rows(self) -> list[dict[str, Any]]:
        return self._rows


class Shelf:
    """A store of which only ``entry`` is asked."""

    def __init__(self, entries: dict[str, Done]) -> None:
        self._entries = entries

    def entry(self, job: Job) -> Any:
        return self._entries.get(job.key) or type("Absent", (), {"done": False})()


def rows(**signals: list[float | None]) -> list[dict[str, Any]]:
    length = max(map(len, signals.values()))
    return [
        {"epoch": k, "moment": f"{k}ep", "seconds": 1.0}
        | {name: values[k] for name, values in signals.items()}
        | {f"seconds/{name}": 0.1 for name in signals}
        for k in range(length)
    ]


def test_dense_runs_come_first_then_the_grid(recipe: Make) -> None:
    jobs = EarlyPeriodsStudy(recipe()).graph().jobs
    assert [job.label for job in jobs] == [
        "dense, seed 0",
        "dense, seed 1",
        "pruned at 0ep, seed 0",
        "pruned at 2ep, seed 0",
        "pruned at 0ep, seed 1",
        "pruned at 2ep, seed 1",
    ]
    dense = {job.label: job for job in jobs if job.name == "dense_run"}
    for job in jobs[2:]:
        assert job.inputs == {"dense": dense[f"dense, seed {job.label[-1]}"]}
    assert [job.cost for job in jobs] == [3, 3, 3, 1, 3, 1]


def test_moments_of_steps_and_the_very_end(recipe: Make) -> None:
    study = EarlyPeriodsStudy(recipe(moments=["4it", "3ep", 1], seeds=[0]))
    assert study.steps_per_epoch == 3
    assert [job.label for job in study.graph().jobs[1:]] == [
        "pruned at 1ep1it, seed 0",
        "pruned at 3ep, seed 0",
        "pruned at 1ep, seed 0",
    ]
    assert study.epochs == pytest.approx(3 + 5 / 3 + 0.5 + 2)


@pytest.mark.parametrize("moment", ["10it", "3ep1it"])
def test_moments_outside_the_run_are_refused_when_the_steps_are_known(recipe: Make, moment: str) -> None:
    with pytest.raises(TrainingError, match=f"moments: {moment} lies outside the run of 3 epochs of 3 steps"):
        EarlyPeriodsStudy(recipe(moments=[moment]))


def test_a_batch_larger_than_the_data_is_refused(recipe: Make) -> None:
    with pytest.raises(DataError, match="batch_size 121 is larger than the 120 training examples"):
        EarlyPeriodsStudy(recipe(train={"batch_size": 121}))


def test_data_that_cannot_be_are_refused(recipe: Make) -> None:
    with pytest.raises(DataError, match="digits, train split: no example of class"):
        EarlyPeriodsStudy(recipe(data={"train_examples": 4}, train={"batch_size": 2}))


# ------------------------------------------------------------------------------------------ keys

CHANGES: dict[str, dict[str, Any]] = {
    "model": {"model": {"name": "digits_resnet", "width": 4}},
    "an option of the model": {"model": {"hidden": [8, 7]}},
    "data": {"data": {"train_examples": 121}},
    "epochs": {"train": {"epochs": 4}},
    "batch size": {"train": {"batch_size": 60}},
    "rate": {"train": {"lr": 0.06}},
    "optimiser": {"train": {"optimizer": "adam"}},
    "weight decay": {"train": {"optimizer": {"weight_decay": 5e-3}}},
    "where weight decay acts": {"train": {"optimizer": {"decay_norms_and_biases": False}}},
    "schedule": {"train": {"schedule": "cosine"}},
    "an option of the schedule": {"train": {"schedule": {"name": "exponential", "gamma": 0.98}}},
    "augmentation": {"train": {"augment": "none"}},
    "warm-up": {"train": {"warm_up": "2it"}},
    "label smoothing": {"train": {"label_smoothing": 0.1}},
    "temperature": {"train": {"temperature": 2.0}},
    "clipping": {"train": {"clip_norm": 1.0}},
    "layout": {"train": {"channels_last": True}},
    "the last batch": {"train": {"drop_last": True}},
    "sharpness": {"train": {"sam": {"rho": 0.1}}},
    "signals": {"signals": ["fisher_trace", "loss"]},
    "an option of a signal": {"signals": [{"name": "fisher_trace", "samples": 9}, "kl_uniform", "loss"]},
    "checkpoints": {"checkpoint_every": 1},
    "threads": {"threads": 2},
}
PRUNING: dict[str, dict[str, Any]] = {
    "density": {"density": 0.31},
    "scope": {"scope": "layer"},
    "score": {"score": "random"},
    "examples": {"examples_per_class": 5},
    "exclude": {"exclude": ["5"]},
    "lambda": {"min_lr": 0.01},
    "fresh optimiser": {"fresh_optimizer": True},
    "schedule": {"schedule": "linear"},
    "steps": {"schedule": "linear", "steps": 3},
    "revival": {"schedule": "linear", "score": {"name": "magnitude"}, "revive": False},
    "inversion": {"invert": True},
    "ablation": {"ablation": "shuffle"},
    "after": {"after": "replay"},
}


def test_every_setting_is_changed_here(recipe: Make) -> None:
    """A setting that is added must be added to these tests as well."""
    made = recipe()
    changed = {key for change in CHANGES.values() for key in change.get("train", {})}
    assert changed | {"precision"} == set(type(made.train).model_fields)
    assert {key for change in PRUNING.values() for key in change} == set(type(made.prune).model_fields)
    elsewhere = {
        "study",
        "title",
        "figure",
        "moments",
        "seeds",
        "triggers",
        "instability",
        "costs",
        "settings",
        "prune",
        "train",
    }
    assert {key for change in CHANGES.values() for key in change} | elsewhere == set(EarlyPeriods.model_fields)


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_anything_is_another_dense_run_and_other_pruned_runs(recipe: Make, what: str) -> None:
    before, after = keys(recipe()), keys(recipe(**CHANGES[what]))
    assert set(before) == set(after)
    assert all(before[label] != after[label] for label in before)


def test_precision_is_in_the_keys(recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "check_precision", lambda *_: None)
    before, after = keys(recipe()), keys(recipe(train={"precision": "bfloat16"}))
    assert all(before[label] != after[label] for label in before)


@pytest.mark.parametrize("what", PRUNING)
def test_a_change_of_pruning_leaves_the_dense_runs(recipe: Make, what: str) -> None:
    before, after = keys(recipe()), keys(recipe(prune=PRUNING[what]))
    assert set(before) == set(after)
    for label in before:
        assert (before[label] == after[label]) == label.startswith("dense")


def test_the_device_is_in_the_keys(recipe: Make) -> None:
    before, after = keys(recipe()), keys(recipe(), "cuda")
    assert all(before[label] != after[label] for label in before)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other words"},
        {"figure": "9z"},
        {"triggers": {"another": {"name": "peak", "signal": "loss"}}},
        {"seeds": [0, 1, 2]},
        {"seeds": [2, 1, 0]},
        {"moments": [0, 1, 2]},
        {"moments": ["6it", "0ep"]},
    ],
    ids=str,
)
def test_more_seeds_moments_or_triggers_leave_what_is_there(recipe: Make, change: dict[str, Any]) -> None:
    before, after = keys(recipe()), keys(recipe(**change))
    assert set(before) <= set(after)
    assert all(after[label] == key for label, key in before.items())


def test_defaults_are_in_the_keys(recipe: Make) -> None:
    """Said or left out is the same; a default that changes tomorrow is another key."""
    said = {
        "model": {"name": "lenet_300_100", "hidden": [8, 6]},
        "data": {"enlarge": 1},
        "train": {
            "optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "nesterov": False},
            "schedule": {"name": "exponential", "gamma": 0.97},
            "warm_up": 0,
            "clip_norm": None,
        },
        "prune": {"score": {"name": "magnitude"}, "scope": "global", "min_lr": 0.001},
        "signals": [
            {"name": "fisher_trace", "samples": 8, "batch_size": 128},
            {"name": "kl_uniform", "source": "probe", "samples": 16, "batch_size": 512},
            {"name": "loss"},
        ],
    }
    assert keys(recipe(**said)) == keys(recipe())
    for job in EarlyPeriodsStudy(recipe()).graph().jobs:
        assert job.config["train"]["optimizer"]["momentum"] == 0.9
        assert job.config["train"]["temperature"] == 1.0
        assert job.config["data"]["enlarge"] == 1


def test_spellings_of_a_number_are_one_setting(recipe: Make) -> None:
    same = [
        recipe(train={"lr": rate}, prune={"density": d}) for rate, d in ((1, 1), (1.0, 1.0), ("1", "1"), ("1e0", 1))
    ]
    assert all(keys(each) == keys(same[0]) for each in same)


def test_versions_of_the_parts_are_in_the_keys(recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(recipe())

    @wraps(magnitude)
    def newer(*args: Any, **kwargs: Any) -> Any:
        return magnitude(*args, **kwargs)

    newer.version = version_of(magnitude) + 1  # type: ignore[attr-defined]
    monkeypatch.setitem(SCORES, "magnitude", newer)
    after = keys(recipe())
    assert all((before[label] == after[label]) == label.startswith("dense") for label in before)
    monkeypatch.undo()

    class Newer(FisherTrace):
        version = version_of(FisherTrace) + 1

    monkeypatch.setitem(SIGNALS, "fisher_trace", Newer)
    assert all(before[label] != key for label, key in keys(recipe()).items())


def test_every_bit_of_the_data_is_in_the_keys(recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = keys(recipe()), plan.load_data

    def one_bit_away(spec: Spec, device: str = "cpu") -> Dataset:
        data = real(spec, device)
        images = data.validation.images.clone()
        images[0, 0, 0, 0] ^= 1
        return replace(data, validation=replace(data.validation, images=images))

    monkeypatch.setattr(plan, "load_data", one_bit_away)
    assert all(before[label] != key for label, key in keys(recipe()).items())


def test_the_seed_is_in_the_key_and_nothing_else_of_the_list_is(recipe: Make) -> None:
    for seed in (0, 1, 5):
        alone = keys(recipe(seeds=[seed]))
        assert alone == {label: key for label, key in keys(recipe(seeds=[5, 0, 1])).items() if label in alone}


# -------------------------------------------------------------------------------------- triggers

PEAKED = rows(kl_uniform=[9.0, 1, 5, 4, 3, 2], fisher_trace=[1.0, 2, 3, 4, 5, 6])


def with_triggers(recipe: Make, **options: Any) -> EarlyPeriodsStudy:
    peak = {"name": "peak", "signal": "kl_uniform", "patience": 2}
    never = {"name": "peak", "signal": "fisher_trace"}
    triggers = {"peak of KL": peak, "never": never, "middle": {"name": "at", "moment": "2ep"}}
    return EarlyPeriodsStudy(recipe(train={"epochs": 5}, triggers=triggers, **options))


def test_a_trigger_that_fires_where_the_grid_is_adds_no_job(recipe: Make) -> None:
    study = with_triggers(recipe, moments=[0, 4])
    dense = study.dense[1]
    added = list(study.grow(dense, Done(PEAKED)))  # type: ignore[arg-type]
    assert [job.label for job in added] == ["pruned at 2ep, seed 1", "pruned at 4ep, seed 1"]
    grid = {job.key for job in study.graph().jobs}
    assert [job.key in grid for job in added] == [False, True]
    # What one recipe's trigger chose is what another recipe's grid asks for.
    other = with_triggers(recipe, moments=[2])
    assert added[0].key in {job.key for job in other.graph().jobs}


def test_choices_say_who_wanted_them(recipe: Make) -> None:
    study = with_triggers(recipe, moments=[0, 4])
    found = study.choices(Shelf({study.dense[0].key: Done(PEAKED)}))  # type: ignore[arg-type]
    assert [(c.seed, str(c.moment), c.chosen_by) for c in found] == [
        (0, "0ep", ("grid",)),
        (0, "4ep", ("grid", "peak of KL")),
        (0, "2ep", ("middle",)),
        (1, "0ep", ("grid",)),
        (1, "4ep", ("grid",)),
    ]
    assert len({c.job.key for c in found}) == len(found)


def test_nothing_is_judged_on_a_run_that_diverged(recipe: Make) -> None:
    study = with_triggers(recipe, moments=[0, 4])
    assert study.fired(0, Done(PEAKED, diverged="3ep")) == {}  # type: ignore[arg-type]
    assert list(study.grow(study.dense[0], Done(PEAKED, diverged="3ep"))) == []  # type: ignore[arg-type]


def test_other_jobs_add_nothing(recipe: Make) -> None:
    study = with_triggers(recipe)
    pruned = study.graph().jobs[-1]
    assert list(study.grow(pruned, Done(PEAKED))) == []  # type: ignore[arg-type]


def test_the_log_is_moments_and_what_signals_measured() -> None:
    taken = {"seconds/fisher_trace": 0.1, "seconds/gradient_norms": 0.1, "seconds/loss": 0.1, "seconds": 1.0}
    found = log_of(
        [
            {"moment": "0ep", "epoch": 0, "fisher_trace": 2.0, **taken},
            {
                **{"moment": "1ep", "epoch": 1, "fisher_trace": None, "gradient_norms": [1.0, 2.0], "loss": 1, **taken},
                **{"epochs": 9, "lr": 0.1, "validation_accuracy": 0.9, "train_loss": 0.2},
            },
        ],
        10,
    )
    assert found == [(Moment(0, 10), {"fisher_trace": 2.0}), (Moment(10, 10), {"loss": 1.0})]


# ----------------------------------------------------------------------------------------- sweep


def test_settings_share_what_they_have_in_common(recipe: Make) -> None:
    settings = {"10 %": {}, "layers": {"prune": {"scope": "layer"}}, "slow": {"train": {"lr": 0.01}}}
    sweep = Sweep(recipe(settings=settings))
    jobs = sweep.graph().jobs
    assert len([job for job in jobs if job.name == "dense_run"]) == 4  # two of three settings share theirs
    assert len([job for job in jobs if job.name == "pruned_run"]) == 12
    plain = keys(recipe())
    assert set(plain.values()) <= {job.key for job in jobs}
    assert {job.group for job in jobs} <= set(settings)
    assert jobs[0].label == "10 %: dense, seed 0"


def test_a_shared_dense_run_serves_the_triggers_of_all(recipe: Make) -> None:
    settings = {"10 %": {}, "layers": {"prune": {"scope": "layer"}}}
    sweep = Sweep(recipe(train={"epochs": 5}, settings=settings))
    dense = sweep.studies["10 %"].dense[0]
    added = list(sweep.graph().grow(dense, Done(PEAKED)))  # type: ignore[misc,arg-type]
    assert [(job.group, job.config["prune"]["scope"]) for job in added] == [("10 %", "global"), ("layers", "layer")]


def test_data_are_named_without_their_place(recipe: Make) -> None:
    from secateurs.studies.runs import identity_and_place, located

    spec = Spec("cifar10", {"folder": "/data", "train_examples": 50, "title": "Mine"})
    identity, place = identity_and_place(spec)
    assert identity == {"name": "cifar10", "train_examples": 50}
    assert place == {"folder": "/data", "title": "Mine"}
    back = located({"data": identity, "x": 1}, place)
    assert back == {"x": 1, "data": {"name": "cifar10", **spec.options}}


def test_instability_is_analysed_where_the_recipe_says(recipe: Make) -> None:
    made = recipe(seeds=[0, 1], instability={"moments": [0, 1], "copies": 3, "points": 5})
    study = EarlyPeriodsStudy(made)
    assert [(seed, str(moment)) for seed, moment in study.instabilities] == [
        (seed, moment) for seed in (0, 1) for moment in ("0ep", "1ep")
    ]
    assert {job.key for job in study.instabilities.values()} <= {job.key for job in study.graph().jobs}
    seeds = {tuple(job.config["order_seeds"]) for (seed, _), job in study.instabilities.items() if seed == 1}
    assert len(seeds) == 1, "the copies' orders are the same at every moment"
    assert next(iter(seeds))[0] == 1, "the dense run is the first copy"
    assert all(job.inputs["dense"].key == study.dense[seed].key for (seed, _), job in study.instabilities.items())
    assert not EarlyPeriodsStudy(recipe()).instabilities


def test_instability_outside_the_run_is_refused(recipe: Make) -> None:
    with pytest.raises(RecipeError, match=r"instability\.moments: 99ep lies outside the run"):
        recipe(instability={"moments": ["99ep"]})
    with pytest.raises(TrainingError, match=r"instability\.moments: 9999it lies outside the run"):
        EarlyPeriodsStudy(recipe(instability={"moments": ["9999it"]}))
