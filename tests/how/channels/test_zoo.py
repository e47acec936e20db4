"""Removing is masking, for every network of the zoo by name: twice over, and training goes on afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from channel_nets import assert_removed_is_masked, prepared
from secateurs.core import Group, Keep
from secateurs.how import channel_groups, channel_mask, keep_top_channels
from secateurs.zoo import MODELS, build_model
from zoo_specs import SHAPE, small

CLASSES = 7
"""Networks are as small as ``zoo_specs`` makes them, built by the same functions as the large ones: a narrow
``resnext101_32x48d`` has its 33 blocks and 32 groups. None is left out."""


def network(name: str) -> tuple[nn.Module, Tensor, tuple[Group, ...]]:
    """The network in float64 with random norms, two images, and its groups."""
    model = prepared(build_model(small(name), SHAPE, CLASSES, seed=1))
    x = torch.randn(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return model, x, channel_groups(model, x[:1])


def at_random(groups: tuple[Group, ...], density: float, seed: int = 2) -> Keep:
    """So many of all units, drawn at random; each group keeps one at least."""
    draw = torch.Generator().manual_seed(seed)
    return keep_top_channels(groups, {group.name: torch.rand(group.units, generator=draw) for group in groups}, density)


def least(groups: tuple[Group, ...]) -> Keep:
    """The fewest units there can be: as many as leave no layer without an output, chosen at random."""
    kept = {}
    draw = torch.Generator().manual_seed(3)
    for group in groups:
        flags = torch.zeros(group.units, dtype=torch.bool)
        for member in group.members:
            units = torch.tensor([unit for unit, places in enumerate(member.index) if places])
            if member.role == "output" and not flags[units].any():
                flags[units[torch.randint(len(units), (), generator=draw)]] = True
        kept[group.name] = flags
    return Keep(groups, kept)


def step(model: nn.Module, x: Tensor) -> None:
    """One step of training: every parameter has a gradient of its own shape, stays finite, and some move."""
    sgd = torch.optim.SGD(model.train().parameters(), lr=0.01, momentum=0.9)
    before = [p.detach().clone() for p in model.parameters()]
    nn.functional.cross_entropy(model(x), torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in model.parameters())
    sgd.step()
    assert all(bool(p.isfinite().all()) for p in model.parameters())
    assert not all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_every_network_keeps_its_function_and_goes_on(name: str) -> None:
    """Half of the units go, then more of what is left; or all but the fewest at once. Then training goes on."""
    model, x, groups = network(name)
    assert groups
    half, fewest = at_random(groups, 0.5), least(groups)
    smaller = assert_removed_is_masked(model, half, x)
    again = assert_removed_is_masked(smaller, at_random(channel_groups(smaller, x[:1]), 0.7, seed=4), x)
    smallest = assert_removed_is_masked(model, fewest, x)
    for cut, keep in ((smaller, half), (smallest, fewest)):
        mask = channel_mask(model, keep)
        left = sum(
            int(mask[key].sum()) if key in mask else p.numel() for key, p in model.named_parameters() if p.ndim > 1
        )
        assert sum(p.numel() for p in cut.parameters() if p.ndim > 1) == left
    for cut in (again, smallest):
        step(cut, x)
