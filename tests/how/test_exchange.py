"""Exchanging kept entries for others: exactly so many, exactly which."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from secateurs.core import PruningError, generator_for
from secateurs.how import Mask, best_in_layers, best_overall, exchange, survivors, union


def layers(seed: int, *, ties: bool) -> tuple[Mask, dict[str, Tensor], dict[str, Tensor]]:
    """A mask of two layers, one of them nearly full, and two kinds of scores; with ``ties`` of a few values."""
    draw = generator_for("exchange", seed)
    shapes = {"a": (3, 5), "b": (2, 2, 3)}
    kept = {name: torch.rand(shape, generator=draw) < (0.5 if name == "a" else 0.9) for name, shape in shapes.items()}
    kept["a"].view(-1)[0] = True
    scores = [
        {name: torch.rand(shape, generator=draw).mul(4).floor() if ties else torch.rand(shape, generator=draw)
         for name, shape in shapes.items()}
        for _ in range(2)
    ]  # fmt: skip
    return Mask(kept), scores[0], scores[1]


def best(places: list[int], score: list[float], count: int) -> set[int]:
    """The slow way: sorted by score, equal ones by place."""
    return set(sorted(places, key=lambda place: (-score[place], place))[:count])


@given(st.integers(0, 200), st.floats(0, 1), st.booleans())
def test_it_is_what_one_would_do_by_hand(seed: int, fraction: float, ties: bool) -> None:
    mask, worth, growth = layers(seed, ties=ties)
    after = exchange(mask, worth, growth, fraction)
    assert list(after) == list(mask)
    for name in mask:
        flat = mask[name].flatten().tolist()
        kept = [place for place, each in enumerate(flat) if each]
        dropped = survivors(fraction, len(kept))
        stay = best(kept, worth[name].flatten().tolist(), len(kept) - dropped)
        others = [place for place in range(len(flat)) if place not in stay]
        grown = best(others, growth[name].flatten().tolist(), dropped)
        assert set(after[name].flatten().nonzero().flatten().tolist()) == stay | grown
        assert int(after[name].sum()) == len(kept)


def test_too_many_are_refused() -> None:
    scores, among = {"a": torch.ones(3)}, {"a": torch.tensor([True, False, True])}
    assert best_in_layers(scores, {"a": 2}, among) == Mask(among)
    with pytest.raises(PruningError, match="'a': 3 entries are to be chosen among 2"):
        best_in_layers(scores, {"a": 3}, among)
    with pytest.raises(PruningError, match=r"between 0 and 1, got 1.5"):
        exchange(among, scores, scores, 1.5)
    assert union(Mask(among), Mask(among)) == Mask(among)


@given(st.integers(0, 200), st.floats(0, 1), st.booleans())
def test_the_best_of_all_layers_are_those_of_one_long_layer(seed: int, share: float, ties: bool) -> None:
    mask, scores, _ = layers(seed, ties=ties)
    count = survivors(share, mask.kept)
    flat = [place for place, each in enumerate(torch.cat([mask[name].flatten() for name in mask]).tolist()) if each]
    score = torch.cat([scores[name].flatten() for name in mask]).tolist()
    chosen = best_overall(scores, count, mask)
    assert list(chosen) == list(scores)
    found = torch.cat([chosen[name].flatten() for name in mask]).nonzero().flatten().tolist()
    assert set(found) == best(flat, score, count)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_scores_that_may_be_chosen_are_finite(bad: float) -> None:
    """Others are not looked at: what is not kept has no magnitude that counts."""
    among, scores = {"a": torch.tensor([True, False, True])}, {"a": torch.tensor([1.0, bad, 2.0])}
    assert best_in_layers(scores, {"a": 1}, among)["a"].tolist() == [False, False, True]
    assert best_overall(scores, 1, among)["a"].tolist() == [False, False, True]
    for count in (0, 1, 2):
        with pytest.raises(PruningError, match="scores of 'a' are not all finite real numbers"):
            best_in_layers(scores, {"a": count}, {"a": torch.tensor([True, True, False])})
        with pytest.raises(PruningError, match="scores of 'a' are not all finite real numbers"):
            best_overall(scores, count, {"a": torch.tensor([True, True, False])})
    fine = {"a": torch.ones(3)}
    with pytest.raises(PruningError, match="scores of 'a' are not all finite"):
        exchange({"a": torch.tensor([True, True, False])}, scores, fine, 0.5)
    with pytest.raises(PruningError, match="scores of 'a' are not all finite"):
        exchange(among, fine, scores, 0.5)
    assert exchange(among, scores, fine, 0.5) == Mask({"a": torch.tensor([True, False, True])})
    with pytest.raises(PruningError, match="the network: 3 entries are to be chosen among 2"):
        best_overall(fine, 3, among)
