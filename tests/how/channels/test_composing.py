"""One cut after another: the same as one cut, and the same groups as if the cut network were traced anew."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from channel_nets import STRUCTURES, some, structure
from secateurs.core import Group, Keep, PruningError, Spec
from secateurs.how import (
    between,
    channel_groups,
    composed,
    cut_in_place,
    expanded,
    groups_left,
    in_units_of,
    keep_density,
    keep_top_channels,
    limited,
    remove_channels,
)
from secateurs.zoo import MODELS, build_model
from toys import same_bits

BY_WHOLE_GROUPS = {"res next", "group norm", "transposed"}  # with a single one left, tracing sees a plain layer
SLOW = {"densenet40", "resnet44", "resnet56", "resnet110"} | {f"preresnet{n}" for n in (44, 56, 80, 110, 152)}


def two_of_each(groups: tuple[Group, ...], seed: int) -> Keep:
    """About half of the units; two at least of each layer, and of what goes by whole groups."""
    generator = torch.Generator().manual_seed(seed)
    kept = {}
    for group in groups:
        flags = torch.rand(group.units, generator=generator) < 0.5
        for member in group.members:
            if member.role == "output":
                units = [unit for unit, places in enumerate(member.index) if places]
                flags[units[:2]] |= int(flags[units].sum()) < 2
        kept[group.name] = flags
    return Keep(groups, kept)


def assert_as_traced(model: nn.Module, example: Any, seed: int) -> None:
    keep = two_of_each(channel_groups(model, example), seed)
    left = groups_left(keep.groups, keep)
    again = channel_groups(remove_channels(model, keep), example)
    assert left == again
    assert [group.weights for group in left] == [group.weights for group in again]


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_groups_left_are_those_of_the_cut_network_traced_anew(name: str) -> None:
    model, x = structure(name)
    for seed in range(3):
        assert_as_traced(model, x, seed)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in SLOW and "resnext101" not in name])
def test_so_are_those_of_the_zoo(name: str) -> None:
    shape = (1, 8, 8) if "digits" in name or "lenet" in name else (3, 32, 32)
    options = {"width": 4} if "width" in inspect.signature(MODELS[name]).parameters else {}
    stem = {"stem": "small"} if "inception" in name else {}  # the other one takes larger images alone
    model = build_model(Spec(name, options | stem), shape, 10, seed=0)
    assert_as_traced(model, torch.zeros(1, *shape), 1)


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name not in BY_WHOLE_GROUPS])
def test_a_layer_down_to_one_channel_is_none_to_cut(name: str) -> None:
    model, x = structure(name)
    keep = some(channel_groups(model, x), 3, share=0.0)
    for group in groups_left(keep.groups, keep):  # of zero-padded shortcuts: a narrow layer's last one and others
        assert group.units > 1
        assert name == "option A"
    assert composed(keep, Keep(groups_left(keep.groups, keep), {})) == keep


# ------------------------------------------------------------------------------------------ one after another


@pytest.mark.parametrize("name", STRUCTURES)
def test_two_cuts_are_one(name: str) -> None:
    model, x = structure(name)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(2):
        model(x).square().mean().backward()
        optimizer.step()
    once, twice = copy.deepcopy((model, optimizer)), (model, optimizer)
    first = some(channel_groups(model, x), 1, share=0.7)
    cut_in_place(model, first, optimizer)
    left = groups_left(first.groups, first)
    second = some(left, 2, share=0.7)
    if left:
        cut_in_place(model, second, optimizer)
    whole = composed(first, second)
    cut_in_place(once[0], whole, once[1])
    assert same_bits(*(each[0] for each in (once, twice)))
    states = [each[1].state_dict()["state"] for each in (once, twice)]
    for one, other in zip(states[0].values(), states[1].values(), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert between(first, whole) == second
    assert between(whole, whole).removed == 0


def test_three_cuts_of_a_network_with_padded_shortcuts_go_down_to_the_least() -> None:
    model, x = structure("option A")
    dense = Keep(channel_groups(model, x), {})
    keep, small = dense, model
    generator = torch.Generator().manual_seed(0)
    for density in (0.6, 0.3, 0.06):
        groups = groups_left(dense.groups, keep)
        scores = {group.name: torch.rand(group.units, generator=generator) for group in groups}
        after = keep_top_channels(dense.groups, expanded(scores, keep), density, within=keep)
        small = remove_channels(small, between(keep, after))
        assert keep_density(after) <= density
        assert all(bool((keep[name] >= flags).all()) for name, flags in after.items())
        keep = after
    assert same_bits(small, remove_channels(model, keep))
    assert min(p.shape[0] for p in small.parameters()) == 1


# ------------------------------------------------------------------------------------------ scores and units


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 99))
def test_scores_stand_where_their_units_are(kept: list[bool], seed: int) -> None:
    group = Group("fc", len(kept), ())
    keep = Keep([group], {"fc": torch.tensor(kept)})
    values = torch.rand(sum(kept), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = expanded({"fc": values}, keep)["fc"]
    rest = iter(values.tolist())
    assert found.tolist() == [next(rest) if flag else 0.0 for flag in kept]
    assert found.dtype == torch.float64


@settings(max_examples=20)
@given(st.sampled_from(["dense net", "option A", "mlp", "u-net", "lstm"]), st.integers(0, 99))
def test_the_best_of_what_is_left_are_chosen_in_either_units(name: str, seed: int) -> None:
    model, x = structure(name)
    keep = two_of_each(channel_groups(model, x), seed)
    left = groups_left(keep.groups, keep)
    generator = torch.Generator().manual_seed(seed)
    scores = {group.name: torch.rand(group.units, generator=generator) for group in left}
    there = keep_top_channels(left, scores, 0.7)
    target = keep_density(composed(keep, there))
    here = keep_top_channels(keep.groups, expanded(scores, keep), target, within=keep)
    assert here == composed(keep, there)


# ------------------------------------------------------------------------------------------ what is left alone


@pytest.mark.parametrize(
    ("name", "exclude"),
    [("option A", "stem"), ("option A", "conv1"), ("dense net", "transition"), ("u-net", "one"), ("mlp", "4")],
)
def test_what_is_excluded_stays_in_a_dense_network_and_in_a_cut_one(name: str, exclude: str) -> None:
    model, x = structure(name)
    groups = channel_groups(model, x)
    for keep in (Keep(groups, {}), two_of_each(groups, 4)):
        small = remove_channels(model, keep)
        free = channel_groups(small, x, exclude=[exclude])
        narrow = limited(keep, free)
        assert sum(group.units for group in narrow.groups) == sum(group.units for group in free) + keep.removed
        least = keep_top_channels(
            narrow.groups, {g.name: torch.rand(g.units) for g in narrow.groups}, 0.01, counted="channels",
            scope="layer", within=narrow,
        )  # fmt: skip
        whole = in_units_of(groups, least)
        assert whole.removed == least.removed > keep.removed
        shape = small.get_submodule(exclude).weight.shape
        assert remove_channels(model, whole).get_submodule(exclude).weight.shape == shape
        assert same_bits(remove_channels(model, whole), remove_channels(small, between(keep, whole)))


def test_what_does_not_fit_is_refused() -> None:
    group = Group("fc", 3, ())
    keep = Keep([group], {"fc": torch.tensor([True, False, True])})

    def flags(*values: bool) -> Tensor:
        return torch.tensor(values)

    other = Group("fc2", 2, ())
    with pytest.raises(PruningError, match="there is no group 'fc2'; choices: fc; did you mean 'fc'"):
        groups_left([other], keep)
    with pytest.raises(PruningError, match="there is no group 'fc2'"):
        composed(keep, Keep([other], {}))
    with pytest.raises(PruningError, match="there is no group 'fc2'"):
        expanded({"fc2": torch.rand(2)}, keep)
    with pytest.raises(PruningError, match="group 'fc': 2 of its units are left, got 3 entries"):
        composed(keep, Keep([group], {}))
    with pytest.raises(PruningError, match="group 'fc': 2 of its units are left, got 3 entries"):
        expanded({"fc": torch.rand(3)}, keep)
    with pytest.raises(PruningError, match="has units that the earlier one dropped"):
        between(keep, Keep([group], {"fc": flags(True, True, False)}))
