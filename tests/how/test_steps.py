"""A mask in several steps is what keep_top gives, step by step."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from secateurs.core import PruningError, Scores, generator_for
from secateurs.how import Mask, keep_in_steps, keep_top

SIZES = {"a": (3, 4), "b": (5,), "c": (2, 2, 2)}
SCHEDULES = st.lists(st.integers(1, 100), min_size=1, max_size=6).map(
    lambda percents: [percent / 100 for percent in sorted(percents, reverse=True)]
)
SCOPES = st.sampled_from(["global", "layer", {"a": 0.5, "b": 0.2, "c": 1.0}])


def drawn(mask: Mask | None, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Other scores under every mask, with ties."""
    source = generator_for("scores", seed, 0 if mask is None else mask.kept)
    return {name: torch.randint(-3, 4, size, generator=source).to(dtype) for name, size in SIZES.items()}


@given(densities=SCHEDULES, scope=SCOPES, seed=st.integers(0, 2**16), invert=st.booleans(), whole=st.booleans())
def test_each_step_keeps_the_top_of_what_is_left(
    densities: list[float], scope: str | Mapping[str, float], seed: int, invert: bool, whole: bool
) -> None:
    dtype, sign = torch.int64 if whole else torch.float32, -1 if invert else 1
    expected: Mask | None = None
    for density in densities:
        scores = {name: sign * each for name, each in drawn(expected, seed, dtype).items()}
        expected = keep_top(scores, density, scope=scope, within=expected)
    assert keep_in_steps(lambda mask: drawn(mask, seed, dtype), densities, scope=scope, invert=invert) == expected


def test_a_step_that_would_drop_nothing_is_not_scored() -> None:
    seen: list[int] = []

    def scored(mask: Mask | None) -> Scores:
        seen.append(-1 if mask is None else mask.kept)
        return drawn(mask, 1)

    for scope in ("global", "layer", "erk"):
        keep_in_steps(scored, (1.0, 1.0, 0.52, 0.5, 0.1), scope=scope)
        assert seen == [-1, 25, 13]
        seen.clear()
    keep_in_steps(scored, (0.5, 0.1), scope={"a": 0.5, "b": 0.2, "c": 1.0})  # these alone decide
    assert seen == [-1]


def test_what_was_dropped_comes_back_only_where_it_may_revive() -> None:
    def scored(mask: Mask | None) -> Scores:
        return {"a": torch.tensor([1.0, 2.0, 3.0, 4.0]) * (1 if mask is None else -1)}

    assert keep_in_steps(scored, (0.5, 0.25))["a"].tolist() == [False, False, True, False]
    assert keep_in_steps(scored, (0.5, 0.25), revive=True)["a"].tolist() == [True, False, False, False]
    assert keep_in_steps(scored, (0.5, 0.5), revive=True)["a"].tolist() == [True, True, False, False]


def test_the_lowest_whole_number_is_the_highest_when_inverted() -> None:
    lowest = torch.iinfo(torch.int8).min
    scores = {"a": torch.tensor([lowest, 0, 5], dtype=torch.int8)}
    assert keep_in_steps(lambda mask: scores, (1 / 3,), invert=True)["a"].tolist() == [True, False, False]


@pytest.mark.parametrize("invert", [True, False])
def test_old_scores_are_gone_when_the_next_are_made(invert: bool) -> None:
    alive: list[weakref.ref[Tensor]] = []

    def scored(mask: Mask | None) -> Scores:
        gc.collect()
        assert not any(each() is not None for each in alive)
        scores = drawn(mask, 1)
        alive.extend(weakref.ref(each) for each in scores.values())
        return scores

    keep_in_steps(scored, (0.9, 0.5, 0.1), invert=invert)
    assert len(alive) == 3 * len(SIZES)


def test_a_schedule_that_cannot_be() -> None:
    with pytest.raises(PruningError, match="keep_in_steps: there are no densities"):
        keep_in_steps(lambda mask: drawn(mask, 1), ())
    with pytest.raises(PruningError, match="densities can only fall from step to step"):
        keep_in_steps(lambda mask: drawn(mask, 1), (0.2, 0.4))
