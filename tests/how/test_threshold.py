"""The highest of many scores by sample and bracket, however the work is cut up, against a stable sort."""

from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from secateurs.core import PruningError, generator_for
from secateurs.how import keep_top, threshold
from secateurs.how.pool import Pool, Sizes
from secateurs.how.threshold import highest

TINY = Sizes(small=3, sample=200, sparse=4, chunk=64, device_chunk=96)
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int8, torch.bool]
BACKENDS = st.sampled_from([np, torch])


def draws(sizes: list[int], seed: int, dtype: torch.dtype, levels: int) -> list[Tensor]:
    """Normal scores, or few distinct ones; magnitudes over many decades in the last layer."""
    generator = generator_for("scores", seed)
    layers = []
    for place, size in enumerate(sizes):
        values = torch.randn(size, generator=generator, dtype=torch.float64) * (100 if place % 2 else 1)
        if levels:
            values = values.clamp(-levels, levels).round()
        layers.append((values > 0) if dtype == torch.bool else values.to(dtype))
    return layers


def oracle(scores: list[Tensor], alive: list[Tensor | None], count: int) -> list[Tensor]:
    """A stable sort of everything, first places first."""
    wide = [s.flatten().double() if s.is_floating_point() else s.flatten().long() for s in scores]
    flat = torch.cat(wide)
    living = torch.cat(
        [
            torch.ones(s.numel(), dtype=torch.bool) if a is None else a.flatten()
            for s, a in zip(scores, alive, strict=True)
        ]
    )
    places = living.nonzero().flatten()
    order = flat[places].sort(descending=True, stable=True).indices
    flags = torch.zeros(len(flat), dtype=torch.bool)
    flags[places[order[:count]]] = True
    return list(flags.split([s.numel() for s in scores]))


