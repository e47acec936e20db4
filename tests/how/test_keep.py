"""Exactly so many survive, and exactly which, against sorting in plain Python."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from secateurs.core import PruningError, generator_for
from secateurs.how import Mask, keep_top

LAYERS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=1, max_size=5)
DENSITIES = st.integers(1, 100).map(lambda percent: percent / 100)
DTYPES = st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64])
SEEDS = st.integers(0, 2**16)


def some_scores(shapes: list[list[int]], seed: int, dtype: torch.dtype, levels: int) -> dict[str, Tensor]:
    """Few distinct values, negative ones among them, so that ties are everywhere."""
    generator = generator_for("scores", seed)
    draws = [torch.randint(-levels, levels + 1, shape, generator=generator) for shape in shapes]
    return {**{f"l{i}": draw.to(dtype) for i, draw in enumerate(draws)}, "end": torch.zeros(2, dtype=dtype)}


def count(density: float, total: int) -> int:
    return int((Decimal(str(density)) * total).to_integral_value(ROUND_HALF_UP))


def oracle(scores: Mapping[str, Tensor], kept: int, alive: Mapping[str, Tensor] | None = None) -> Mask:
    """Sort all entries by (score descending, position) and keep the first ``kept``."""
    entries = [
        (-value, layer, place, name)
        for layer, (name, score) in enumerate(scores.items())
        for place, value in enumerate(score.flatten().tolist())
        if alive is None or bool(alive[name].flatten()[place])
    ]
    flags = {name: torch.zeros(score.numel(), dtype=torch.bool) for name, score in scores.items()}
    for _, _, place, name in sorted(entries)[:kept]:
        flags[name][place] = True
    return Mask({name: flag.reshape(scores[name].shape) for name, flag in flags.items()})


@given(LAYERS, SEEDS, DTYPES, st.sampled_from([0, 1, 100]), DENSITIES)
def test_global_scope(shapes: list[list[int]], seed: int, dtype: torch.dtype, levels: int, density: float) -> None:
    scores = some_scores(shapes, seed, dtype, levels)
    mask = keep_top(scores, density)
    assert mask.kept == count(density, mask.total)
    assert mask == oracle(scores, mask.kept)
    assert list(mask) == list(scores)


@given(LAYERS, SEEDS, DTYPES, DENSITIES)
def test_layer_scope(shapes: list[list[int]], seed: int, dtype: torch.dtype, density: float) -> None:
    scores = some_scores(shapes, seed, dtype, levels=2)
    mask = keep_top(scores, density, scope="layer")
    given_densities = keep_top(scores, 1.0, scope=dict.fromkeys(scores, density))
    for name, score in scores.items():
        if score.numel():
            assert Mask({name: mask[name]}) == oracle({name: score}, count(density, score.numel()))
    assert given_densities == mask


@given(LAYERS, SEEDS, DENSITIES)
def test_erk_scope(shapes: list[list[int]], seed: int, density: float) -> None:
    scores = some_scores(shapes, seed, torch.float64, levels=3)
    mask = keep_top(scores, density, scope="erk")
    total = count(density, mask.total)
    assert mask.kept == total
    # By bisection on the scale: every layer takes its share, but no more than it has.
    sizes = {name: score.numel() for name, score in scores.items()}
    low, high = 0.0, float(mask.total)
    for _ in range(200):
        scale = (low + high) / 2
        filled = sum(min(size, scale * sum(scores[name].shape)) for name, size in sizes.items())
        low, high = (low, scale) if filled > total else (scale, high)
    for name, size in sizes.items():
        assert abs(int(mask[name].sum()) - min(size, low * sum(scores[name].shape))) < 1 + 1e-6
        if size:
            assert Mask({name: mask[name]}) == oracle({name: scores[name]}, int(mask[name].sum()))


@given(LAYERS, SEEDS, st.integers(2, 40))
def test_erk_goes_down_step_by_step(shapes: list[list[int]], seed: int, steps: int) -> None:
    """From step to step a layer's share can grow by one in rounding: it then keeps what it has."""
    scores, mask = some_scores(shapes, seed, torch.float64, levels=3), None
    for step in range(steps, 0, -1):
        before, mask = mask, keep_top(scores, step / steps, scope="erk", within=mask)
        assert mask.kept == count(step / steps, mask.total)
        assert before is None or before & mask == mask
        free = keep_top(scores, step / steps, scope="erk")
        assert all(abs(int(mask[name].sum()) - int(free[name].sum())) <= 1 for name in mask)


def test_erk_by_hand() -> None:
    # 100 of 307 entries in the proportions 4 : 40 : 4. The shares 8.3 and 8.3 of the small ones are
    # more than their 3 and 4 entries: they are full, and the other layer takes the rest.
    scores = {"small": torch.rand(3, 1), "large": torch.rand(30, 10), "vector": torch.rand(4)}
    mask = keep_top(scores, 100 / 307, scope="erk")
    assert mask.kept == 100
    assert mask.layer_densities() == {"small": 1.0, "large": 93 / 300, "vector": 1.0}


@given(LAYERS, SEEDS, SEEDS, st.integers(0, 50), st.integers(51, 100))
def test_within_a_mask(shapes: list[list[int]], seed: int, other: int, low: int, high: int) -> None:
    before = keep_top(some_scores(shapes, other, torch.float32, levels=3), high / 100)
    scores = some_scores(shapes, seed, torch.float32, levels=1)
    density = max(low, 1) / 100
    mask = keep_top(scores, density, within=before)
    assert mask == oracle(scores, count(density, mask.total), before)
    assert mask & before == mask


