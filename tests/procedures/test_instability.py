"""Instability analysis: copies differ in nothing but the order of their data, and the state is left as it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from secateurs.core import Moment, Observation, Spec, TrainingError, TrainState
from secateurs.measure import distances, error_barrier
from secateurs.procedures import (
    Instability,
    Pair,
    PruneSettings,
    compare_copies,
    copy_of,
    instability,
    prune,
    throughout,
)
from secateurs.train import TrainSettings, begin, pack, train
from toys import LENET, RESNET, content, images, same_bits, surroundings, toy_data

DATA = toy_data()
SETTINGS = TrainSettings(epochs=4, batch_size=16, lr=0.05, augment="shift")  # three steps an epoch


def at(moment: str, model: Spec = RESNET, pruned: bool = False) -> TrainState:
    state = train(begin(model, DATA, SETTINGS, init_seed=1), DATA, SETTINGS, until=moment)
    return prune(state, DATA, PruneSettings(density=0.4, examples_per_class=3), SETTINGS) if pruned else state


def bits(state: TrainState) -> dict[str, Any]:
    tensors, meta = pack(state)
    return {name: content(value) for name, value in tensors.items()} | {"meta": meta}


def analysed(state: TrainState, **options: Any) -> Instability:
    return instability(state, DATA, SETTINGS, **{"points": 5, **options})


@pytest.mark.parametrize("after", ["continue", "replay"])
@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("moment", ["0ep", "1ep", "5it"])
def test_it_is_algorithm_3(moment: str, pruned: bool, after: Any) -> None:
    """Written out: two copies by fork, two calls of train, the barrier between them."""
    state = at(moment, pruned=pruned)
    found = analysed(state, order_seeds=(7, 8), after=after)
    copies = []
    for seed in (7, 8):
        copy = state.fork()
        if after == "replay":
            start = Moment(0, 3)
            copy = copy.take(moment=start, schedule_start=start, max_lr=SETTINGS.lr)
        copies.append(train(copy, DATA, SETTINGS, until=4, order_seed=seed))
    (pair,) = found.pairs
    assert (found.start, str(found.end), pair.seeds, found.diverged) == (state.moment, "4ep", (7, 8), ())
    model = at("0ep").model
    for part in ("train", "test"):
        examples = getattr(DATA, part)
        assert pair.barriers[part] == error_barrier(model, *copies, DATA.task, examples, points=5)  # type: ignore[index]
        assert pair.distances[part] == distances(model, *copies, DATA.task, examples)  # type: ignore[index]
        assert found.mean(part) == pair.barriers[part].instability  # type: ignore[arg-type,index]
    assert found.stable == (found.mean("train") < 0.02)  # type: ignore[operator]
    if state.mask is not None:
        for name, kept in state.mask.items():
            assert not any(copy.model.state_dict()[name][~kept].any() for copy in copies)


@pytest.mark.parametrize("after", ["continue", "replay"])
@pytest.mark.parametrize("pruned", [False, True])
def test_copies_begin_with_the_same_bits(pruned: bool, after: Any) -> None:
    """Weights, buffers, mask and optimiser; where they stand in the schedule, too."""
    state = at("1ep", pruned=pruned)
    one, other = copy_of(state, SETTINGS, after), copy_of(state, SETTINGS, after)
    assert bits(one) == bits(other)
    tensors, meta = bits(state), bits(one)["meta"]
    assert {k: v for k, v in bits(one).items() if k != "meta"} == {k: v for k, v in tensors.items() if k != "meta"}
    assert meta["moment"] == (0 if after == "replay" else 3)
    assert meta["max_lr"] == (SETTINGS.lr if after == "replay" else state.max_lr)
    assert one.model is not state.model
    assert one.optimizer is not state.optimizer


@pytest.mark.parametrize("pruned", [False, True])
def test_equal_orders_give_equal_copies(pruned: bool) -> None:
    state = at("1ep", pruned=pruned)
    one, other = (train(copy_of(state, SETTINGS), DATA, SETTINGS, until=4, order_seed=5) for _ in range(2))
    assert bits(one) == bits(other)
    found = analysed(state, order_seeds=(5, 5))
    assert (found.mean("train"), found.mean("test"), found.stable) == (0.0, 0.0, True)
    (pair,) = found.pairs
    assert (pair.distances["train"].l2, pair.distances["train"].differing) == (0.0, 0)


def test_orders_change_the_order_and_the_augmentation_alone() -> None:
    """Both copies see every example once an epoch, at the same rates."""
    state = at("1ep")
    seen: dict[int, list[list[int]]] = {}
    rates: dict[int, list[float]] = {}
    pictures: dict[int, list[torch.Tensor]] = {}
    for seed in (1, 2):
        copy = copy_of(state, SETTINGS)
        seen[seed], rates[seed], pictures[seed] = [[] for _ in range(3)], [], []

        def look(observed: Observation, seed: int = seed, copy: TrainState = copy) -> None:
            if observed.batch is not None:
                seen[seed][(observed.moment.steps - 1) // 3 - 1] += observed.batch.targets.tolist()
                rates[seed].append(copy.optimizer.param_groups[0]["lr"])
                pictures[seed].append(observed.batch.inputs)

        train(copy, DATA, SETTINGS, until=4, order_seed=seed, observers=[look])
    assert rates[1] == rates[2]
    everything = sorted(DATA.train.targets.tolist())
    assert all(sorted(epoch) == everything for seed in (1, 2) for epoch in seen[seed])
    assert seen[1] != seen[2]
    assert not torch.equal(torch.cat(pictures[1]).sort(0).values, torch.cat(pictures[2]).sort(0).values)


def test_the_runs_own_order_makes_the_run_itself() -> None:
    whole = at("4ep")
    copy = train(copy_of(at("1ep"), SETTINGS), DATA, SETTINGS, until=4, order_seed=0)
    assert same_bits(copy.model, whole.model)


@pytest.mark.parametrize("pruned", [False, True])
def test_the_state_is_left_as_it_is(pruned: bool) -> None:
    state = at("1ep", pruned=pruned)
    before, around = bits(state), surroundings()
    analysed(state)
    assert (bits(state), surroundings(), state.consumed) == (before, around, False)
    expected = train(at("1ep", pruned=pruned), DATA, SETTINGS, until=4)
    assert bits(train(state, DATA, SETTINGS, until=4)) == bits(expected)


def test_at_the_end_nothing_is_left_to_differ() -> None:
    found = analysed(at("4ep"))
    assert (found.mean("train"), found.stable) == (0.0, True)
    assert analysed(at("4ep"), after="replay").pairs[0].distances["train"].l2 > 0


def test_more_copies_are_compared_two_by_two() -> None:
    found = analysed(at("1ep", LENET), order_seeds=(1, 2, 3), parts=("train",))
    assert [pair.seeds for pair in found.pairs] == [(1, 2), (1, 3), (2, 3)]
    each = [pair.barriers["train"].instability for pair in found.pairs]
    assert found.mean() == pytest.approx(sum(each) / 3)
    assert found.pairs[1] == analysed(at("1ep", LENET), order_seeds=(1, 3), parts=("train",)).pairs[0]


def test_throughout_training_it_is_the_same_at_each_moment() -> None:
    state = at("1ep", LENET)
    found = list(throughout(state, DATA, SETTINGS, moments=["1ep", "7it", 4], points=5))
    assert [str(each.end) for each in found] == ["1ep", "2ep1it", "4ep"]
    assert found[0].mean() == 0.0
    for each in found:
        assert each == analysed(state, until=each.end)
    with pytest.raises(TrainingError, match="in order of time"):
        list(throughout(state, DATA, SETTINGS, moments=[4, 2]))


def test_test_data_have_no_say() -> None:
    state = at("1ep", LENET)
    other = replace(DATA, validation=images(30, 77), test=images(30, 78))
    one, two = (instability(state, data, SETTINGS, points=5) for data in (DATA, other))
    assert one.pairs[0].barriers["train"] == two.pairs[0].barriers["train"]
    assert one.stable == two.stable
    only_train = analysed(state, parts=("train",))
    with pytest.raises(TrainingError, match="not compared on 'test' data: name it in parts="):
        only_train.mean("test")


def test_a_copy_that_diverges_is_said_and_left_out() -> None:
    wild = TrainSettings(epochs=4, batch_size=16, lr=1e30)
    found = instability(begin(LENET, DATA, wild, init_seed=1), DATA, wild)
    assert (found.diverged, found.pairs, found.mean("train"), found.stable) == ((1, 2), (), None, None)


def test_what_the_last_step_broke_is_left_out() -> None:
    """No training loss was there to show it: the weights do."""
    copies = [at("1ep", LENET) for _ in range(3)]
    with torch.no_grad():
        next(copies[1].model.parameters()).flatten()[0] = torch.inf
    start = copies[0].moment
    found = compare_copies(copies, (7, 8, 9), DATA, start=start, end=start, points=3)
    assert (found.diverged, [pair.seeds for pair in found.pairs]) == ((8,), [(7, 9)])


def test_what_cannot_be_analysed_is_refused() -> None:
    state = at("1ep")
    with pytest.raises(TrainingError, match="two copies at least are compared, got 1"):
        analysed(state, order_seeds=(1,))
    with pytest.raises(TrainingError, match="cannot train until 0ep2it"):
        analysed(state, until="2it")
    with pytest.raises(TrainingError, match="the state diverged at 1ep"):
        analysed(replace(state, diverged=state.moment))
    taken = at("1ep")
    taken.take()
    with pytest.raises(TrainingError, match="already consumed"):
        analysed(taken)


def test_the_mean_is_that_of_the_pairs() -> None:
    barriers = [
        error_barrier(at("0ep").model, at("0ep"), at(end), DATA.task, DATA.train, points=3) for end in ("1ep", "2ep")
    ]
    pairs = tuple(Pair((0, place), {"train": barrier}, {}) for place, barrier in enumerate(barriers))
    found = Instability(Moment(0, 3), Moment(3, 3), pairs)
    assert found.mean() == pytest.approx(math.fsum(barrier.instability for barrier in barriers) / 2)
