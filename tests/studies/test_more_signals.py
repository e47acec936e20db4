"""Weight change and mask distance as parts of a recipe: read, run, cut off after every epoch, decided on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secateurs.core import RecipeError, Spec
from secateurs.jobs import Job, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.studies import EarlyPeriods, EarlyPeriodsStudy, check

Make = Callable[..., EarlyPeriods]
SIGNALS = [
    "weight_change",
    {"name": "mask_distance", "density": 0.2, "window": 2, "score": "fisher", "samples": 8},
    "loss",
]
TRIGGERS = {
    "the weights": {"name": "settled", "signal": "weight_change", "tolerance": 2, "patience": 1, "warm_up": 0},
    "the mask": {"name": "below", "signal": "mask_distance", "threshold": 0.4, "warm_up": 0},
}


def test_the_recipe_says_everything_and_can_be_read_again(recipe: Make) -> None:
    made = recipe(signals=["weight_change", "mask_distance"], triggers={})
    defaults = {"density": 0.1, "window": 5, "scope": "global", "of": "weights", "samples": 100}
    assert made.signals == (
        Spec("weight_change", {"form": "relative"}),
        Spec("mask_distance", {"score": Spec("magnitude", made.signals[1].options["score"].options), **defaults}),
    )
    plain = made.model_dump(mode="json")
    assert plain["signals"][1] == {"name": "mask_distance", **defaults, "score": plain["prune"]["score"]}
    assert check(plain, "again") == made


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        ({"name": "weight_change", "form": "square"}, "signals.0.form: expected 'relative', 'squared' or 'algorithm'"),
        ({"name": "mask_distance", "windw": 3}, "signals.0.windw: unknown key; .*did you mean 'window'"),
        ({"name": "mask_distance", "window": 1}, "signals.0: mask_distance: .*window be at least 2"),
        ({"name": "mask_distance", "density": 1}, "signals.0: mask_distance: density must lie between 0 and 1"),
        ({"name": "mask_distance", "of": "bn"}, "signals.0.of: expected 'weights' or 'bn_scale', got 'bn'"),
        ({"name": "mask_distance", "score": "fishr"}, "signals.0.score: unknown name 'fishr'; .*did you mean 'fisher'"),
        ({"name": "mask_distance", "score": {"name": "fisher", "x": 1}}, "signals.0.score.x: unknown key"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(recipe: Make, signal: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe(signals=[signal], triggers={})


def test_a_trigger_without_its_signal_is_refused(recipe: Make) -> None:
    with pytest.raises(RecipeError, match=r"triggers\.a: needs signal 'mask_distance'"):
        recipe(signals=["loss"], triggers={"a": {"name": "settled", "signal": "mask_distance"}})


def test_another_score_of_the_masks_is_another_run(recipe: Make) -> None:
    def key(score: str) -> str:
        signals = [{"name": "mask_distance", "score": score}]
        return EarlyPeriodsStudy(recipe(signals=signals, triggers={})).dense[0].key

    assert len({key("magnitude"), key("fisher"), key("random")}) == 3


def rows(store: Store, job: Job) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in store.entry(job).rows()]


def test_a_study_cut_off_after_every_epoch_is_the_whole_one(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = EarlyPeriodsStudy(recipe(seeds=[0], moments=[0], signals=SIGNALS, triggers=TRIGGERS))
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run(study.graph(), whole, Serial()).raise_for_failures()
    found = rows(whole, study.dense[0])
    assert ["weight_change" in row for row in found] == [False, True, True, True]
    assert ["mask_distance" in row for row in found] == [False, False, True, True]
    assert all(row["weight_change.distance"] > 0 for row in found[1:])
    fired = {name: str(moment) for name, moment in study.fired(0, whole.entry(study.dense[0])).items()}
    assert fired == {"middle": "1ep", "the weights": "2ep", "the mask": "2ep"}

    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    sittings = 1
    while run(study.graph(), cut, Serial()).stopped:
        sittings += 1
        assert sittings < 20
    assert sittings > 3
    assert rows(cut, study.dense[0]) == found
