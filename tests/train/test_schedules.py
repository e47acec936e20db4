"""Every schedule against torch's own, and what becomes of it after pruning."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as torch_lr

from secateurs.core import Moment, TrainingError
from secateurs.train import TrainSettings

LR, EPOCHS, PER_EPOCH = 0.4, 12, 5
START = Moment(0, PER_EPOCH)
END = Moment(EPOCHS * PER_EPOCH, PER_EPOCH)


def settings(schedule: Any, **options: Any) -> TrainSettings:
    return TrainSettings(epochs=EPOCHS, lr=LR, schedule=schedule, **options)


def rates(chosen: TrainSettings, start: Moment = START, max_lr: float = LR) -> list[float]:
    steps = range(start.steps, chosen.epochs * start.steps_per_epoch)
    return [chosen.lr_at(Moment(step, start.steps_per_epoch), start, max_lr) for step in steps]


def torch_rates(make: Callable[[Optimizer], Any], steps: int, lr: float = LR) -> list[float]:
    """What torch's scheduler makes of ``lr`` before each of ``steps`` steps."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


ORACLES = {
    "exponential": lambda o, n: torch_lr.ExponentialLR(o, 0.97),
    "cosine": lambda o, n: torch_lr.CosineAnnealingLR(o, n),
    "linear": lambda o, n: torch_lr.LinearLR(o, 1.0, 0.0, n),
    "step": lambda o, n: torch_lr.MultiStepLR(o, [4, 9]),
    "constant": lambda o, n: torch_lr.ConstantLR(o, 1.0),
}


@pytest.mark.parametrize("name", ORACLES)
def test_per_epoch_as_torch_does(name: str) -> None:
    chosen = settings({"name": name} | ({"milestones": [4, 9]} if name == "step" else {}))
    expected = torch_rates(lambda o: ORACLES[name](o, EPOCHS), EPOCHS)
    assert rates(chosen) == pytest.approx([rate for rate in expected for _ in range(PER_EPOCH)], rel=1e-12)


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_per_step_as_torch_does(name: str) -> None:
    expected = torch_rates(lambda o: ORACLES[name](o, END.steps), END.steps)
    assert rates(settings({"name": name, "per": "step"})) == pytest.approx(expected, rel=1e-12)


@given(
    steps=st.integers(2, 80),
    pct=st.floats(0.05, 0.95),
    div=st.floats(1, 100),
    final_div=st.floats(1, 1e5),
)
def test_one_cycle_as_torch_does(steps: int, pct: float, div: float, final_div: float) -> None:
    if pct * steps - 1 < 1e-6:
        return  # Too short to rise: torch divides by zero or begins on the way down.
    shape = {"pct_start": pct, "div_factor": div, "final_div_factor": final_div}
    chosen = TrainSettings(epochs=steps, lr=LR, schedule={"name": "one_cycle", **shape})
    expected = torch_rates(
        lambda o: torch_lr.OneCycleLR(o, LR, total_steps=steps, cycle_momentum=False, **shape), steps, LR
    )
    assert rates(chosen, Moment(0, 1)) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_one_cycle_too_short_to_rise_falls_from_its_maximum(epochs: int) -> None:
    found = rates(TrainSettings(epochs=epochs, lr=LR, schedule="one_cycle"), Moment(0, 1))
    assert found[0] == LR
    assert found == sorted(found, reverse=True)


def test_milestones_are_epochs_or_moments() -> None:
    mixed = rates(settings({"name": "step", "milestones": [4, "45it", "10ep2it"]}))
    assert [k for k in range(1, END.steps) if mixed[k] != mixed[k - 1]] == [20, 45, 52]
    assert mixed[-1] == pytest.approx(LR * 1e-3)
    assert rates(settings({"name": "step", "milestones": ["20it", "9ep"]})) == rates(
        settings({"name": "step", "milestones": [4, 9]})
    )


@pytest.mark.parametrize(("text", "steps"), [(3, 15), ("3ep", 15), ("17it", 17), ("1ep2it", 7)])
def test_warm_up_is_linear_in_steps_and_multiplies_the_schedule(text: int | str, steps: int) -> None:
    plain, warm = rates(settings("cosine")), rates(settings("cosine", warm_up=text))
    assert warm == pytest.approx([rate * min(1.0, k / steps) for k, rate in enumerate(plain)], rel=1e-12)
    assert warm[steps:] == plain[steps:]


# ---------------------------------------------------------------------------- after pruning

MOMENTS = [Moment(k, PER_EPOCH) for k in (0, 5, 13, 30, 59)]


