"""Training goes on after a cut as in the network trained masked: averages, schedules, scaled losses, optimisers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from channel_nets import some, structure
from secateurs.core import Keep
from secateurs.how import channel_groups, channel_mask, cut_in_place, enforce, mask_channels, remove_channels

NAMES = ["option A", "mobile net", "language model", "language model without norms", "shared keys", "lstm cell"]


def two_groups(model: nn.Module) -> list[dict[str, object]]:
    """Weights decay, and vectors learn faster."""
    parameters = list(model.parameters())
    vectors = {"params": [p for p in parameters if p.ndim < 2], "lr": 0.02, "weight_decay": 0.0}
    return [{"params": [p for p in parameters if p.ndim > 1]}, vectors]


@dataclass
class Loop:
    """A training loop with all that holds on to its model or optimiser."""

    model: nn.Module
    average: AveragedModel = field(init=False)
    optimizer: Optimizer = field(init=False)
    schedules: tuple[torch.optim.lr_scheduler.LRScheduler, ...] = field(init=False)
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        self.model.train()
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)
        self.optimizer = torch.optim.AdamW(two_groups(self.model), lr=0.01, weight_decay=0.1)
        cycle = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, [0.01, 0.02], total_steps=20)  # momentum, too
        self.schedules = (cycle, torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=0, threshold=1.0))
        self.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)

    def step(self, x: Tensor) -> float:
        self.optimizer.zero_grad()
        loss = torch.tanh(self.model(x)).mean()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update_parameters(self.model)
        self.schedules[0].step()
        self.schedules[1].step(loss.detach())
        return loss.item()


def equal(small: nn.Module, dense: nn.Module, keep: Keep) -> None:
    """The small network has the entries that are left of the dense one."""
    for key, tensor in remove_channels(dense, keep).state_dict().items():
        torch.testing.assert_close(small.state_dict()[key], tensor, rtol=1e-8, atol=1e-11, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_everything_goes_on(name: str) -> None:
    """In training mode, in float64, over steps before and after the cut; the average is cut like its model."""
    model, x = structure(name)
    keep = some(channel_groups(model, x), 3)
    cut, masked = Loop(model), Loop(copy.deepcopy(model))
    for _ in range(3):
        assert cut.step(x) == masked.step(x)
    cut_in_place(cut.model, keep, cut.optimizer)
    cut_in_place(cut.average.module, keep)
    mask_channels(masked.model, keep)
    mask_channels(masked.average.module, keep)
    equal(cut.average.module, masked.average.module, keep)
    with enforce(masked.model, masked.optimizer, channel_mask(masked.model, keep)):
        for _ in range(4):
            assert cut.step(x) == pytest.approx(masked.step(x), rel=1e-9)
            equal(cut.model, masked.model, keep)
            equal(cut.average.module, masked.average.module, keep)
            for mine, other in zip(cut.optimizer.param_groups, masked.optimizer.param_groups, strict=True):
                assert all(mine[key] == other[key] for key in mine if key != "params")
            assert cut.scaler.get_scale() == masked.scaler.get_scale()
    assert cut.average.n_averaged == masked.average.n_averaged
    assert cut.scaler.get_scale() > 4
    with torch.no_grad():
        one, other = cut.average.module.eval()(x), masked.average.module.eval()(x)
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "ASGD": lambda p: torch.optim.ASGD(p, lr=0.01, t0=2),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=0.5),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "capturable Adam": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), foreach=False),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_of_torch(name: str) -> None:
    """Those of which each entry learns by itself; what keeps other state is refused (test_refusals.py)."""
    model, x = structure("option A")
    keep = some(channel_groups(model, x), 1)
    dense = copy.deepcopy(model)
    one, other = (OPTIMIZERS[name](each.parameters()) for each in (model, dense))

    def step(model: nn.Module, optimizer: Optimizer) -> None:
        optimizer.zero_grad()
        torch.tanh(model(x)).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    for _ in range(3):
        step(model, one)
        step(dense, other)
    cut_in_place(model, keep, one)
    mask_channels(dense, keep)
    with enforce(dense, other, channel_mask(dense, keep)):
        for _ in range(3):
            step(model, one)
            step(dense, other)
            equal(model, dense, keep)


def test_frozen_parameters_and_two_optimizers() -> None:
    """Each optimiser holds a part; the cut moves one, then the other is built anew or moved with it."""
    model, x = structure("language model")
    words = torch.optim.SGD([model.words.weight], lr=0.1, momentum=0.9)
    model.places.requires_grad_(False)
    rest = torch.optim.Adam([p for p in model.parameters() if p is not model.words.weight and p.requires_grad], lr=0.1)
    torch.tanh(model(x)).mean().backward()  # type: ignore[no-untyped-call]
    words.step()
    rest.step()
    keep = some(channel_groups(model, x), 0)
    embedding = model.words.weight
    cut_in_place(model, keep, rest)
    assert model.words.weight is embedding  # norms keep the width, so nothing of it went
    assert words.param_groups[0]["params"] == [embedding]
    assert not model.places.requires_grad
    assert set(rest.state) == {p for p in model.parameters() if p is not embedding and p.requires_grad}