def same(found: list[Tensor], expected: list[Tensor]) -> bool:
    return len(found) == len(expected) and all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def using(backend: ModuleType) -> "mock._patch[property]":
    """What is done on other devices is done on a CPU."""
    return mock.patch.object(Pool, "arrays", property(lambda self: backend))


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=4),
    st.integers(0, 2**16),
    st.sampled_from(DTYPES),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([0.0, 0.001, 0.01, 0.3, 0.5, 0.97, 0.999, 1.0]),
    st.sampled_from([None, 0.02, 0.2, 0.9]),
    BACKENDS,
)
@settings(max_examples=200)
def test_it_is_the_stable_sort(
    sizes: list[int],
    seed: int,
    dtype: torch.dtype,
    levels: int,
    density: float,
    living: float | None,
    backend: ModuleType,
) -> None:
    scores = draws(sizes, seed, dtype, levels)
    generator = generator_for("alive", seed)
    alive = [None if living is None else torch.rand(len(s), generator=generator) < living for s in scores]
    pool = Pool(scores, alive, TINY)
    with using(backend):
        for count in {
            int(density * pool.living),
            -(-int(density * pool.living) // 2),
            min(1, pool.living),
            pool.living,
        }:
            assert same(highest(pool, count), oracle(scores, alive, count))


@given(st.integers(0, 2**16), st.sampled_from([1, 7, 100, 49_999, 99_000]), st.booleans(), BACKENDS)
@settings(max_examples=20)
def test_the_usual_sizes(seed: int, count: int, ties: bool, backend: ModuleType) -> None:
    scores = draws([60_000, 39_000, 1_000], seed, torch.float32, 0)
    scores = [s.mul(50).round() for s in scores] if ties else scores
    with using(backend):
        assert same(highest(Pool(scores, [None] * 3, Sizes(small=1000)), count), oracle(scores, [None] * 3, count))


@pytest.mark.parametrize("backend", [np, torch])
@pytest.mark.parametrize("bracket", [(-9.0, -8.0), (8.0, 9.0), (0.5, 0.5), (0.0, 9.0), (-9.0, 0.0), (9.0, -9.0)])
def test_a_bracket_that_misleads_changes_nothing(bracket: tuple[float, float], backend: ModuleType) -> None:
    scores = draws([500, 400], 1, torch.float32, 0)
    scores[0][:90] = 0.5
    expected = {count: oracle(scores, [None] * 2, count) for count in (1, 200, 300, 450, 899)}
    with using(backend), mock.patch.object(threshold, "_bracket", return_value=bracket):
        for count, flags in expected.items():
            assert same(highest(Pool(scores, [None] * 2, TINY), count), flags)


@pytest.mark.parametrize("count", [10, 90_000, 100_000, 150_000, 250_000])
def test_scores_that_tie_by_the_thousands_are_counted_and_not_collected(count: int) -> None:
    scores = draws([200_000, 100_000], 1, torch.float32, 1)
    ranked: list[int] = []
    rank = threshold._kth

    def watched(xp: ModuleType, values: np.ndarray, count: int) -> threshold.Threshold:
        ranked.append(len(values))
        return rank(xp, values, count)

    with mock.patch.object(threshold, "_kth", watched):
        assert same(highest(Pool(scores, [None] * 2), count), oracle(scores, [None] * 2, count))
    assert sum(ranked) == 0


@pytest.mark.parametrize("arrangement", ["sorted", "reversed", "periodic", "one layer high"])
def test_no_arrangement_of_the_scores_matters(arrangement: str) -> None:
    values = torch.randn(200_000, generator=generator_for("arranged"))
    if arrangement in ("sorted", "reversed"):
        values = values.sort(descending=arrangement == "reversed").values
    elif arrangement == "periodic":
        values = values.sort().values.reshape(1000, 200).T.flatten()
    scores = [values[:150_000], values[150_000:] + 10 * (arrangement == "one layer high")]
    alive: list[Tensor | None] = [None, torch.arange(50_000) % 3 > 0]
    for count in (3, 1_000, 33_333, 90_000, 183_332):
        assert same(highest(Pool(scores, alive), count), oracle(scores, alive, count))


def test_it_follows_from_the_scores_alone() -> None:
    scores = draws([150_000], 0, torch.float32, 0)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = highest(Pool(scores, [None]), 1_000)
        assert torch.equal(torch.get_rng_state(), before)
    assert same(highest(Pool(scores, [None]), 1_000), first)


def test_scores_that_lie_in_memory_in_another_order() -> None:
    wide = torch.randn(8, 64, 20, 20, generator=generator_for("layout"))
    last = wide.to(memory_format=torch.channels_last)
    every_other = torch.stack([wide, wide], dim=-1)[..., 0]
    expected = keep_top({"a": wide}, 0.1)
    assert keep_top({"a": last}, 0.1) == keep_top({"a": every_other}, 0.1) == expected


def test_large_whole_numbers_are_told_apart() -> None:
    near = torch.tensor([2**62, 2**62 + 1, -(2**63), 2**63 - 1])
    assert keep_top({"a": near}, 0.5)["a"].tolist() == [False, True, False, True]
    many = torch.full((300_000,), 2**62)
    many[5::7] += 1
    assert keep_top({"a": many}, 0.1)["a"].nonzero().flatten().tolist() == list(range(5, 5 + 7 * 30_000, 7))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_score_of_many_that_is_not_finite(dtype: torch.dtype, value: float) -> None:
    scores = {"a": torch.zeros(10), "b": torch.full((300_000,), 60_000, dtype=dtype)}
    assert keep_top(scores, 0.5).kept == 150_005
    scores["b"][123_456] = value
    with pytest.raises(PruningError, match="scores of 'b' are not all finite"):
        keep_top(scores, 0.5)


def test_mixed_dtypes_beside_each_other() -> None:
    generator = generator_for("mixed")
    fine = torch.rand(150_000, generator=generator, dtype=torch.float64)
    scores = [fine, fine.to(torch.float16), fine.to(torch.bfloat16), (fine * 2).long()]
    for count in (10, 100_000, 300_000, 599_999):
        assert same(highest(Pool(scores, [None] * 4), count), oracle([s.double() for s in scores], [None] * 4, count))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("deterministic", [False, True])
def test_on_a_gpu_as_on_a_cpu(deterministic: bool) -> None:
    scores = {f"l{i}": s for i, s in enumerate(draws([400_000, 90_000], 1, torch.float32, 0))}
    within = keep_top(scores, 0.5)
    there = {name: score.cuda() for name, score in scores.items()}
    torch.use_deterministic_algorithms(deterministic)
    try:
        assert keep_top(there, 0.1) == keep_top(scores, 0.1)
        assert keep_top(there, 0.1, within=within) == keep_top(scores, 0.1, within=within)
    finally:
        torch.use_deterministic_algorithms(False)
