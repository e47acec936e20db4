"""A study's folder takes a recipe that asks for more of the same, or less; other settings are refused and shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from secateurs.core import StoreError
from secateurs.studies import EarlyPeriods, Methods, StudyRecipe, load_recipe
from secateurs.studies.extending import differences
from secateurs.studies.folder import Ordered, StudyFolder
from small_tickets import INSTABILITY, TICKETS, tickets


def ordered(recipe: StudyRecipe, name: str = "mine@small") -> Ordered:
    return Ordered(recipe, name, "cpu", "secateurs run mine")


def paths(earlier: StudyRecipe, now: StudyRecipe) -> list[str]:
    return [each.path for each in differences(earlier, now)]


MORE: list[dict[str, Any]] = [
    {"seeds": [0, 1]},
    {"seeds": [3]},
    {"title": "another", "figure": "9"},
    {"levels": 5},
    {"levels": 2},
    {"at_levels": [1, 3]},
    {"rewind": [0, "4it", 2]},
    {"tickets": {"shuffled": {"shuffled": True, "weights": "redrawn"}}},
    {"tickets": {"LRR": None}},
    {"tickets": {"IMP": {"rewind": [2], "at_levels": [1]}}},
    {"instability": INSTABILITY},
    {"dilation": {"of": ["IMP"], "levels": [1]}},
    {"reported": [{"source": "P2", "accuracy": 0.9}], "band": "range", "matching_within": 0.01},
]


@pytest.mark.parametrize("change", MORE, ids=str)
def test_more_of_the_same_or_less_is_the_same_study(change: dict[str, Any]) -> None:
    assert not paths(tickets(), tickets(**change))
    assert not paths(tickets(**change), tickets())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"train": {"lr": 0.1, "epochs": 4}}, ["train.epochs: 3 there, 4 now", "train.lr: 0.05 there, 0.1 now"]),
        ({"model": {"hidden": [8, 6]}}, ["model.hidden: [16, 8] there, [8, 6] now"]),
        ({"data": {"train_examples": 100}}, ["data.train_examples: 120 there, 100 now"]),
        ({"rate": 0.5}, ["rate: 0.2 there, 0.5 now"]),
        ({"prune": {"scope": "layer"}}, ["prune.scope: global there, layer now"]),
        ({"tickets": {"LRR": {"search": "one_shot"}}}, ["tickets.LRR.search: iterative there, one_shot now"]),
        ({"checkpoint_every": 3}, ["checkpoint_every: 2 there, 3 now"]),
        ({"looks": {"every": "1ep"}}, ["looks: nothing there, {'every': '1ep', 'parts': ['validation', 'test']} now"]),
    ],
)
def test_other_settings_are_told_with_both_values(change: dict[str, Any], told: list[str]) -> None:
    assert sorted(map(str, differences(tickets(), tickets(**change)))) == told


def test_densities_go_on_where_they_ended() -> None:
    def at(*densities: float) -> StudyRecipe:
        return tickets(levels=None, densities=list(densities))

    assert not paths(at(0.8, 0.5), at(0.8, 0.5, 0.2))
    assert not paths(at(0.8, 0.5), at(0.8))
    assert paths(at(0.8, 0.5), at(0.7, 0.5)) == ["densities"]


def test_instability_keeps_its_points_once_it_is_measured() -> None:
    measured = tickets(instability=INSTABILITY)
    more = {**INSTABILITY, "of": ["IMP"], "copies": 4, "after": ["replay"], "throughout": None, "levels": [1, 3]}
    assert not paths(measured, tickets(instability=more))
    assert paths(measured, tickets(instability={**INSTABILITY, "points": 9})) == ["instability.points"]


def test_copies_that_are_compared_throughout_stay_as_many_and_are_compared_as_often() -> None:
    """They are trained side by side in one job: all of it would be run again."""
    measured = tickets(instability=INSTABILITY)
    for change in ({"copies": 4}, {"throughout": "2ep"}):
        assert paths(measured, tickets(instability=INSTABILITY | change)) == [f"instability.{next(iter(change))}"]
    at_the_end = INSTABILITY | {"throughout": None}
    for copies in (2, 4):
        other = tickets(instability=at_the_end | {"copies": copies})
        assert not paths(other, tickets(instability=at_the_end))
        assert not paths(other, measured)
        assert not paths(measured, other)


def test_data_may_lie_elsewhere() -> None:
    there, now = (tickets(data={"name": "cifar10", "folder": place}, model="conv_2") for place in ("there", "now"))
    assert not paths(there, now)
    assert paths(there, tickets(data={"name": "mnist", "folder": "now"}, model="conv_2")) == ["data.name"]


def test_settings_come_and_go_and_are_compared_as_they_resolve() -> None:
    both = tickets(settings={"fast": {"train": {"lr": 0.1}}, "slow": {"train": {"lr": 0.01}}})
    assert not paths(both, tickets(settings={"fast": {"train": {"lr": 0.1, "batch_size": 50}}}))
    faster = {"fast": {"train": {"lr": 0.2}}, "slow": {"train": {"lr": 0.01}}}
    assert paths(both, tickets(settings=faster)) == ["settings.fast.train.lr"]
    assert paths(both, tickets(settings=both.settings, train={"epochs": 4})) == ["train.epochs"]
    assert paths(both, tickets()) == ["settings"]


def test_the_other_kinds(recipe: Callable[..., EarlyPeriods], methods: Callable[..., Methods]) -> None:
    for change in (
        {"seeds": [0], "moments": [0]},
        {"triggers": {"early": {"name": "at", "moment": 1}}},
        {"instability": {"moments": [1], "copies": 3}, "costs": {"repeats": 3}},
    ):
        assert not paths(recipe(), recipe(**change))
        assert not paths(recipe(**change), recipe())
    assert paths(recipe(), recipe(prune={"density": 0.2})) == ["prune.density"]
    assert paths(recipe(), recipe(triggers={"middle": {"moment": "2ep"}})) == ["triggers.middle.moment"]
    assert paths(recipe(), recipe(signals=["loss"])) == ["signals"]
    assert not paths(methods(), methods(densities=[0.1], methods={"rewound": None, "end": {"at": "end"}}))
    assert paths(methods(), methods(prune={"after": "continue"})) == ["prune.after"]
    assert paths(methods(), methods(methods={"rewound": {"scored_at": 1}})) == ["methods.rewound.scored_at"]
    assert paths(methods(), methods(curves=True)) == ["curves"]
    assert paths(methods(), recipe()) == ["study"]
    fig2 = load_recipe("p3/fig2", "smoke")
    assert not paths(fig2, load_recipe("p3/fig2", "smoke", ["seeds=[7]"]))
    assert paths(fig2, load_recipe("p3/fig2", "smoke", ["points=77"])) == ["points"]


def test_a_folder_takes_what_extends_its_study_and_refuses_the_rest(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path, ordered(tickets()))
    made = StudyFolder.create(tmp_path, ordered(tickets(levels=4, seeds=[0, 1])))
    assert made.ordered().recipe == tickets(levels=4, seeds=[0, 1])
    before = (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    with pytest.raises(StoreError) as told:
        StudyFolder.create(tmp_path, ordered(tickets(train={"lr": 0.1}), "other@small"))
    lines = str(told.value).splitlines()
    assert lines[0].startswith(f"{tmp_path}: holds a study of other settings")
    assert [line.strip() for line in lines[1:3]] == [
        "recipe: mine@small there, other@small now",
        "train.lr: 0.05 there, 0.1 now",
    ]
    assert "--out" in lines[-1]
    assert f"--store {tmp_path / 'store'} shares" in lines[-1]
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == before


def test_the_store_is_told_as_a_shell_takes_it(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path / "a study", ordered(tickets()))
    with pytest.raises(StoreError) as told:
        StudyFolder.create(tmp_path / "a study", ordered(tickets(train={"lr": 0.1})))
    assert f"--store '{tmp_path / 'a study' / 'store'}' shares" in str(told.value)


def test_a_recipe_may_lie_elsewhere(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path, ordered(tickets(), "./mine.yaml@small"))
    StudyFolder.create(tmp_path, ordered(tickets(), "/there/mine.yaml@small"))


def test_many_differences_are_counted(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path, ordered(tickets()))
    layers = {name: {"search": "one_shot", "weights": "redrawn", "shuffled": True} for name in TICKETS["tickets"]}
    with pytest.raises(StoreError, match="and 4 more"):
        StudyFolder.create(tmp_path, ordered(tickets(tickets=layers)))


def test_a_study_that_cannot_be_read_any_more_is_replaced(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path, ordered(tickets()))
    path = tmp_path / "recipe.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["recipe"]["train"]["rate"] = 1
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    made = StudyFolder.create(tmp_path, ordered(tickets(train={"lr": 0.1})))
    assert made.ordered().recipe.train.lr == 0.1
