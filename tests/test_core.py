"""The vocabulary: moments, modes, what may be pruned, consumed states, seeds."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from secateurs.core import (
    Classifies,
    Examples,
    Moment,
    Predicts,
    PruningError,
    SecateursError,
    Spec,
    TrainingError,
    TrainState,
    derive_seed,
    did_you_mean,
    evaluating,
    generator_for,
    prunable,
    version_of,
)
from secateurs.how import Mask
from secateurs.zoo import Classification
from toys import BrokenError, Fixed, NoPrediction, generator, net, same_bits, surroundings, unchanged

MOMENTS = st.builds(Moment, st.integers(0, 10_000), st.integers(1, 99))


@given(MOMENTS)
def test_a_moment_is_what_its_text_says(moment: Moment) -> None:
    assert Moment.parse(str(moment), moment.steps_per_epoch) == moment
    assert moment.epoch * moment.steps_per_epoch + moment.step == moment.steps
    assert 0 <= moment.step < moment.steps_per_epoch
    assert moment.epochs == moment.steps / moment.steps_per_epoch
    assert Moment.parse(moment, moment.steps_per_epoch) is moment


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 9))
def test_moments_of_a_run_are_ordered_by_their_steps(a: int, b: int, per_epoch: int) -> None:
    one, other = Moment(a, per_epoch), Moment(b, per_epoch)
    assert ((one < other), (one <= other), (one > other), (one >= other)) == (a < b, a <= b, a > b, a >= b)
    assert (one == other) == (a == b)
    assert one + b == Moment(a + b, per_epoch)


@pytest.mark.parametrize(
    ("text", "steps"),
    [("12ep", 120), ("125it", 125), ("12ep5it", 125), ("0ep", 0), ("0ep0it", 0), (7, 70), (0, 0), (" 3ep\n", 30)],
)
def test_forms_of_a_moment(text: str | int, steps: int) -> None:
    assert Moment.parse(text, 10).steps == steps


@pytest.mark.parametrize("text", ["", " ", "12", "ep", "it", "-1ep", "1.5ep", "5it1ep", "1ep 5it", "12epochs", "1e2ep"])
def test_other_texts_are_no_moments(text: str) -> None:
    message = f"moment {text!r} is not understood: write '12ep', '500it' or '12ep50it'"
    with pytest.raises(TrainingError, match=re.escape(message)):
        Moment.parse(text, 10)


def test_moments_that_cannot_be() -> None:
    with pytest.raises(TrainingError, match="got -1 and 10"):
        Moment(-1, 10)
    with pytest.raises(TrainingError, match="got 1 and 0"):
        Moment(1, 0)
    with pytest.raises(TrainingError, match="steps >= 0"):
        Moment(1, 10) + -2
    with pytest.raises(TrainingError, match="different runs cannot be compared: 10 and 20"):
        _ = Moment(1, 10) < Moment(1, 20)
    assert Moment(1, 10) != Moment(1, 20)


def test_did_you_mean() -> None:
    assert did_you_mean("fischer", ["random", "fisher"]) == "; choices: fisher, random; did you mean 'fisher'?"
    assert did_you_mean("zzz", ["b", "a"]) == "; choices: a, b"
    assert did_you_mean("x", []) == "; choices: none"


@pytest.mark.parametrize("raises", [False, True])
def test_evaluating_puts_every_mode_back(raises: bool) -> None:
    model = net()
    with unchanged(model):
        try:
            with evaluating(model) as same:
                assert same is model
                assert not any(module.training for module in model.modules())
                if raises:
                    raise BrokenError
        except BrokenError:
            assert raises


def test_prunable_is_the_weights_of_conv_and_linear_in_order() -> None:
    model = nn.ModuleDict(
        {
            "z": nn.Conv1d(1, 2, 1),
            "norm": nn.BatchNorm1d(2),
            "a": nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.GroupNorm(1, 2), nn.Linear(2, 2)),
            "deep": nn.Conv3d(1, 1, 1),
            "words": nn.Embedding(3, 2),
        }
    )
    found = prunable(model)
    assert list(found) == ["z.weight", "a.0.weight", "a.2.weight", "deep.weight"]
    assert all(found[name] is dict(model.named_parameters())[name] for name in found)
    assert list(prunable(nn.Linear(2, 1))) == ["weight"]
    assert list(prunable(model, ["a"])) == ["z.weight", "deep.weight"]
    assert list(prunable(model, ["a.2.weight", "z"])) == ["a.0.weight", "deep.weight"]
    model["z"].weight.requires_grad_(False)
    assert list(prunable(model)) == ["a.0.weight", "a.2.weight", "deep.weight"]


def test_a_name_excludes_no_namesake() -> None:
    model = nn.ModuleDict({"fc": nn.Linear(2, 2), "fc2": nn.Linear(2, 2)})
    assert list(prunable(model, ["fc"])) == ["fc2.weight"]


def test_shared_weights_count_once() -> None:
    tied = nn.Linear(2, 2)
    assert list(prunable(nn.Sequential(tied, nn.ReLU(), tied))) == ["0.weight"]
    other = nn.Linear(2, 2)
    other.weight = tied.weight
    assert list(prunable(nn.Sequential(tied, other))) == ["0.weight"]


def test_prunable_refuses_by_name() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    message = "exclude: the model has no module or parameter '0.weigt'; choices: 0.weight; did you mean '0.weight'?"
    with pytest.raises(PruningError, match=re.escape(message)):
        prunable(model, ["0.weigt"])
    for exclude, nothing in ((["0"], model), ([], nn.BatchNorm1d(2))):
        with pytest.raises(PruningError, match="no prunable weights"):
            prunable(nothing, exclude)


def test_versions_of_parts() -> None:
    def part() -> None:
        pass

    assert version_of(part) == 1
    part.version = 3  # type: ignore[attr-defined]
    assert version_of(part) == 3


def test_what_a_task_can_do_is_asked_by_type() -> None:
    assert isinstance(Classification(3), Predicts)
    assert isinstance(Classification(3), Classifies)
    assert not isinstance(NoPrediction(), Predicts)
    assert not isinstance(NoPrediction(), Classifies)
    assert isinstance(Fixed(torch.zeros(1), torch.zeros(1)), Examples)


def a_state(mask: Mask | None = None) -> TrainState:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    start = Moment(0, 4)
    state = TrainState(model, optimizer, start + 3, start, 0.1, mask)
    model(torch.rand(4, 1, 6, 6, generator=generator())).sum().backward()
    optimizer.step()
    return state


def test_a_fork_is_independent() -> None:
    state = a_state(Mask({"5.weight": torch.ones(3, 27)}))
    fork = state.fork()
    assert not state.consumed
    assert not fork.consumed
    assert same_bits(state.model, fork.model)
    kept = [p for group in fork.optimizer.param_groups for p in group["params"]]
    assert [id(p) for p in kept] == [id(p) for p in fork.model.parameters()]
    assert {id(p) for p in kept}.isdisjoint(id(p) for p in state.model.parameters())
    assert (fork.moment, fork.schedule_start, fork.max_lr, fork.mask) == (Moment(3, 4), Moment(0, 4), 0.1, state.mask)
    before = [buffer.clone() for entry in state.optimizer.state.values() for buffer in entry.values()]
    with unchanged(state.model):
        fork.model.eval()(torch.rand(4, 1, 6, 6, generator=generator())).sum().backward()
        fork.optimizer.step()
        fork.optimizer.param_groups[0]["lr"] = 9.0
        with torch.no_grad():
            for p in fork.model.parameters():
                p.add_(1)
    after = [buffer for entry in state.optimizer.state.values() for buffer in entry.values()]
    assert len(before) == len(after) > 0
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert state.optimizer.param_groups[0]["lr"] == 0.1


def test_a_consumed_state_refuses_everything() -> None:
    state = a_state()
    successor = state.take(max_lr=0.5)
    assert (successor.max_lr, state.max_lr, state.consumed, successor.consumed) == (0.5, 0.1, True, False)
    assert successor.model is state.model
    for use in (state.take, state.fork):
        with pytest.raises(TrainingError, match=r"already consumed by train\(\) or prune\(\)"):
            use()
    successor.fork().take()
    successor.take()


def test_seeds_follow_from_their_parts_alone() -> None:
    assert derive_seed("order", 3, 4) == derive_seed("order", 3, 4)
    parts = [("order", 3, 4), ("order", 34), ("order", 4, 3), ("order3", 4), ("order", 3, 4, 0), ("orde", "r3", 4), ()]
    assert len({derive_seed(*each) for each in parts}) == len(parts)
    assert all(0 <= derive_seed(*each) < 2**63 for each in parts)
    # Pinned: another function would change every order, initialisation and measurement without changing a key.
    assert derive_seed("order", 0, 0) == 391240052914424705
    assert derive_seed("init", 7) == 2454419542013810186


def test_generators_do_not_touch_the_global_state() -> None:
    before = surroundings()
    a, b = generator_for("order", 1), generator_for("order", 1)
    assert torch.equal(torch.rand(5, generator=a), torch.rand(5, generator=b))
    assert not torch.equal(torch.rand(5, generator=generator_for("order", 2)), torch.rand(5, generator=b))
    assert a.device.type == "cpu"
    assert surroundings() == before


def test_every_error_is_a_secateurs_error() -> None:
    import secateurs.core as core

    errors = [thing for thing in vars(core).values() if isinstance(thing, type) and issubclass(thing, Exception)]
    assert len(errors) >= 8
    assert all(issubclass(error, SecateursError) for error in errors)


def test_specs_are_data() -> None:
    assert Spec("a") == Spec("a", {})
    assert Spec("a", {"x": 1}) != Spec("a", {"x": 2})