@given(LAYERS, SEEDS, DTYPES, st.integers(1, 100))
def test_layer_scope_within_a_mask(shapes: list[list[int]], seed: int, dtype: torch.dtype, percent: int) -> None:
    before = keep_top(some_scores(shapes, seed + 1, torch.float32, levels=3), 0.7, scope="layer")
    scores = some_scores(shapes, seed, dtype, levels=1)
    mask = keep_top(scores, 0.7 * percent / 100, scope="layer", within=dict(before))
    assert mask & before == mask
    for name, score in scores.items():
        if score.numel():
            expected = oracle({name: score}, int(mask[name].sum()), {name: before[name]})
            assert Mask({name: mask[name]}) == expected
    assert list(mask) == list(scores)


def test_what_becomes_of_scores_and_flags_does_not_reach_the_mask() -> None:
    scores, within = {"a": torch.rand(50)}, {"a": torch.ones(50, dtype=torch.bool)}
    for density in (0.02, 0.5, 1.0):
        mask = keep_top(scores, density, within=within)
        digest, again = mask.digest, Mask(mask)
        scores["a"].neg_()
        within["a"].zero_()
        assert mask == again
        assert Mask(dict(mask)).digest == digest
        within["a"].fill_(True)


def test_dropped_entries_stay_out_even_with_the_highest_score() -> None:
    scores = {"a": torch.tensor([9.0, 1.0, 2.0, 3.0])}
    mask = keep_top(scores, 0.5, within={"a": torch.tensor([0, 1, 1, 1])})
    assert mask["a"].tolist() == [False, False, True, True]
    layerwise = keep_top(scores, 0.5, scope="layer", within=Mask({"a": torch.tensor([0, 1, 1, 1])}))
    assert layerwise == mask


def test_neighbouring_float64_scores_are_told_apart() -> None:
    near = torch.tensor([1.0, 1.0], dtype=torch.float64)
    near[1] = torch.nextafter(near[1], torch.tensor(2.0, dtype=torch.float64))
    assert keep_top({"a": near}, 0.5)["a"].tolist() == [False, True]
    mixed = {"half": torch.tensor([1.0], dtype=torch.float16), "double": near[1:]}
    assert keep_top(mixed, 0.5).layer_densities() == {"half": 0.0, "double": 1.0}
    large = {"float": torch.tensor([2.0**24]), "int": torch.tensor([2**24 + 1])}
    assert keep_top(large, 0.5).layer_densities() == {"float": 0.0, "int": 1.0}


def test_scores_are_left_as_they_are() -> None:
    scores = {"a": torch.tensor([3.0, -1.0, 2.0], requires_grad=True)}
    keep_top(scores, 0.4)
    assert scores["a"].tolist() == [3.0, -1.0, 2.0]
    assert scores["a"].grad is None


def test_pruning_the_top_is_keeping_the_top_of_the_negated_scores() -> None:
    scores = {"a": torch.tensor([3.0, 1.0, 2.0])}
    assert keep_top({"a": -scores["a"]}, 0.4)["a"].tolist() == [False, True, False]


def test_random_masks_in_the_proportions_of_a_ticket() -> None:
    ticket = keep_top({"a": torch.rand(7, 11), "b": torch.rand(13, 3)}, 0.3)
    generator = generator_for("random", 0)
    draws = {name: torch.rand(flags.shape, generator=generator) for name, flags in ticket.items()}
    assert keep_top(draws, 0.3, scope=ticket.layer_densities()).layer_densities() == ticket.layer_densities()


def test_a_density_that_rounds_to_nothing_leaves_nothing() -> None:
    mask = keep_top({"a": torch.rand(4)}, 0.1)
    assert mask.kept == 0
    assert mask.empty_layers() == ("a",)


SCORES = {"a": torch.rand(4), "b": torch.rand(2, 3)}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_refused_by_name(value: float) -> None:
    with pytest.raises(PruningError, match=r"scores of 'b' are not all finite"):
        keep_top({**SCORES, "b": torch.tensor([1.0, value])}, 0.5)


@pytest.mark.parametrize("density", [0.0, -0.5, 1.01, float("nan")])
def test_densities_outside_are_refused(density: float) -> None:
    with pytest.raises(PruningError, match="above 0 and at most 1"):
        keep_top(SCORES, density)


def test_other_wrong_arguments() -> None:
    with pytest.raises(PruningError, match="did you mean 'global'"):
        keep_top(SCORES, 0.5, scope="globl")
    with pytest.raises(PruningError, match="'b' is in only one of scores and densities"):
        keep_top(SCORES, 0.5, scope={"a": 0.5})
    with pytest.raises(PruningError, match="between 0 and 1"):
        keep_top(SCORES, 0.5, scope={"a": 0.5, "b": 2.0})
    with pytest.raises(PruningError, match="there are no scores"):
        keep_top({}, 0.5)
    with pytest.raises(PruningError, match="'b' is in only one of scores and within"):
        keep_top(SCORES, 0.5, within={"a": torch.ones(4)})
    with pytest.raises(PruningError, match=r"'b' has scores of shape \(2, 3\), but shape \(6,\)"):
        keep_top(SCORES, 0.5, within={"a": torch.ones(4), "b": torch.ones(6)})


def test_more_than_is_alive_is_refused() -> None:
    within = Mask({"a": torch.tensor([1, 0, 0, 0]), "b": torch.ones(2, 3)})
    with pytest.raises(PruningError, match="8 entries of the network are to be kept, but only 7 are alive"):
        keep_top(SCORES, 0.8, within=within)
    with pytest.raises(PruningError, match="2 entries of 'a' are to be kept, but only 1 are alive"):
        keep_top(SCORES, 0.5, scope="layer", within=within)
