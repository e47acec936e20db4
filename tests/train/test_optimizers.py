"""Every optimiser option against its formula, step by step, in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import TrainingError
from secateurs.train import Adam, AdamW, Sgd, TrainSettings

RATE = 0.05


def gradient(theta: Tensor, step: int) -> Tensor:
    """Of some smooth loss that changes from step to step."""
    return torch.sin(theta * (step + 1)) + 0.1 * theta


def sgd(theta: Tensor, steps: int, momentum: float, decay: float, nesterov: bool) -> Tensor:
    velocity = torch.zeros_like(theta)
    for k in range(steps):
        g = gradient(theta, k) + decay * theta
        velocity = momentum * velocity + g
        theta = theta - RATE * (g + momentum * velocity if nesterov else velocity)
    return theta


def adam(theta: Tensor, steps: int, betas: tuple[float, float], eps: float, coupled: float, decoupled: float) -> Tensor:
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    for k in range(steps):
        g = gradient(theta, k) + coupled * theta
        theta = theta * (1 - RATE * decoupled)
        first = betas[0] * first + (1 - betas[0]) * g
        second = betas[1] * second + (1 - betas[1]) * g**2
        mean, square = first / (1 - betas[0] ** (k + 1)), second / (1 - betas[1] ** (k + 1))
        theta = theta - RATE * mean / (square.sqrt() + eps)
    return theta


CASES: dict[str, tuple[Sgd | Adam | AdamW, Callable[[Tensor], Tensor]]] = {
    "plain": (Sgd(momentum=0, weight_decay=0), lambda t: sgd(t, 20, 0, 0, False)),
    "momentum": (Sgd(weight_decay=0.1), lambda t: sgd(t, 20, 0.9, 0.1, False)),
    "nesterov": (Sgd(nesterov=True, weight_decay=0.1), lambda t: sgd(t, 20, 0.9, 0.1, True)),
    "adam": (Adam(), lambda t: adam(t, 20, (0.9, 0.999), 1e-8, 0, 0)),
    "adam, L2": (
        Adam(betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
        lambda t: adam(t, 20, (0.8, 0.95), 1e-3, 0.3, 0),
    ),
    "adamw": (AdamW(), lambda t: adam(t, 20, (0.9, 0.999), 1e-8, 0, 0.01)),
    "adamw, strong": (AdamW(weight_decay=0.3), lambda t: adam(t, 20, (0.9, 0.999), 1e-8, 0, 0.3)),
    "adam, fused": (Adam(weight_decay=0.3, fused=True), lambda t: adam(t, 20, (0.9, 0.999), 1e-8, 0.3, 0)),
    "adamw, fused": (AdamW(weight_decay=0.3, fused=True), lambda t: adam(t, 20, (0.9, 0.999), 1e-8, 0, 0.3)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_formula(case: str) -> None:
    chosen, oracle = CASES[case]
    model = nn.Linear(3, 2, dtype=torch.float64)
    expected = {name: oracle(p.detach().clone()) for name, p in model.named_parameters()}
    optimizer = chosen.build(model, RATE)
    for k in range(20):
        for p in model.parameters():
            p.grad = gradient(p.detach(), k)
        optimizer.step()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.detach(), expected[name], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("everywhere", [True, False])
def test_norms_and_biases_decay_unless_they_are_left_out(name: str, everywhere: bool) -> None:
    options = {"name": name, "weight_decay": 0.1, "decay_norms_and_biases": everywhere}
    settings = TrainSettings(epochs=1, optimizer=options)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    nn.init.ones_(model[0].bias)
    optimizer = settings.optimizer.build(model, RATE)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    decayed = {key for key, p in model.named_parameters() if not torch.equal(p, before[key])}
    moving = {key for key, value in before.items() if value.any()}
    assert decayed == {key for key in moving if everywhere or before[key].ndim > 1}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(before)


def test_named_alone_and_unnamed() -> None:
    assert TrainSettings(epochs=1).optimizer == Sgd()
    assert TrainSettings(epochs=1, optimizer="adamw").optimizer == AdamW()
    assert TrainSettings(epochs=1, optimizer={"momentum": 0.5}).optimizer == Sgd(momentum=0.5)
    chosen = TrainSettings(epochs=1, optimizer={"name": "adam", "betas": [0.5, 0.6]})
    assert TrainSettings.model_validate(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_fused_is_written_down_only_where_it_is_asked_for(kind: type[Adam | AdamW]) -> None:
    assert "fused" not in kind().model_dump(mode="json"), "or every job of Adam would have another key"
    fused = kind(fused=True)
    assert fused.model_dump(mode="json")["fused"] is True
    assert kind.model_validate(fused.model_dump(mode="json")) == fused
    assert fused.build(nn.Linear(2, 1), RATE).defaults["fused"] is True
    assert kind().build(nn.Linear(2, 1), RATE).defaults["fused"] is None


@pytest.mark.parametrize(
    "options",
    [
        {"name": "adam", "momentum": 0.9},
        {"name": "adam", "betas": [0.9, 1.0]},
        {"name": "lamb"},
        {"nesterov": True, "momentum": 0},
    ],
    ids=str,
)
def test_what_an_optimiser_does_not_have_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TrainingError):
        TrainSettings(epochs=1, optimizer=options)
