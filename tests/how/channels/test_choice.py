"""Exactly which units stay: against a slow greedy oracle, over counts, scopes, minima and multiples."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from channel_nets import STRUCTURES, structure
from secateurs.core import Group, Keep, PruningError, prunable
from secateurs.how import channel_groups, keep_density, keep_top_channels, remove_channels

GROUPS = {name: channel_groups(*structure(name)) for name in ("dense net", "option A", "mlp", "res next", "transposed")}


def scores_of(groups: tuple[Group, ...], seed: int = 0, levels: int = 1000) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {group.name: torch.randint(levels, (group.units,), generator=generator).float() for group in groups}


def weights_left(name: str, keep: Keep) -> int:
    """By cutting a model and counting."""
    small = remove_channels(structure(name)[0], keep)
    return sum(weight.numel() for weight in prunable(small).values())


def fits(groups: tuple[Group, ...], keep: Keep, minimum: float) -> bool:
    return all(
        sum(len(places) for places, kept in zip(m.index, keep[g.name].tolist(), strict=True) if kept)
        >= min(math.ceil(minimum * sum(map(len, m.index))) if minimum < 1 else minimum, sum(map(len, m.index)))
        for g in groups
        for m in g.members
        if m.role == "output"
    )


def greedy(name: str, scores: dict[str, Tensor], density: float, minimum: float) -> Keep | None:
    """One unit after another, and all counted anew each time."""
    groups, target = GROUPS[name], 0
    total = sum(weight.numel() for weight in prunable(structure(name)[0]).values())
    target = math.floor(density * total + 0.5)
    keep = Keep(groups, {})
    order = sorted((float(scores[g.name][u]), i, u) for i, g in enumerate(groups) for u in range(g.units))
    for _, number, unit in order:
        if weights_left(name, keep) <= target:
            return keep
        kept = {group.name: keep[group.name] for group in groups}
        kept[groups[number].name][unit] = False
        if fits(groups, Keep(groups, kept), minimum):
            keep = Keep(groups, kept)
    return keep if weights_left(name, keep) <= target else None


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize(
    ("density", "minimum", "levels"), [(0.5, 1, 1000), (0.3, 2, 1000), (0.6, 1, 2), (0.02, 1, 1000), (0.35, 0.3, 1000)]
)
def test_weights_are_counted_exactly(name: str, density: float, minimum: float, levels: int) -> None:
    scores = scores_of(GROUPS[name], levels=levels)
    expected = greedy(name, scores, density, minimum)
    if expected is None:
        with pytest.raises(PruningError, match=rf"density {density} cannot be reached.*at least {minimum} left"):
            keep_top_channels(GROUPS[name], scores, density, minimum=minimum)
        return
    keep = keep_top_channels(GROUPS[name], scores, density, minimum=minimum)
    assert keep == expected
    total = sum(weight.numel() for weight in prunable(structure(name)[0]).values())
    assert keep_density(keep) == weights_left(name, keep) / total <= density + 0.5 / total


def test_the_least_density_is_named_and_can_be_reached() -> None:
    scores = scores_of(GROUPS["mlp"])
    with pytest.raises(PruningError, match=r"13 of 122 weights stay, a density of 0\.1066"):
        keep_top_channels(GROUPS["mlp"], scores, 0.01)
    keep = keep_top_channels(GROUPS["mlp"], scores, 0.1066)
    assert [int(kept.sum()) for kept in keep.values()] == [1, 1]


@settings(max_examples=60)
@given(st.floats(0.25, 1.0), st.integers(0, 99), st.sampled_from(sorted(GROUPS)), st.integers(1, 3))
def test_channels_are_counted_exactly(density: float, seed: int, name: str, levels: int) -> None:
    groups = GROUPS[name]
    try:
        keep = keep_top_channels(groups, scores_of(groups, seed, 10**levels), density, counted="channels")
    except PruningError as error:
        assert "cannot be reached" in str(error)  # noqa: PT017
        return
    widths = {m.name: sum(map(len, m.index)) for g in groups for m in g.members if m.role == "output"}
    total = sum(width for layer, width in widths.items() if layer.endswith("weight") or layer == "4.bias")
    assert keep_density(keep, "channels") <= density + 0.5 / total
    assert fits(groups, keep, 1)


def test_ties_fall_by_position() -> None:
    groups = GROUPS["mlp"]
    level = {group.name: torch.zeros(group.units) for group in groups}
    keep = keep_top_channels(groups, level, 11 / 13, counted="channels")
    assert [kept.tolist() for kept in keep.values()] == [[False] * 2 + [True] * 5, [True] * 6]


@pytest.mark.parametrize(("density", "left"), [(0.5, [4, 3]), (0.2, [1, 1]), (0.01, [1, 1]), (1.0, [7, 6])])
def test_the_same_share_of_each_layer(density: float, left: list[int]) -> None:
    groups = GROUPS["mlp"]
    scores = {"0": torch.arange(7.0), "2": 100 + torch.arange(6.0)}
    keep = keep_top_channels(groups, scores, density, counted="channels", scope="layer")
    assert [int(kept.sum()) for kept in keep.values()] == left
    assert all(bool(kept[-number:].all()) for kept, number in zip(keep.values(), left, strict=True))


def test_the_same_share_of_each_layer_to_reach_a_number_of_weights() -> None:
    net = nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 2))
    groups = channel_groups(net, torch.zeros(1, 10))
    scores = {"0": torch.rand(100), "2": 5 + torch.rand(200)}
    keep = keep_top_channels(groups, scores, 0.3, scope="layer")
    shares = [float(kept.float().mean()) for kept in keep.values()]
    assert abs(shares[0] - shares[1]) < 0.011
    assert 0.29 < keep_density(keep) <= 0.3


@pytest.mark.parametrize("multiple", [2, 4])
def test_widths_are_multiples(multiple: int) -> None:
    net = nn.Sequential(
        nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 11), nn.ReLU(), nn.Linear(11, 3), nn.ReLU(), nn.Linear(3, 2)
    )
    groups = channel_groups(net, torch.zeros(1, 5))
    for seed in range(5):
        keep = keep_top_channels(groups, scores_of(groups, seed), 0.4, multiple_of=multiple)
        assert keep_density(keep) <= 0.4
        for kept in keep.values():
            assert bool(kept.all()) or int(kept.sum()) % multiple == 0


def test_a_block_goes_when_its_best_would() -> None:
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    groups = channel_groups(net, torch.zeros(1, 5))
    scores = {"0": torch.tensor([0.0, 9.0, 9.0, 9.0]), "2": torch.tensor([1.0, 2.0, 9.0, 9.0])}
    keep = keep_top_channels(groups, scores, 0.8, counted="channels", multiple_of=2)
    assert [kept.tolist() for kept in keep.values()] == [[True] * 4, [False, False, True, True]]


def test_what_was_dropped_stays_dropped() -> None:
    groups = GROUPS["dense net"]
    first = keep_top_channels(groups, scores_of(groups, 1), 0.7)
    second = keep_top_channels(groups, scores_of(groups, 2), 0.4, within=first)
    assert all(not bool((second[name] & ~first[name]).any()) for name in first)
    assert keep_density(second) <= 0.4


def test_bad_input_is_refused() -> None:
    groups = GROUPS["mlp"]
    scores = scores_of(groups)
    for options, match in [
        ({"density": 0.0}, "density must be in"),
        ({"density": 1.5}, "density must be in"),
        ({"counted": "filters"}, "unknown count 'filters'; choices: channels, weights"),
        ({"scope": "layers"}, "unknown scope 'layers'.*did you mean 'layer'"),
        ({"minimum": 0}, "whole number of channels, or a share"),
        ({"minimum": 1.5}, "whole number of channels, or a share"),
        ({"scores": {"0": scores["0"]}}, "none for group '2'"),
        ({"scores": scores | {"1": scores["0"]}}, "no group '1'"),
        ({"scores": scores | {"0": torch.zeros(3)}}, r"'0': expected shape \[7\], got \[3\]"),
        ({"scores": scores | {"0": torch.full((7,), torch.nan)}}, "not all finite"),
        ({"groups": ()}, "no groups"),
        ({"within": Keep(GROUPS["option A"], {})}, "within: it is of other groups"),
    ]:
        with pytest.raises(PruningError, match=match):
            keep_top_channels(**({"groups": groups, "scores": scores, "density": 0.5} | options))  # type: ignore[arg-type]


def test_groups_left_out_are_kept_whole_but_counted() -> None:
    groups = GROUPS["mlp"]
    keep = keep_top_channels(groups[:1], scores_of(groups[:1]), 0.6)
    assert set(keep) == {"0"}
    assert keep_density(keep) == weights_left("mlp", keep) / (56 + 42 + 24)


def test_the_structures_are_all_there() -> None:
    assert set(GROUPS) <= set(STRUCTURES)