@pytest.mark.parametrize("at", MOMENTS, ids=str)
@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_cosine_and_linear_begin_anew_and_end_at_zero(name: str, per: str, at: Moment) -> None:
    chosen = settings({"name": name, "per": per})
    max_lr = max(0.001, chosen.highest_lr_from(at, START, LR))
    assert chosen.highest_lr_from(at, START, LR) == chosen.lr_at(at, START, LR)
    assert chosen.lr_at(at, at, max_lr) == max_lr
    assert chosen.lr_at(END, at, max_lr) == pytest.approx(0, abs=1e-16)
    now = Moment(at.steps + 1, PER_EPOCH)
    done = 1 / (END.steps - at.steps) if per == "step" else (now.epoch - at.epoch) / (EPOCHS - at.epoch)
    left = (1 + math.cos(math.pi * done)) / 2 if name == "cosine" else 1 - done
    assert chosen.lr_at(now, at, max_lr) == pytest.approx(max_lr * left, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize("at", MOMENTS, ids=str)
@pytest.mark.parametrize(
    "schedule", ["exponential", "constant", "one_cycle", {"name": "step", "milestones": [1, "30it", "57it"]}], ids=str
)
def test_the_others_go_on_where_they_were(schedule: Any, at: Moment) -> None:
    chosen = settings(schedule)
    max_lr = chosen.highest_lr_from(at, START, LR)  # Lambda = 0
    assert rates(chosen, at, max_lr) == pytest.approx(rates(chosen)[at.steps :], rel=1e-12)


def test_one_cycle_keeps_its_top_when_pruned_on_the_way_up_and_lambda_is_a_maximum_after_it() -> None:
    chosen = settings("one_cycle")
    up, down = Moment(4, PER_EPOCH), Moment(58, PER_EPOCH)
    assert chosen.highest_lr_from(up, START, LR) == LR
    assert chosen.highest_lr_from(down, START, LR) == chosen.lr_at(down, START, LR) < 0.01
    raised = rates(chosen, down, 0.01)
    assert max(raised) == raised[0] == pytest.approx(0.01)
    again = Moment(59, PER_EPOCH)
    assert chosen.highest_lr_from(again, down, 0.01) == pytest.approx(raised[1])


@pytest.mark.parametrize("per", ["epoch", "step"])
def test_a_line_may_end_above_zero_as_torch_has_it(per: str) -> None:
    """P2's Inception-v3: from 0.03 to 0.005."""
    chosen = settings({"name": "linear", "per": per, "floor": 1 / 6})
    number = EPOCHS if per == "epoch" else END.steps
    expected = torch_rates(lambda o: torch_lr.LinearLR(o, 1.0, 1 / 6, number), number)
    each = PER_EPOCH if per == "epoch" else 1
    assert rates(chosen) == pytest.approx([rate for rate in expected for _ in range(each)], rel=1e-12)
    assert chosen.lr_at(END, START, LR) == pytest.approx(LR / 6)


@pytest.mark.parametrize("at", [Moment(step, PER_EPOCH) for step in (0, 5, 13, 30, 55, 60)], ids=str)
@pytest.mark.parametrize("per", ["epoch", "step"])
def test_a_line_that_begins_anew_ends_at_the_same_rate(per: str, at: Moment) -> None:
    """The floor is a share of the run's own maximum, wherever the network is pruned, and however often."""
    chosen = settings({"name": "linear", "per": per, "floor": 0.25})
    once = chosen.highest_lr_from(at, START, LR)
    assert chosen.lr_at(at, at, once) == once
    if at < END:
        assert chosen.lr_at(END, at, once) == pytest.approx(LR / 4)
    if per == "step" or at.step == 0:
        assert rates(chosen, at, once) == pytest.approx(rates(chosen)[at.steps :], rel=1e-12), "it is the same line"
    again = Moment((at.steps + END.steps) // 2, PER_EPOCH)
    twice = chosen.highest_lr_from(again, at, once)
    if again.epoch < EPOCHS:
        assert chosen.lr_at(END, again, twice) == pytest.approx(LR / 4)
    raised = rates(chosen, at, 2 * once)  # by Lambda
    assert raised == pytest.approx([2 * rate for rate in rates(chosen, at, once)])


def test_a_line_to_zero_is_written_down_as_ever() -> None:
    """Keys of jobs follow from what is written down."""
    plain, to_zero = settings("linear"), settings({"name": "linear", "floor": 0})
    assert plain.model_dump()["schedule"] == to_zero.model_dump()["schedule"] == {"name": "linear", "per": "epoch"}
    assert rates(plain) == [LR * (1 - step // PER_EPOCH / EPOCHS) for step in range(END.steps)]
    held = settings({"name": "linear", "floor": 0.5})
    assert held.model_dump(mode="json")["schedule"] == {"name": "linear", "per": "epoch", "floor": 0.5}
    assert TrainSettings.model_validate(held.model_dump()) == held


def test_warm_up_is_not_restarted_by_pruning_inside_it() -> None:
    chosen = settings("exponential", warm_up="30it")
    at = Moment(10, PER_EPOCH)
    max_lr = chosen.highest_lr_from(at, START, LR)
    assert max_lr == pytest.approx(LR * 0.97**2)
    assert rates(chosen, at, max_lr) == pytest.approx(rates(chosen)[10:], rel=1e-12)


# ---------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"schedule": "one_cycle", "warm_up": "3it"}, "one_cycle has its own rise"),
        ({"warm_up": 13}, "longer than the run of 12 epochs"),
        ({"warm_up": "soon"}, "write '12ep', '500it'"),
        ({"warm_up": 1.5}, "a moment is written"),
        ({"warm_up": -1}, "steps >= 0"),
        ({"schedule": {"name": "step", "milestones": [True]}}, "a moment is written"),
        ({"schedule": {"name": "step", "milestones": ["x"]}}, "is not understood"),
        ({"schedule": {"name": "exponential", "per": "step"}}, "schedule.exponential.per: unknown key"),
        ({"schedule": {"name": "linear", "floor": -0.1}}, "schedule.linear.floor: .*greater than or equal to 0"),
        ({"schedule": {"name": "linear", "floor": 2}}, "schedule.linear.floor: .*less than or equal to 1"),
        ({"schedule": "cosin"}, "does not match any of the expected tags"),
    ],
    ids=str,
)
def test_contradictions_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        TrainSettings(epochs=EPOCHS, **options)
