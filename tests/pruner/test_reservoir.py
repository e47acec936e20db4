"""The examples that are measured on: a uniform sample, by host randomness alone, in a fixed order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from secateurs.core import Batch, Examples
from secateurs.pruner.clock import Clock
from secateurs.pruner.measuring import Measuring, Sampling
from secateurs.pruner.reservoir import Reservoir, sample
from secateurs.zoo import Classification
from toys import Fixed

MODEL = nn.Linear(1, 1)


def stream(count: int) -> Batch:
    numbers = torch.arange(count)
    return Batch(numbers.float()[:, None], numbers % 3)


def shown(count: int, sizes: list[int], capacity: int, seed: int = 0) -> Reservoir:
    reservoir, all_of_them, first = Reservoir(capacity, seed, MODEL), stream(count), 0
    for size in [*sizes, count]:
        batch = Batch(*(part[first : first + size] for part in all_of_them))
        if len(batch.targets):
            reservoir.add(batch)
        first += size
    return reservoir


def held(reservoir: Reservoir) -> Tensor:
    return torch.cat([batch.inputs.flatten() for batch in reservoir.batches(7)]).long()


@given(st.integers(1, 60), st.lists(st.integers(1, 20), max_size=5), st.integers(1, 40), st.integers(0, 5))
def test_a_sample_without_replacement_whatever_the_batches(count: int, sizes: list[int], room: int, seed: int) -> None:
    reservoir = shown(count, sizes, room, seed)
    found = held(reservoir)
    assert isinstance(reservoir, Examples)
    assert len(reservoir) == len(found) == len(set(found.tolist())) == min(count, room)
    assert all(torch.equal(b.targets, b.inputs.flatten().long() % 3) for b in reservoir.batches(4, limit=9))
    assert torch.equal(torch.cat([b.inputs for b in reservoir.batches(3, limit=9)]).flatten().long(), found[:9])
    assert torch.equal(held(reservoir), found)


def test_every_example_is_as_likely_as_another() -> None:
    runs, count, room = 2000, 20, 5
    drawn = Counter(number for seed in range(runs) for number in held(shown(count, [7, 6], room, seed)).tolist())
    expected = runs * room / count
    statistic = sum((drawn[number] - expected) ** 2 / expected for number in range(count))
    assert statistic < 55  # chi squared of 19 degrees of freedom: beyond in 2 of 100,000 cases


def test_the_copies_are_its_own_and_the_global_random_state_is_not_used() -> None:
    reservoir, batch, state = Reservoir(4, 0, MODEL), stream(9), torch.get_rng_state()
    reservoir.add(batch)
    before = held(reservoir)
    batch.inputs.zero_()
    assert torch.equal(held(reservoir), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_balanced_over_classes_where_there_are_any() -> None:
    reservoir = shown(60, [], 60)
    (batch,) = reservoir.balanced(4)
    assert batch.targets.bincount().tolist() == [4, 4, 4]
    rare = Reservoir(60, 0, MODEL)
    rare.add(Batch(torch.arange(41.0)[:, None], torch.tensor([0] * 40 + [5])))
    assert rare.balanced(10)[0].targets.bincount().tolist() == [10, 0, 0, 0, 0, 1]
    regression = Reservoir(300, 0, MODEL)
    regression.add(Batch(torch.randn(200, 1), torch.randn(200, 1)))
    assert [len(part.targets) for part in regression.balanced(10)] == [128, 72]


def test_data_given_for_it() -> None:
    everything = Fixed(*stream(600))
    reservoir = sample(everything, 64, 0, MODEL)
    assert not reservoir.open
    assert len(reservoir) == 64
    assert held(reservoir).max() > 300  # of all of it, not of its beginning
    loader = (pair for pair in [(*stream(50),), (*stream(50),), (*stream(10),)])
    assert len(sample(loader, 64, 0, MODEL)) == 64
    assert len(next(loader)[1]) == 10  # no more batches than it needs


def test_a_loader_that_shuffles_gives_the_same_examples_whatever_was_drawn_before() -> None:
    loader = DataLoader(TensorDataset(*stream(90)), batch_size=16, shuffle=True)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        measuring = Measuring(MODEL, Classification(3), [], Sampling(True, loader, 30, seed=0))
        assert torch.equal(torch.get_rng_state(), before)
        found.append(measuring.to_score(10)[0].inputs)
    assert torch.equal(*found)


@pytest.mark.parametrize("lengths", [(3, 3, 3), (3, 2, 5), (2, 6, 1)])
def test_epochs_are_whole_whatever_their_length(lengths: tuple[int, ...]) -> None:
    clock, moments = Clock(), []
    for number, length in enumerate(lengths, 1):
        for _ in range(length):
            clock.step()
            moments.append(clock.now)
        end = clock.end_epoch()
        assert (end.epoch, end.step, end.steps_per_epoch) == (number, 0, lengths[0])
        assert clock.now == end
    assert clock.steps == sum(lengths)
    later = moments[lengths[0] :]
    assert all(a <= b for a, b in pairwise(later))
    copy = Clock()
    copy.restore(clock.state())
    assert vars(copy) == vars(clock)
