"""RigL and SET: how many weights move, and which; what grown ones begin with; segments join to the same bits."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from secateurs.core import Batch, Moment, Observation, PruningError, Spec, TrainingError, TrainState
from secateurs.how import Mask, survivors
from secateurs.procedures import Regrown, RegrowthSettings, regrow, regrowth, sound, sparse_from_the_start
from secateurs.procedures.growth import dense_gradient, random_growth
from secateurs.train import TrainSettings, begin, pack, train, unpack
from toys import RESNET, content, same_bits, toy_data, unchanged

DATA = toy_data()
TRAIN = TrainSettings(epochs=4, batch_size=8, lr=0.05, augment="shift", label_smoothing=0.1)  # six steps an epoch
ADAM = TRAIN.model_copy(update={"optimizer": TrainSettings(epochs=1, optimizer={"name": "adam"}).optimizer})
SETTINGS = RegrowthSettings(density=0.3, every="4it", fraction=0.5)


def new(training: TrainSettings = TRAIN, model: Spec = RESNET) -> TrainState:
    return begin(model, DATA, training, init_seed=0)


def moments(state: TrainState, name: str) -> list[Tensor]:
    """What the optimiser holds of a weight, in its shape."""
    weight = state.model.get_parameter(name)
    held = state.optimizer.state[weight].values()
    return [each for each in held if isinstance(each, Tensor) and each.shape == weight.shape]


@pytest.mark.parametrize("grow", ["gradient", "random"])
@pytest.mark.parametrize("layers", ["erk", "uniform"])
@pytest.mark.parametrize("training", [TRAIN, ADAM], ids=["sgd", "adam"])
def test_every_layer_keeps_its_count_and_grown_weights_start_at_zero(
    grow: str, layers: str, training: TrainSettings
) -> None:
    settings = RegrowthSettings(density=0.3, every="4it", fraction=0.5, grow=grow, layers=layers)
    updates = settings.updates(training.epochs, 6)
    state = sparse_from_the_start(new(training), DATA, settings)
    first, lost = Mask(state.mask or {}), 0
    assert first.kept == pytest.approx(0.3 * first.total, abs=len(first) / 2)
    for moment, fraction in updates.items():
        assert fraction == pytest.approx(0.25 * (1 + math.cos(math.pi * moment.steps / 18)))
        state = train(state, DATA, training, until=moment)
        before = {name: state.model.get_parameter(name).detach().clone() for name in first}
        held_before = {name: [each.clone() for each in moments(state, name)] for name in first}
        state, done = regrow(state, DATA, settings, training, fraction)
        assert done.after.layer_densities() == first.layer_densities()
        assert done.after.kept == first.kept
        for name in first:
            old, now = done.before[name], done.after[name]
            weight, kept = state.model.get_parameter(name).detach(), int(old.sum())
            stay = kept - survivors(fraction, kept)
            bound = before[name].abs()[old].sort(descending=True).values[stay - 1]
            assert (now & old)[old & (before[name].abs() > bound)].all(), "only the lowest go"
            assert int((old & ~now).sum()) <= kept - stay
            assert (weight[~now] == 0).all()
            assert torch.equal(weight[now & old], before[name][now & old]), "what stays is as it was"
            held_now = moments(state, name)
            assert len(held_now) == len(held_before[name]) == (2 if training is ADAM else 1)
            for was, held in zip(held_before[name], held_now, strict=True):
                assert content(held[now & old]) == content(was[now & old]), "and so are its moments"
                assert (held[now & old] != 0).any()
                assert (held[~(now & old)] == 0).all()
            lost += int((held_before[name][0][old & ~now] != 0).sum())
        assert (done.grown > 0) == (survivors(fraction, first.kept) > 0)
    assert [str(moment) for moment in updates] == ["0ep4it", "1ep2it", "2ep", "2ep4it"]
    assert lost > 0, "there were moments to be dropped"


def test_the_gradient_is_that_of_the_dense_layers_and_leaves_no_trace() -> None:
    state = train(sparse_from_the_start(new(), DATA, SETTINGS), DATA, TRAIN, until="8it", order_seed=3)
    with unchanged(state.model):
        found = dense_gradient(state, DATA, TRAIN, order_seed=3)
    model = copy.deepcopy(state.model).double().train()
    batch = [*DATA.train.epoch(1, 8, 3, "shift")][2]
    batch = Batch(batch.inputs.double(), batch.targets)
    output = model(batch.inputs)
    torch.nn.functional.cross_entropy(output, batch.targets, label_smoothing=0.1).backward()
    for name, gradient in found.items():
        expected = model.get_parameter(name).grad
        assert expected is not None
        assert torch.allclose(gradient.double(), expected.abs(), rtol=1e-3, atol=1e-6)
        gone = gradient[~(state.mask or {})[name]]
        assert not len(gone) or gone.count_nonzero() > 0, "what is not there has a gradient as well"
    _, done = regrow(state, DATA, SETTINGS, TRAIN, 0.2, order_seed=3)
    for name, kept in done.after.items():
        grown, passed = kept & ~done.before[name], ~kept & ~done.before[name]
        if grown.any() and passed.any():
            assert found[name][grown].min() >= found[name][passed].max()


def test_random_growth_is_seeded_and_even() -> None:
    mask, start = {"a": torch.ones(40), "b": torch.ones(2, 3)}, Moment(4, 6)
    drawn = [random_growth(mask, seed, start)["a"] for seed in range(300)]
    hits = sum((each >= each.sort().values[30]).long() for each in drawn)  # ten of forty grown each time
    assert float((hits - 75).abs().max()) < 5 * (300 * 0.25 * 0.75) ** 0.5
    other = random_growth(dict(reversed(mask.items())), 0, start)
    assert list(other) == ["b", "a"]
    assert torch.equal(other["a"], drawn[0])
    assert not torch.equal(random_growth(mask, 0, Moment(5, 6))["a"], drawn[0])


def test_nothing_comes_back_between_updates() -> None:
    told: list[Regrown] = []
    seen: list[int] = []

    def look(now: Observation) -> None:
        if now.boundary == "step":
            weights = dict(now.model.named_parameters())
            current = told[-1].after if told else first
            assert all((weights[name][~kept] == 0).all() for name, kept in current.items())
            seen.append(now.moment.steps)

    first = Mask(sparse_from_the_start(new(), DATA, SETTINGS).mask or {})
    end = regrowth(new(), DATA, SETTINGS, TRAIN, observers=[look], told=told.append)
    assert [str(each.moment) for each in told] == ["0ep4it", "1ep2it", "2ep", "2ep4it"]
    assert seen == list(range(1, 25)), "as many steps as the dense network"
    assert told[0].before == first
    assert Mask(end.mask or {}) == told[-1].after
    assert all(a.after == b.before for a, b in pairwise(told))


@pytest.mark.parametrize("grow", ["gradient", "random"])
def test_segments_that_are_stored_between_give_the_same_bits(grow: Any) -> None:
    settings = SETTINGS.model_copy(update={"grow": grow})
    whole = regrowth(new(), DATA, settings, TRAIN, order_seed=1, pruning_seed=2)
    state = sparse_from_the_start(new(), DATA, settings, pruning_seed=2)
    for until in ("2it", "4it", "5it", 1, 2, 4):
        tensors, meta = pack(state)
        state = unpack(tensors, meta, new())
        state = regrowth(state, DATA, settings, TRAIN, until=until, order_seed=1, pruning_seed=2)
    assert same_bits(state.model, whole.model)
    assert Mask(state.mask or {}) == Mask(whole.mask or {})
    for name in whole.mask or {}:
        assert [content(each) for each in moments(state, name)] == [content(each) for each in moments(whole, name)]


@pytest.mark.parametrize("grow", ["gradient", "random"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["kept", "bias", "buffer"])
def test_a_number_that_is_not_finite_ends_the_run(grow: Any, bad: float, where: str) -> None:
    settings = SETTINGS.model_copy(update={"grow": grow})
    state = train(sparse_from_the_start(new(), DATA, settings), DATA, TRAIN, until="4it")
    spoilt(state, where, bad)
    was = content(state.model.get_parameter("fc.weight"))
    after, done = regrow(state, DATA, settings, TRAIN, 0.5)
    assert after.diverged == done.moment == Moment(4, 6)
    assert done.before == done.after == Mask(after.mask or {})
    assert content(after.model.get_parameter("fc.weight")) == was
    assert state.consumed


def test_a_gradient_that_is_not_finite_ends_the_run() -> None:
    """All weights are finite, and the loss is not."""
    state = sparse_from_the_start(new(), DATA, SETTINGS)
    with torch.no_grad():
        state.model.get_parameter("fc.weight").mul_(3e38)
        state.model.get_parameter("fc.weight").nan_to_num_(posinf=3e38, neginf=-3e38)
    assert sound(state.model)
    set_on, _ = regrow(state.fork(), DATA, SETTINGS.model_copy(update={"grow": "random"}), TRAIN, 0.5)
    assert set_on.diverged is None, "SET looks at no gradient"
    state, done = regrow(state, DATA, SETTINGS, TRAIN, 0.5)
    assert state.diverged == done.moment
    assert done.before == done.after


def test_a_state_that_diverged_is_given_back() -> None:
    state = sparse_from_the_start(new(), DATA, SETTINGS)
    state.diverged = Moment(0, 6)
    same, done = regrow(state, DATA, SETTINGS, TRAIN, 0.5)
    assert same is state
    assert not state.consumed
    assert done.grown == 0


@pytest.mark.parametrize("grow", ["gradient", "random"])
@pytest.mark.parametrize("step", [4, 24], ids=["before an update", "at the end"])
def test_what_the_last_step_breaks_has_diverged(grow: Any, step: int) -> None:
    """No loss tells of it."""
    told: list[Regrown] = []

    def broken(now: Observation) -> None:
        if now.boundary == "step" and now.moment.steps == step:
            with torch.no_grad():
                now.model.get_parameter("fc.bias").fill_(math.nan)

    settings = SETTINGS.model_copy(update={"grow": grow})
    end = regrowth(new(), DATA, settings, TRAIN, observers=[broken], told=told.append)
    assert end.diverged == end.moment == Moment(step, 6)
    assert len(told) == (0 if step == 4 else 4), "an update that was not made is not told"


def test_weights_with_two_names_are_moved_by_the_mask_s() -> None:
    """The first name of a weight may be that of a module that is not pruned."""

    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = torch.nn.ParameterDict()
            self.flat = torch.nn.Flatten()
            self.fc = torch.nn.Linear(36, 3)
            self.held["weight"] = self.fc.weight

        def forward(self, inputs: Tensor) -> Tensor:
            return self.fc(self.flat(inputs))

    start = new()
    model = Tied()
    assert "fc.weight" not in dict(model.named_parameters())
    state = start.take(model=model, optimizer=TRAIN.optimizer.build(model, TRAIN.lr))
    state = train(sparse_from_the_start(state, DATA, SETTINGS), DATA, TRAIN, until="4it")
    assert list(state.mask or {}) == ["fc.weight"]
    for grow in ("gradient", "random"):
        moved, done = regrow(state.fork(), DATA, SETTINGS.model_copy(update={"grow": grow}), TRAIN, 0.5)
        assert done.grown > 0
        assert done.after.kept == done.before.kept
        gone = done.before["fc.weight"] & ~done.after["fc.weight"]
        assert (moved.model.get_parameter("held.weight")[gone] == 0).all()


def spoilt(state: TrainState, where: str, bad: float) -> None:
    """One number of a state that is not finite."""
    with torch.no_grad():
        if where == "kept":
            name, kept = next(iter((state.mask or {}).items()))
            state.model.get_parameter(name)[tuple(kept.nonzero()[0].tolist())] = bad
        elif where == "bias":
            state.model.get_parameter("fc.bias")[0] = bad
        else:
            next(each for each in state.model.buffers() if each.is_floating_point())[0] = bad


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PruningError, match="every: updates need some training between them: say 100it, or 1ep"):
        RegrowthSettings(every=0)
    with pytest.raises(PruningError, match="has no mask to be moved: begin with sparse_from_the_start"):
        regrow(new(), DATA, SETTINGS, TRAIN, 0.1)
    with pytest.raises(PruningError, match="has no mask: which layers' gradient is wanted"):
        dense_gradient(new(), DATA, TRAIN)
    with pytest.raises(PruningError, match="is not that of a new dense network"):
        regrowth(train(new(), DATA, TRAIN, until="1it"), DATA, SETTINGS, TRAIN)
    with pytest.raises(PruningError, match=r"fraction: Input should be greater than 0"):
        RegrowthSettings(fraction=0)


def test_what_would_never_move_is_refused_before_anything_is_trained() -> None:
    state = new()
    with pytest.raises(
        PruningError, match=r"every: the mask is to stay from 3ep on, .* say less than 18it, or a later"
    ):
        regrowth(state, DATA, RegrowthSettings(every="18it"), TRAIN)
    uniform = RegrowthSettings(density=0.02, layers="uniform", every="4it")
    for begins in (lambda: regrowth(state, DATA, uniform, TRAIN), lambda: sparse_from_the_start(state, DATA, uniform)):
        with pytest.raises(PruningError, match=r"density 0.02 leaves \S+ empty, .* higher density, or exclude these"):
            begins()
    assert not state.consumed


def test_where_to_stop_lies_between_the_state_and_the_end() -> None:
    dense = new()
    with pytest.raises(
        TrainingError, match=r"until: 4ep1it is not between the state, which stands at 0ep, and the end"
    ):
        regrowth(dense, DATA, SETTINGS, TRAIN, until="4ep1it")
    assert not dense.consumed
    state = regrowth(dense, DATA, SETTINGS, TRAIN, until="5it")
    with pytest.raises(TrainingError, match=r"until: 0ep4it is not between the state, which stands at 0ep5it"):
        regrowth(state, DATA, SETTINGS, TRAIN, until="4it")
    assert not state.consumed
