"""A network whose weights take most of the memory is built, traced, scored and cut within little more than these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from secateurs.core import Batch, Group, Keep, Spec, evaluating
from secateurs.how import channel_groups, cut_in_place, keep_top_channels, remove_channels
from secateurs.measure.costs.allocator import most_allocated
from secateurs.what import channel_score
from secateurs.zoo import Classification
from secateurs.zoo.models import build_model
from toys import generator

TASK = Classification(10)
SHAPE = (3, 32, 32)
SPEC = Spec("resnext101_32x8d", {"width": 16})
BATCH = Batch(torch.randn(2, *SHAPE, generator=generator(1)), torch.arange(2))


@dataclass(frozen=True)
class Large:
    """The network and its sizes in bytes: weights, largest weight, and activations of a micro-batch of one."""

    model: nn.Module
    groups: tuple[Group, ...]
    weights: int
    largest: int
    activations: int


def bytes_of(model: nn.Module) -> list[int]:
    return [t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers())]


@cache
def large() -> Large:
    model = build_model(SPEC, SHAPE, 10, 0)
    inputs = BATCH.inputs[:1].clone().requires_grad_()

    def backward() -> None:
        with evaluating(model):
            weights = {name: p.detach() for name, p in model.named_parameters()}
            F.cross_entropy(torch.func.functional_call(model, weights, (inputs,)), BATCH.targets[:1]).backward()

    activations = most_allocated(backward)[1]
    sizes = bytes_of(model)
    return Large(model, channel_groups(model, BATCH.inputs[:1]), sum(sizes), max(sizes), activations)


def taken(call: Callable[[], object]) -> int:
    return most_allocated(call)[1]


def test_weights_dominate() -> None:
    assert large().activations < 0.1 * large().weights
    assert large().largest < 0.1 * large().weights


def test_building() -> None:
    assert taken(lambda: build_model(SPEC, SHAPE, 10, 0)) < 1.01 * large().weights


@pytest.mark.parametrize("exclude", [(), ("blocks.29", "blocks.30", "blocks.31", "blocks.32")])
def test_tracing(exclude: tuple[str, ...]) -> None:
    assert taken(lambda: channel_groups(large().model, BATCH.inputs[:1], exclude=exclude)) < 0.1 * large().weights


@pytest.mark.parametrize(
    ("spec", "gradients"),
    [
        (Spec("snap", {"micro_batch": 1}), 0),
        (Spec("gate_decorators", {"micro_batch": 1}), 0),
        (Spec("snip", {"micro_batch": 1}), 1),
        (Spec("filter_norm"), 0),
        (Spec("bn_scale"), 0),
    ],
    ids=lambda value: value.name if isinstance(value, Spec) else "",
)
def test_scoring(spec: Spec, gradients: int) -> None:
    """The gradient, if one is needed, the activations with their tangents, and what one layer needs for a moment."""
    net = large()
    found = taken(lambda: channel_score(net.model, TASK, [BATCH], net.groups, name=spec))
    assert found < gradients * net.weights + 2.5 * net.activations + 2.5 * net.largest


def test_scores_without_micro_batches_take_several_gradients() -> None:
    """Else the bound would bind nothing."""
    net = large()
    assert taken(lambda: channel_score(net.model, TASK, [BATCH], net.groups, name="crop_gate")) > 2.5 * net.weights


def few(groups: tuple[Group, ...]) -> Keep:
    scores = {group.name: torch.rand(group.units, generator=generator(3)) for group in groups}
    return keep_top_channels(groups, scores, 0.02)


def test_cutting() -> None:
    """What is left, in the network and in its optimiser, and nothing of what is dense."""
    net = large()
    assert taken(lambda: few(net.groups)) < 0.01 * net.weights
    keep = few(net.groups)
    left = sum(bytes_of(remove_channels(net.model, keep)))
    assert left < 0.03 * net.weights
    assert taken(lambda: remove_channels(net.model, keep)) < 1.2 * left + 0.1 * net.largest
    model = build_model(SPEC, SHAPE, 10, 0)
    adam = torch.optim.Adam(model.parameters())
    F.cross_entropy(model(BATCH.inputs), BATCH.targets).backward()
    adam.step()
    assert taken(lambda: cut_in_place(model, keep, adam)) < 4 * 1.2 * left + 0.1 * net.largest


def test_from_the_first_weight_to_the_cut() -> None:
    """All of it at once: the weights, one gradient, and a micro-batch's activations with their tangents."""

    def whole() -> nn.Module:
        model = build_model(SPEC, SHAPE, 10, 0)
        groups = channel_groups(model, BATCH.inputs[:1])
        scores = channel_score(model, TASK, [BATCH], groups, name=Spec("crop_gate", {"micro_batch": 1}))
        cut_in_place(model, keep_top_channels(groups, scores, 0.02))
        return model

    net = large()
    small, peak = most_allocated(whole)
    assert peak < 2 * net.weights + 2.5 * net.activations + 2.5 * net.largest
    assert sum(bytes_of(small)) < 0.03 * net.weights


@pytest.mark.parametrize("name", ["snap", "crop_gate", "crop_gate_eq6", "snip"])
def test_what_a_pass_takes_is_given_back_before_the_next(name: str) -> None:
    model = build_model(Spec("resnet20", {"width": 4}), SHAPE, 10, 0)
    groups = channel_groups(model, BATCH.inputs[:1])
    score = Spec(name, {"micro_batch": 1})
    peaks = []
    for times in (1, 3):
        batch = Batch(*(each.repeat_interleave(times, 0) for each in BATCH))
        peaks.append(taken(partial(channel_score, model, TASK, [batch], groups, name=score)))
    assert peaks[1] < 1.01 * peaks[0]
