"""One contract for every schedule: finite, never above its maximum, the same however it is written, pruned or not."""

from __future__ import annotations

import json
import math
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Moment
from secateurs.train import TrainSettings
from secateurs.train.schedules import Schedule

FAMILIES = {family.model_fields["name"].default: family for family in typing.get_args(typing.get_args(Schedule)[0])}
NEEDED: dict[str, dict[str, Any]] = {"step": {"milestones": (2, "7it", "4ep1it")}}
contract = pytest.mark.parametrize("name", FAMILIES)


def settings(name: str, epochs: int = 6, **options: Any) -> TrainSettings:
    return TrainSettings(epochs=epochs, lr=0.3, schedule={"name": name, **NEEDED.get(name, {}), **options})


def test_every_family_is_known_to_these_tests() -> None:
    assert set(FAMILIES) == {"exponential", "cosine", "linear", "step", "constant", "one_cycle"}


@contract
@given(st.integers(1, 5), st.integers(1, 8), st.data())
def test_rates_are_finite_and_never_above_the_maximum(
    name: str, per_epoch: int, epochs: int, data: st.DataObject
) -> None:
    end = epochs * per_epoch
    start = Moment(data.draw(st.integers(0, end)), per_epoch)
    now = Moment(data.draw(st.integers(start.steps, end)), per_epoch)
    maximum = data.draw(st.floats(1e-6, 10))
    chosen = settings(name, epochs)
    rate, highest = chosen.lr_at(now, start, maximum), chosen.highest_lr_from(now, start, maximum)
    assert math.isfinite(rate)
    assert 0 <= rate <= highest * (1 + 1e-9) + 1e-18
    assert highest <= maximum * (1 + 1e-9)


@contract
@given(st.integers(1, 5), st.integers(1, 8), st.data())
def test_the_maximum_is_reached_and_what_is_highest_is_the_highest(
    name: str, per_epoch: int, epochs: int, data: st.DataObject
) -> None:
    """Of the steps that are left the best has the rate that max(Lambda, LR(t)) is about, where t is on a step."""
    chosen, end = settings(name, epochs), epochs * per_epoch
    start = Moment(0, per_epoch)
    t = Moment(data.draw(st.integers(0, end - 1)), per_epoch)
    left = [chosen.lr_at(Moment(step, per_epoch), start, 0.3) for step in range(t.steps, end)]
    highest = chosen.highest_lr_from(t, start, 0.3)
    if name == "one_cycle":  # its top may lie between two steps
        assert max(left) <= highest * (1 + 1e-12)
    else:
        assert left[0] == max(left) == pytest.approx(highest, rel=1e-12)
    again = [chosen.lr_at(Moment(step, per_epoch), t, highest) for step in range(t.steps, end)]
    assert max(again) == pytest.approx(max(left), rel=1e-9)
    if name not in ("cosine", "linear"):  # pruned with Lambda = 0 the others go on as if nothing was
        assert again == pytest.approx(left, rel=1e-9, abs=1e-15)


@contract
def test_it_is_data(name: str) -> None:
    chosen = settings(name)
    back = TrainSettings.model_validate(json.loads(chosen.model_dump_json()))
    assert back == chosen
    assert hash(back) == hash(chosen)
    assert chosen.schedule.name == name
    if name not in NEEDED:
        assert TrainSettings(epochs=6, lr=0.3, schedule=name) == chosen


@contract
def test_pruning_twice_at_one_moment_is_pruning_once(name: str) -> None:
    chosen, t = settings(name), Moment(7, 3)
    once = chosen.highest_lr_from(t, Moment(0, 3), 0.3)
    assert chosen.highest_lr_from(t, t, once) == pytest.approx(once, rel=1e-12)
