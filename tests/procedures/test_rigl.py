"""RigL and SET against a loop that is written out in plain torch."""

from __future__ import annotations

import copy
from fractions import Fraction
from math import cos, floor, pi

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import Batch, TrainState, generator_for
from secateurs.how import Mask
from secateurs.procedures import Regrown, RegrowthSettings, regrowth, sparse_from_the_start
from secateurs.train import TrainSettings, begin
from toys import RESNET, content, same_bits, toy_data

DATA = toy_data()
TRAIN = TrainSettings(  # three steps an epoch, twelve in all
    epochs=4, batch_size=16, lr=0.05, schedule={"name": "step", "milestones": (2, "8it")}, warm_up="2it"
)
ORDER, PRUNING = 4, 5

Flags = dict[str, Tensor]


def new() -> TrainState:
    return begin(RESNET, DATA, TRAIN, init_seed=3)


def batch_of(step: int) -> Batch:
    return list(DATA.train.epoch(step // 3, 16, ORDER))[step % 3]


def lowest_for_highest(weight: Tensor, gradient: Tensor, kept: Tensor, fraction: float) -> Tensor:
    """One layer's update, entry by entry."""
    size, slope, flat = weight.abs().flatten().tolist(), gradient.abs().flatten().tolist(), kept.flatten().tolist()
    there = [place for place, is_kept in enumerate(flat) if is_kept]
    gone = floor(Fraction(repr(fraction)) * len(there) + Fraction(1, 2))
    stay = sorted(there, key=lambda place: (-size[place], place))[: len(there) - gone]
    others = [place for place in range(len(flat)) if place not in set(stay)]
    grown = sorted(others, key=lambda place: (-slope[place], place))[:gone]
    after = torch.zeros(len(flat), dtype=torch.bool)
    after[stay + grown] = True
    return after.reshape(kept.shape)


def slopes(model: nn.Module, step: int) -> dict[str, Tensor]:
    """The dense gradient of the loss on the batch of a step; of a copy, whose running statistics nobody reads."""
    other = copy.deepcopy(model).train()
    other.zero_grad()
    F.cross_entropy(other(batch_of(step).inputs), batch_of(step).targets).backward()
    return {name: weight.grad for name, weight in other.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("grow", ["gradient", "random"])
@pytest.mark.parametrize("layers", ["erk", "uniform"])
def test_it_is_its_algorithm_written_out(grow: str, layers: str) -> None:
    settings = RegrowthSettings(density=0.4, every="2it", fraction=0.6, grow=grow, layers=layers)
    told: list[Regrown] = []
    end = regrowth(
        new(), DATA, settings, TRAIN, order_seed=ORDER, pruning_seed=PRUNING, told=told.append
    )  # the end of training is at step 12, that of moving at 9

    first = sparse_from_the_start(new(), DATA, settings, pruning_seed=PRUNING).mask or {}
    mask: Flags = {name: kept.clone() for name, kept in first.items()}
    model, momentum, masks = new().model.train(), dict[str, Tensor](), list[Flags]()
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, kept in mask.items():
            weights[name].copy_(torch.where(kept, weights[name], 0.0))
    for step in range(12):
        if step in (2, 4, 6, 8):
            draw = generator_for("growth", PRUNING, step)
            drawn = {name: torch.rand(mask[name].shape, generator=draw, dtype=torch.float64) for name in sorted(mask)}
            wanted = slopes(model, step) if grow == "gradient" else drawn
            share = 0.3 * (1 + cos(pi * step / 9))
            for name, kept in mask.items():
                after = lowest_for_highest(weights[name].detach(), wanted[name], kept, share)
                with torch.no_grad():
                    weights[name].copy_(torch.where(after & kept, weights[name], 0.0))
                momentum[name] = torch.where(after & kept, momentum[name], 0.0)
                mask[name] = after
            masks.append(dict(mask))
        model.zero_grad()
        F.cross_entropy(model(batch_of(step).inputs), batch_of(step).targets).backward()
        rate = 0.05 * 0.1 ** sum(milestone <= step for milestone in (6, 8)) * (step / 2 if step < 2 else 1)
        with torch.no_grad():
            for name, weight in weights.items():
                assert weight.grad is not None
                slope = weight.grad.add(weight, alpha=5e-4)
                momentum[name] = momentum[name].mul(0.9).add(slope) if name in momentum else slope
                weight.add_(momentum[name], alpha=-rate)
                if name in mask:
                    weight.copy_(torch.where(mask[name], weight, 0.0))
                    momentum[name] = torch.where(mask[name], momentum[name], 0.0)
    assert [each.moment.steps for each in told] == [2, 4, 6, 8]
    assert [each.after for each in told] == [Mask(each) for each in masks]
    assert all(each.grown for each in told)
    assert same_bits(end.model, model)
    for name, weight in end.model.named_parameters():
        assert content(end.optimizer.state[weight]["momentum_buffer"]) == content(momentum[name])
