"""Recipes of methods that remove channels, wait for a trigger, or prune in rounds or levels: what they say and plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import yaml

from secateurs.core import Moment, PruningError, RecipeError, TrainingError, version_of
from secateurs.jobs import Job, Store
from secateurs.studies import EarlyPeriods, Methods, MethodsPlan, check
from secateurs.studies.cells import Cell
from secateurs.studies.schema import ChannelMethodRecipe, ChannelRecipe, MethodRecipe
from secateurs.what import CHANNEL_SCORES, SCORES
from secateurs.what.channels import Reduced
from secateurs.what.channels.table import options_of

Make = Callable[..., Methods]
ALONE = {"shuffled": None, "rewound": None}
CHANNELS = {"how": "channels", "after": "continue"}


def cells(recipe: Methods, store: Path) -> dict[str, Cell]:
    return {cell.method: cell for cell in MethodsPlan(recipe).cells(Store(store))}


FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        {"how": "chanels"},
        "methods.new.how: unknown way 'chanels'; choices: channels, dynamic, dynamic_imp, masks; did you mean 'channel",
    ),
    ({"how": "channels", "score": "snapp"}, "methods.new.score: unknown name 'snapp'"),
    (
        {"how": "channels", "score": {"name": "snip", "reduc": 1}},
        "methods.new.score.reduc: unknown key",
    ),
    ({"how": "channels", "scope": "erk"}, "methods.new.scope: expected 'global' or 'layer', got 'erk'"),
    ({"how": "channels", "revive": True}, "methods.new.revive: revive is for masks (how: masks)"),
    ({"how": "channels", "levels": 2}, "methods.new.levels: levels are for masks: leave out how: channels"),
    ({"how": "channels", "stepps": 2}, "methods.new.stepps: unknown key; choices: after, at, counted, every, "),
    ({"how": "channels", "score": {"name": "filter_norm", "order": 3}}, "methods.new.score.order: expected 1 or 2"),
    ({"counted": "channels"}, "methods.new.counted: counted is for channels (how: channels)"),
    ({"when": "early_crpo"}, "methods.new.when: unknown name 'early_crpo'"),
    ({"when": "early_crop", "at": 1}, "methods.new.when: it is pruned at 1: say at or when, not both"),
    ({"when": {"name": "at", "moment": 9}}, "methods.new.when.moment: 9 lies outside the run of 3 epochs"),
    ({"every": 0, "after": "continue"}, "methods.new.every: rounds need some training between them: say 1ep, or 100it"),
    ({"every": 1}, "methods.new.after: rounds share one budget: set after to continue"),
    (
        {"every": 1, "after": "continue", "scored_at": 0},
        "methods.new.scored_at: rounds begin at a moment",
    ),
    ({"every": 1, "after": "continue", "ablation": "shuffle"}, "methods.new.ablation: shuffle is done to a mask that"),
    ({"levels": 2, "schedule": "linear"}, "methods.new.schedule: levels have their own densities: leave linear out"),
    ({"levels": 0}, "methods.new.levels: expected a number greater than 0, got 0"),
]


@pytest.mark.parametrize(("said", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_fault_is_told_with_its_path(methods: Make, said: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as told:
        methods(methods={"new": said})
    assert str(told.value).startswith(f"recipe tiny: {message}")
    assert len(str(told.value).splitlines()) == 1


def test_nothing_is_trained_between_where_nothing_is_trained(methods: Make) -> None:
    with pytest.raises(RecipeError, match=r"methods.new.levels: trains in between, and trained is false"):
        methods(trained=False, methods={"new": {"levels": 2}})


def test_a_method_of_channels_takes_what_it_can_of_what_is_common(methods: Make) -> None:
    common = {"score": "random", "examples_per_class": 3, "ablation": "shuffle", "invert": True, "min_lr": 0.5}
    made = methods(prune=common, methods={"new": CHANNELS, "plain": {"ablation": "none"}, **ALONE})
    new, plain = made.methods["new"], made.methods["plain"]
    assert isinstance(new, ChannelMethodRecipe)
    assert isinstance(plain, MethodRecipe)
    assert (new.score.name, new.examples_per_class, new.min_lr, new.after) == ("random", 3, 0.5, "continue")
    assert (plain.invert, plain.ablation) == (True, "none")
    settings = new.at_density(0.2)
    assert isinstance(settings, ChannelRecipe)
    assert settings.model_dump()["how"] == "channels"
    other = methods(prune={"how": "channels", "counted": "channels"}, methods={"masks": {"how": "masks"}, **ALONE})
    assert [type(method) for method in other.methods.values()] == [ChannelMethodRecipe, MethodRecipe]
    again = check(yaml.safe_load(yaml.safe_dump(made.model_dump(mode="json"))), "again")
    assert again == made


def test_the_way_of_masks_leaves_no_trace(recipe: Callable[..., EarlyPeriods]) -> None:
    assert recipe(prune={"how": "masks"}) == recipe()
    assert "how" not in recipe(prune={"how": "masks"}).model_dump()["prune"]


def test_options_of_channel_scores_are_all_written_out() -> None:
    for name in CHANNEL_SCORES:
        said = ChannelRecipe(score=name).score.options
        assert set(said) == set(options_of(name)) - {"names"}
        assert said.get("absolute", "") is not None, "the score's own, not what happens to be its default"


@pytest.mark.parametrize("name", [name for name, score in CHANNEL_SCORES.items() if isinstance(score, Reduced)])
def test_the_version_of_a_weight_score_is_in_the_keys_of_its_channels(
    methods: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    recipe = methods(seeds=[0], densities=[0.5], moments=[0], methods={"new": {**CHANNELS, "score": name}, **ALONE})

    def found() -> Job:
        job = cells(recipe, tmp_path)["new"].mask
        assert job is not None
        return job

    before, score = found(), SCORES[CHANNEL_SCORES[name].name]  # type: ignore[attr-defined]
    assert before.parts[f"channel_score/{name}"] == version_of(score)

    @wraps(score)
    def newer(*args: Any, **kwargs: Any) -> Any:
        return score(*args, **kwargs)

    newer.version = version_of(score) + 1  # type: ignore[attr-defined]
    monkeypatch.setitem(SCORES, name, newer)
    assert found().parts[f"channel_score/{name}"] == version_of(score) + 1
    assert found().key != before.key


def test_what_cannot_be_cut_is_refused_before_anything_is_run(methods: Make) -> None:
    with pytest.raises(PruningError, match=r"methods.new: density 0.01 cannot be reached by removing channels"):
        MethodsPlan(methods(densities=[0.01], methods={"new": CHANNELS, **ALONE}))
    with pytest.raises(PruningError, match=r"methods.new.exclude: .*'fcc'"):
        MethodsPlan(methods(methods={"new": {**CHANNELS, "exclude": ["fcc"]}, **ALONE}))


def test_jobs_of_channels(methods: Make, tmp_path: Path) -> None:
    recipe = methods(
        seeds=[0], densities=[0.5], moments=[0], methods={"new": CHANNELS, "later": {**CHANNELS, "at": 1}, **ALONE}
    )
    found = cells(recipe, tmp_path)
    new, later = found["new"], found["later"]
    assert new.run is not None
    assert new.mask is not None
    assert (new.mask.name, new.mask.inputs, new.run.name, new.run.inputs) == (
        "channels_run", {}, "cut_run", {"channels": new.mask},
    )  # fmt: skip
    assert later.run is not None
    assert set(later.run.inputs) == {"channels", "dense"}
    assert new.run.config["prune"]["how"] == "channels"
    assert "curves" not in new.run.config
    assert new.mask.parts["channel_score/filter_norm"] == 1
    assert [leg.job.name for leg in new.legs] == ["channels_run", "cut_run"]
    assert (later.legs[0].job.name, later.legs[0].until) == ("dense_run", Moment(3, 3))
    alone = cells(methods(trained=False, seeds=[0], densities=[0.5], moments=[0], methods={"new": CHANNELS}), tmp_path)
    assert alone["new"].mask == new.mask
    assert alone["new"].run is None


def test_rounds_and_levels_are_laid_out(methods: Make, tmp_path: Path) -> None:
    rounds = {"after": "continue", "every": "2it", "schedule": "rounds", "steps": 3, "at": "1ep"}
    changes = {"rounds": rounds, "levels": {"levels": 3, "at": 1}, **ALONE}
    found = cells(methods(seeds=[0], densities=[0.125], methods=changes, moments=[0]), tmp_path)
    run, dense = found["rounds"].run, MethodsPlan(methods()).dense[0]
    assert run is not None
    assert (run.name, run.config["at"], run.config["every"], run.inputs) == (
        "rounds_run",
        "1ep",
        "0ep2it",
        {"dense": dense},
    )
    assert found["rounds"].mask is None
    assert found["rounds"].legs[0].until == Moment(5, 3)
    level, densities = found["levels"].run, []
    while level is not None and level.name == "level_run":
        assert level.inputs["dense"] == dense
        densities.append(level.config["prune"]["density"])
        assert (level.config["ended"] is None) == (level.inputs["earlier"].name == "level_run")
        level = level.inputs["earlier"]
    assert level == dense
    assert densities == pytest.approx([0.125, 0.25, 0.5])
    assert [leg.job.name for leg in found["levels"].legs] == ["dense_run", *["level_run"] * 3]
    with pytest.raises(TrainingError, match=r"methods.rounds.every: 3 rounds of 1 from 1ep on end at 4ep, outside"):
        MethodsPlan(methods(methods={"rounds": {**rounds, "every": 1}, **ALONE}))


def test_the_dense_run_watches_what_triggers_need(methods: Make) -> None:
    changes = {"new": {"when": "early_crop"}, "other": {"when": "early_bird", "at": None}, **ALONE}
    listed = [{"name": "mask_distance", "window": 2}, {"name": "fisher_trace", "samples": 8}]
    dense = MethodsPlan(methods(methods=changes, signals=listed)).dense[0]
    watched = {spec["name"]: spec for spec in dense.config["signals"]}
    assert set(watched) == {"mask_distance", "fisher_trace", "weight_change", "loss"}
    assert watched["mask_distance"]["window"] == 2
    plain = MethodsPlan(methods()).dense[0]
    assert [spec["name"] for spec in plain.config["signals"]] == ["loss"]
    with pytest.raises(RecipeError, match="the signal 'los' does not exist"):
        MethodsPlan(methods(methods={"new": {"when": {"name": "peak", "signal": "los"}}}))


def test_curves_are_in_the_keys_only_where_they_are_asked_for(methods: Make) -> None:
    plain, curves = MethodsPlan(methods()), MethodsPlan(methods(curves=True))
    assert "curves" not in plain.dense[0].config
    assert curves.dense[0].config["curves"] is True
    for one, other in zip(plain.graph().jobs, curves.graph().jobs, strict=True):
        assert (one.key == other.key) == (one.name == "mask_run" and not one.inputs)
