"""Dilated training: at the same share of its time it has the same learning rate, up to the rounding of moments."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secateurs.core import Moment, TrainingError
from secateurs.train import TrainSettings, begin, train
from toys import LENET, toy_data

EPOCHS, PER_EPOCH, FACTORS = st.integers(1, 30), st.integers(1, 12), st.floats(0.05, 4)


def rate(settings: TrainSettings, steps: int, per_epoch: int) -> float:
    return settings.lr_at(Moment(steps, per_epoch), Moment(0, per_epoch), 1.0)


@given(st.integers(1, 200), st.integers(1, 40).map(lambda tenths: tenths / 10))
def test_epochs_are_rounded_in_decimals_and_the_factor_is_told(epochs: int, factor: float) -> None:
    settings = TrainSettings(epochs=epochs)
    dilated = settings.dilated(factor)
    exact = Fraction(round(10 * factor), 10) * epochs
    assert dilated.epochs == max(1, math.floor(exact + Fraction(1, 2)))
    assert settings.dilation(factor) == dilated.epochs / epochs
    assert (dilated is settings) == (dilated.epochs == epochs)


@given(EPOCHS, PER_EPOCH, FACTORS, st.data())
def test_smooth_schedules_are_the_same_at_the_same_share_of_the_time(
    epochs: int, per_epoch: int, factor: float, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["cosine", "linear", "constant"]))
    options = {} if name == "constant" else {"per": "step"}
    settings = TrainSettings(epochs=epochs, schedule={"name": name, **options})
    dilated = settings.dilated(factor)
    j = data.draw(st.integers(0, per_epoch))  # the share j / per_epoch falls on a step of both
    assert rate(dilated, j * dilated.epochs, per_epoch) == pytest.approx(rate(settings, j * epochs, per_epoch))


@given(EPOCHS, FACTORS, st.sampled_from(["exponential", "cosine", "linear"]), st.data())
def test_schedules_by_epochs_are_the_same_between_epochs(
    epochs: int, factor: float, name: str, data: st.DataObject
) -> None:
    settings = TrainSettings(
        epochs=epochs, schedule={"name": name, **({"gamma": 0.8} if name == "exponential" else {})}
    )
    dilated = settings.dilated(factor)
    epoch = data.draw(st.integers(0, dilated.epochs))
    then = Fraction(epoch * epochs, dilated.epochs)
    low, high = rate(settings, math.ceil(then), 1), rate(settings, math.floor(then), 1)
    assert low * (1 - 1e-9) - 1e-12 <= rate(dilated, epoch, 1) <= high * (1 + 1e-9) + 1e-12
    if name == "exponential":
        assert rate(dilated, epoch, 1) == pytest.approx(0.8 ** float(then))


@given(EPOCHS, PER_EPOCH, FACTORS, st.lists(st.integers(0, 360), max_size=3), st.integers(0, 1), st.data())
def test_drops_come_at_the_same_share_of_the_time(
    epochs: int, per_epoch: int, factor: float, milestones: list[int], written: int, data: st.DataObject
) -> None:
    texts = [f"{m}it" if (m + written) % 2 else f"{m // per_epoch}ep{m % per_epoch}it" for m in milestones]
    settings = TrainSettings(epochs=epochs, schedule={"name": "step", "milestones": texts})
    dilated = settings.dilated(factor, per_epoch)
    j = data.draw(st.integers(0, per_epoch))
    now = j * dilated.epochs
    exact = [Fraction(m * dilated.epochs, epochs) for m in milestones]
    assume(all(abs(now - moment) >= 1 or now == moment for moment in exact))
    assert rate(dilated, now, per_epoch) == rate(settings, j * epochs, per_epoch)


@given(EPOCHS, PER_EPOCH, FACTORS, st.integers(1, 360), st.data())
def test_the_warm_up_takes_the_same_share_of_the_time(
    epochs: int, per_epoch: int, factor: float, steps: int, data: st.DataObject
) -> None:
    settings = TrainSettings(epochs=epochs, schedule="constant", warm_up=f"{steps}it")
    dilated = settings.dilated(factor, per_epoch)
    j = data.draw(st.integers(0, per_epoch))
    exact = steps * dilated.epochs / epochs
    rounding = 0.5 / min(exact, max(1.0, exact - 0.5))
    expected = min(1.0, j * epochs / steps)
    assert rate(dilated, j * dilated.epochs, per_epoch) == pytest.approx(expected, abs=rounding + 1e-12)


@given(st.integers(4, 20), st.floats(0.3, 3), st.integers(0, 25))
def test_a_cycle_has_its_top_at_the_same_share_of_the_time(epochs: int, factor: float, j: int) -> None:
    settings, per_epoch = TrainSettings(epochs=epochs, schedule="one_cycle"), 25
    dilated = settings.dilated(factor)
    steepest = [
        math.pi / 2 / (0.3 * each.epochs * per_epoch - 1) for each in (settings, dilated)
    ]  # a step's difference
    assert rate(dilated, j * dilated.epochs, per_epoch) == pytest.approx(
        rate(settings, j * epochs, per_epoch), abs=2 * sum(steepest)
    )


def test_the_thesis_s_schedules() -> None:
    """Table 4.1's ResNet-20 with warm-up at half the time, and ResNet-50's epochs."""
    step = {"name": "step", "milestones": ("32000it", "48000it")}
    settings = TrainSettings(epochs=160, lr=0.03, schedule=step, warm_up="30000it", batch_size=128)
    half = settings.dilated(0.5)
    assert (half.epochs, half.warm_up, half.schedule.milestones) == (80, "15000it", ("16000it", "24000it"))  # type: ignore[union-attr]
    changed = {"epochs", "warm_up", "schedule"}
    assert half.model_dump(exclude=changed) == settings.model_dump(exclude=changed)
    assert TrainSettings(**half.model_dump()) == half
    large = TrainSettings(epochs=90, schedule={"name": "step", "milestones": (30, 60, 80)}, warm_up=5)
    double = large.dilated(2.0)
    assert (double.epochs, double.warm_up, double.schedule.milestones) == (180, 10, (60, 120, 160))  # type: ignore[union-attr]
    short = large.dilated(0.1, 1251)
    assert (short.epochs, short.warm_up, short.schedule.milestones) == (9, "626it", (3, 6, 8))  # type: ignore[union-attr]


def test_what_was_not_at_the_beginning_does_not_come_to_lie_there() -> None:
    settings = TrainSettings(epochs=10, schedule={"name": "step", "milestones": ("0it", "1it", "2it")}, warm_up="1it")
    dilated = settings.dilated(0.1)
    assert (dilated.schedule.milestones, dilated.warm_up) == ((0, "1it", "1it"), "1it")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "factor", "told"),
    [
        ({"warm_up": 5}, 0.5, "dilated: 5 becomes 2.5 epochs: pass steps_per_epoch="),
        ({"schedule": {"name": "step", "milestones": ("1ep3it",)}}, 0.5, "dilated: 1ep3it becomes 0.5 epochs"),
        ({}, 0.0, "dilated: factor: expected a number above 0, got 0.0"),
        ({}, -1.0, "factor: expected a number above 0"),
        ({}, math.inf, "factor: expected a number above 0"),
        ({}, math.nan, "factor: expected a number above 0"),
    ],
)
def test_what_cannot_be_dilated_is_refused(options: dict[str, Any], factor: float, told: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(told)):
        TrainSettings(epochs=10, **options).dilated(factor)


def test_dilated_training_is_shorter_and_has_other_rates() -> None:
    data = toy_data()
    settings = TrainSettings(epochs=4, batch_size=16, schedule={"name": "step", "milestones": (2,)})
    dilated = settings.dilated(0.5)
    state = train(begin(LENET, data, dilated, init_seed=0), data, dilated, until=dilated.epochs)
    assert str(state.moment) == "2ep"
    assert state.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
