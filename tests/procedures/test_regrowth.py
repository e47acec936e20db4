"""RigL and SET: how many weights move, and which; what grown ones begin with; segments join to the same bits."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from secateurs.core import Batch, Moment, Observation, PruningError, Spec, TrainState
from secateurs.how import Mask, survivors
from secateurs.procedures import Regrown, RegrowthSettings, regrow, regrowth, sparse_from_the_start
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
    first = Mask(state.mask or {})
    assert first.kept == pytest.approx(0.3 * first.total, abs=len(first) / 2)
    for moment, fraction in updates.items():
        assert fraction == pytest.approx(0.25 * (1 + math.cos(math.pi * moment.steps / 18)))
        state = train(state, DATA, training, until=moment)
        before = {name: state.model.get_parameter(name).detach().clone() for name in first}
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
            for held in moments(state, name):
                assert (held[~(now & old)] == 0).all()
        assert (done.grown > 0) == (survivors(fraction, first.kept) > 0)
    assert [str(moment) for moment in updates] == ["0ep4it", "1ep2it", "2ep", "2ep4it"]


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


def test_a_gradient_that_is_not_finite_ends_the_run() -> None:
    state = sparse_from_the_start(new(), DATA, SETTINGS)
    with torch.no_grad():
        state.model.get_parameter("fc.bias").fill_(math.inf)
    state, done = regrow(state, DATA, SETTINGS, TRAIN, 0.5)
    assert state.diverged == done.moment
    assert done.before == done.after


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
