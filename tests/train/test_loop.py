"""The loop: against a loop written out by hand, in segments, from files, with masks, and when it diverges."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from secateurs.core import Moment, Observation, Spec, TrainingError, TrainState, generator_for, prunable
from secateurs.how import Mask, apply, keep_top
from secateurs.measure import evaluate
from secateurs.train import TrainSettings, begin, observe, pack, train, unpack
from secateurs.what import magnitude
from secateurs.zoo import build_model
from toys import RESNET, content, same_bits, surroundings, toy_data

DATA = toy_data()
SETTINGS = TrainSettings(epochs=4, batch_size=10, lr=0.05, augment="shift")  # five steps an epoch, the last one smaller
OPTIMIZERS: dict[str, Any] = {
    "sgd": {"name": "sgd"},
    "plain sgd": {"name": "sgd", "momentum": 0.0},
    "nesterov, no decay of norms": {"nesterov": True, "decay_norms_and_biases": False},
    "adam": {"name": "adam"},
    "adamw": {"name": "adamw"},
    "adam, fused": {"name": "adam", "fused": True},
}


def variant(name: str, **options: Any) -> TrainSettings:
    rate = 0.05 if "sgd" in name or "nesterov" in name else 0.005
    return TrainSettings(**{**SETTINGS.model_dump(), "lr": rate, "optimizer": OPTIMIZERS[name], **options})


def fresh(chosen: TrainSettings = SETTINGS, model: Spec = RESNET, density: float | None = None) -> TrainState:
    state = begin(model, DATA, chosen, init_seed=1)
    if density is not None:
        mask = keep_top(magnitude(state.model), density)
        apply(state.model, mask)
        state.mask = mask
    return state


def optimizer_bits(state: TrainState) -> list[tuple[int, str, object]]:
    entries = state.optimizer.state_dict()["state"]
    return [
        (index, key, content(value) if isinstance(value, torch.Tensor) else value)
        for index, values in sorted(entries.items())
        for key, value in sorted(values.items())
    ]


def assert_same(a: TrainState, b: TrainState) -> None:
    """One state, bit for bit: weights, buffers, optimiser, moments."""
    assert same_bits(a.model, b.model)
    assert optimizer_bits(a) == optimizer_bits(b)
    assert [(g["lr"], len(g["params"])) for g in a.optimizer.param_groups] == [
        (g["lr"], len(g["params"])) for g in b.optimizer.param_groups
    ]
    for name in ("moment", "schedule_start", "max_lr", "mask", "diverged", "consumed"):
        assert getattr(a, name) == getattr(b, name), name


def through_bytes(state: TrainState, chosen: TrainSettings, model: Spec = RESNET) -> TrainState:
    """The state as another process finds it: safetensors and JSON, filled into a network of another seed."""
    tensors, meta = pack(state)
    return unpack(load(save(tensors)), json.loads(json.dumps(meta)), begin(model, DATA, chosen, init_seed=99))


# ------------------------------------------------------------------------------ what it computes


def test_it_is_the_loop_written_out() -> None:
    found = train(fresh(), DATA, SETTINGS, until="3ep", order_seed=7)
    model = build_model(RESNET, (1, 6, 6), 3, seed=1).train()
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    for epoch in range(3):
        order = torch.randperm(48, generator=generator_for("order", 7, epoch))
        for step, index in enumerate(order.split(10)):
            source = generator_for("augmentation", 7, epoch, step)
            top, left = torch.randint(0, 3, (2, len(index)), generator=source).tolist()
            padded = F.pad(DATA.train.images[index], (1, 1, 1, 1))
            cut = [image[:, y : y + 6, x : x + 6] for image, y, x in zip(padded, top, left, strict=True)]
            x = (torch.stack(cut).float() - 90) / 60
            gradients = torch.autograd.grad(
                F.cross_entropy(model(x), DATA.train.targets[index]), list(model.parameters())
            )
            with torch.no_grad():
                for p, g, v in zip(model.parameters(), gradients, velocity, strict=True):
                    v.mul_(0.9).add_(g + 5e-4 * p)
                    p.sub_(0.05 * 0.97**epoch * v)
    for (name, a), b in zip(found.model.state_dict().items(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)
    assert found.moment == Moment(15, 5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_learns(name: str) -> None:
    chosen = variant(name, epochs=12)
    state = train(fresh(chosen), DATA, chosen, until="12ep")
    assert evaluate(state.model, DATA.task, DATA.test)["accuracy"] > 0.8


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_step_has_the_rate_of_its_moment(name: str) -> None:
    chosen, state, rates = variant(name, schedule={"name": "cosine", "per": "step"}), None, []

    def look(seen: Observation) -> None:
        if seen.boundary == "step":
            rates.append({group["lr"] for group in optimizer.param_groups})

    state = fresh(chosen)
    optimizer = state.optimizer
    train(state, DATA, chosen, until="2ep", observers=[look])
    expected = [chosen.lr / 2 * (1 + math.cos(math.pi * step / 20)) for step in range(10)]
    assert [list(rate) for rate in rates] == [pytest.approx([rate]) for rate in expected]


def test_runs_follow_from_their_seeds_alone() -> None:
    one = train(fresh(), DATA, SETTINGS, until="2ep", order_seed=3)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        around = surroundings()
        again = train(fresh(), DATA, SETTINGS, until="2ep", order_seed=3)
        assert surroundings() == around
    assert_same(one, again)
    other = train(fresh(), DATA, SETTINGS, until="2ep", order_seed=4)
    assert not same_bits(one.model, other.model)


# -------------------------------------------------------------------------------------- segments


@hypothesis_settings(max_examples=12)
@given(
    st.sampled_from(list(OPTIMIZERS)),
    st.lists(st.integers(0, 15), max_size=3).map(sorted),
    st.booleans(),
    st.sampled_from([None, 0.3]),
)
def test_segments_joined_are_one_long_segment(name: str, cuts: list[int], files: bool, density: float | None) -> None:
    chosen = variant(name)
    whole = train(fresh(chosen, density=density), DATA, chosen, until="3ep", order_seed=2)
    state = fresh(chosen, density=density)
    for cut in cuts:
        state = train(state, DATA, chosen, until=f"{cut}it", order_seed=2)
        if files:
            state = through_bytes(state, chosen)
    state = train(state, DATA, chosen, until=Moment(15, 5), order_seed=2)
    assert_same(state, whole)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("density", [None, 0.3])
def test_files_hold_the_whole_state(name: str, density: float | None) -> None:
    chosen = variant(name, schedule="cosine")
    state = train(fresh(chosen, density=density), DATA, chosen, until="7it", order_seed=2)
    state.schedule_start, state.max_lr = Moment(3, 5), 0.0123
    kept = state.fork()
    found = through_bytes(state, chosen)
    assert_same(found, kept)
    assert isinstance(found.mask, Mask) == (density is not None)
    end = [train(each, DATA, chosen, until="3ep", order_seed=2) for each in (found, kept)]
    assert_same(*end)


def test_files_hold_a_fresh_state_and_a_diverged_one() -> None:
    for moment in (None, Moment(5, 5)):
        state = fresh()
        state.diverged = moment
        assert_same(through_bytes(state, SETTINGS), state)


def test_what_was_packed_is_named_by_parts() -> None:
    state = train(fresh(density=0.5), DATA, SETTINGS, until="1it")
    tensors, meta = pack(state)
    assert {path.split("/")[0] for path in tensors} == {"model", "optimizer", "mask"}
    assert json.loads(json.dumps(meta)) == meta
    blank = begin(RESNET, DATA, SETTINGS, init_seed=5)
    unpack(tensors, meta, blank)
    assert blank.consumed


def test_unpacking_copies() -> None:
    state = train(fresh(density=0.5), DATA, SETTINGS, until="2it")
    tensors, meta = pack(state)
    kept = {path: tensor.clone() for path, tensor in tensors.items()}
    train(unpack(tensors, meta, begin(RESNET, DATA, SETTINGS, init_seed=5)), DATA, SETTINGS, until="2ep")
    assert all(torch.equal(kept[path], tensors[path]) for path in tensors)


# ------------------------------------------------------------------------------- states consumed


def test_train_consumes_and_a_refusal_does_not() -> None:
    state = train(fresh(), DATA, SETTINGS, until="1ep")
    for until in ("4it", "5ep", "21it", Moment(2, 7)):
        with pytest.raises(TrainingError):
            train(state, DATA, SETTINGS, until=until)
    assert not state.consumed
    after = train(state, DATA, SETTINGS, until="2ep")
    assert state.consumed
    assert not after.consumed
    before = {name: content(value) for name, value in after.model.state_dict().items()}
    with pytest.raises(TrainingError, match="already consumed"):
        train(state, DATA, SETTINGS, until="3ep")
    assert before == {name: content(value) for name, value in after.model.state_dict().items()}
    assert after.model.training
    assert all(p.grad is None for p in after.model.parameters())


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ("4it", "cannot train until 0ep4it: the state stands at 1ep and the run has 4 epochs"),
        ("5ep", "cannot train until 5ep: the state stands at 1ep and the run has 4 epochs"),
        ("20it2ep", "moment '20it2ep' is not understood"),
    ],
)
def test_ends_that_cannot_be(until: str, message: str) -> None:
    state = train(fresh(), DATA, SETTINGS, until="1ep")
    with pytest.raises(TrainingError, match=re.escape(message)):
        train(state, DATA, SETTINGS, until=until)


def test_training_until_now_is_nothing() -> None:
    seen: list[Observation] = []
    state = train(fresh(), DATA, SETTINGS, until="7it")
    kept = state.fork()
    same = train(state, DATA, SETTINGS, until="7it", observers=[seen.append])
    assert_same(same, kept)
    assert seen == []


def test_forks_train_apart() -> None:
    state = train(fresh(density=0.5), DATA, SETTINGS, until="7it")
    kept, other = state.fork(), state.fork()
    train(state, DATA, SETTINGS, until="2ep", order_seed=5)
    assert_same(train(kept, DATA, SETTINGS, until="3ep"), train(other, DATA, SETTINGS, until="3ep"))


# ------------------------------------------------------------------------------------- observers


def test_observers_see_every_step_and_every_end_of_an_epoch() -> None:
    seen: list[tuple[str, str]] = []
    sizes: list[int] = []
    gradients: list[bool] = []

    def look(o: Observation) -> None:
        seen.append((o.boundary, str(o.moment)))
        if o.boundary == "step":
            assert o.batch is not None
            assert o.output is not None
            assert o.loss is not None
            assert o.model.training
            assert not o.output.requires_grad
            assert not o.loss.requires_grad
            gradients.append(all(p.grad is not None for p in o.model.parameters()))
            sizes.append(len(o.batch.targets))
        else:
            assert (o.batch, o.output, o.loss) == (None, None, None)

    state = train(fresh(), DATA, SETTINGS, until="3it", observers=[look])
    state = train(state, DATA, SETTINGS, until="2ep", observers=[look])
    steps = [("step", str(Moment(k, 5))) for k in range(1, 11)]
    assert seen == [*steps[:5], ("epoch", "1ep"), *steps[5:], ("epoch", "2ep")]
    assert sizes == [10, 10, 10, 10, 8] * 2
    assert all(gradients)
    assert all(p.grad is None for p in state.model.parameters())
    observe(state, DATA, [look])
    assert seen[-1] == ("epoch", "2ep")


def test_observers_do_not_change_what_is_trained() -> None:
    from secateurs.when import FisherTrace, GradientNorms, KLUniform, TrainLoss, Watch

    plain = train(fresh(density=0.4), DATA, SETTINGS, until="2ep")
    state = fresh(density=0.4)
    signals = (FisherTrace(samples=8), KLUniform("probe"), GradientNorms(), TrainLoss())
    watch = Watch(signals, state.model, probe=DATA.train.probe(20, 0))
    assert_same(train(state, DATA, SETTINGS, until="2ep", observers=[watch]), plain)
    assert len(watch.rows) == 2


def test_an_observer_that_breaks_leaves_no_hooks() -> None:
    def breaks(_: Observation) -> None:
        raise RuntimeError("on purpose")

    state = fresh(density=0.5)
    model, optimizer = state.model, state.optimizer
    with pytest.raises(RuntimeError, match="on purpose"):
        train(state, DATA, SETTINGS, until="1ep", observers=[breaks])
    assert not optimizer._optimizer_step_post_hooks
    assert not any(getattr(p, "_post_accumulate_grad_hooks", None) for p in model.parameters())
    assert state.consumed  # half an epoch has passed: it is not what it was


# ----------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_pruned_weights_are_zero_at_every_step_of_the_rest(name: str, clip: float | None) -> None:
    chosen = variant(name, clip_norm=clip)
    state = train(begin(RESNET, DATA, chosen, init_seed=1), DATA, chosen, until="7it")  # with momentum to come back by
    state.mask = keep_top(magnitude(state.model), 0.2)
    mask, looked = state.mask, []

    def look(seen: Observation) -> None:
        weights = prunable(seen.model)
        for key, kept in mask.items():
            dropped = weights[key].detach()[~kept]
            assert content(dropped) == content(torch.zeros_like(dropped))
            if weights[key].grad is not None:
                assert not weights[key].grad[~kept].any()
        looked.append(seen.moment)

    state = train(state, DATA, chosen, until="4ep", observers=[look])
    assert len(looked) == 13 + 3
    for p, entries in state.optimizer.state.items():
        for key, kept in mask.items():
            if prunable(state.model)[key] is p:
                assert not any(bool(v[~kept].any()) for v in entries.values() if v.shape == p.shape)
    assert state.mask == mask
    alive = sum(int((p != 0).sum()) for p in prunable(state.model).values())
    assert alive == mask.kept


# ------------------------------------------------------------------------------------ divergence


def test_divergence_is_recorded_and_ends_the_training() -> None:
    chosen = SETTINGS.model_copy(update={"lr": 1e20})
    seen: list[str] = []

    def look(o: Observation) -> None:
        if o.boundary == "epoch":
            seen.append(str(o.moment))

    state = train(fresh(chosen), DATA, chosen, until="4ep", observers=[look])
    assert state.diverged == state.moment == Moment(5, 5)
    assert seen == []  # nothing is measured on what is left
    kept = {name: content(value) for name, value in state.model.state_dict().items()}
    again = train(state, DATA, chosen, until="4ep")
    assert again.diverged == again.moment == Moment(5, 5)
    assert kept == {name: content(value) for name, value in again.model.state_dict().items()}


@pytest.mark.parametrize("cut", [2, 5, 6])
def test_divergence_is_found_in_segments_too(cut: int) -> None:
    chosen = SETTINGS.model_copy(update={"lr": 1e20})
    state = train(fresh(chosen), DATA, chosen, until=f"{cut}it")
    state = train(state, DATA, chosen, until="4ep")
    assert state.diverged is not None
    assert state.diverged.epoch <= 1
    assert state.diverged == state.moment


def test_a_diverged_state_goes_through_files() -> None:
    chosen = SETTINGS.model_copy(update={"lr": 1e20})
    state = train(fresh(chosen), DATA, chosen, until="4ep")
    found = through_bytes(state, chosen)
    assert_same(found, state)
