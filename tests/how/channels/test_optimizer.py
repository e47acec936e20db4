"""The optimiser goes on: a step of the cut network is the step of the masked one, where entries are left."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from channel_nets import some, structure
from secateurs.core import Keep, PruningError
from secateurs.how import channel_groups, channel_mask, cut_in_place, enforce, mask_channels, remove_channels

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-2, nesterov=True),
    "plain sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-2, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=1e-1, foreach=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
}
NAMES = ["option A", "dense net", "mobile net", "res next", "group norm", "parameters alone", "lstm"]


def loss(model: nn.Module, x: Tensor) -> Tensor:
    return torch.tanh(model(x)).mean()


def step(model: nn.Module, optimizer: Optimizer, x: Tensor) -> None:
    optimizer.zero_grad()
    loss(model, x).backward()
    optimizer.step()


def restricted(model: nn.Module, keep: Keep) -> dict[str, Tensor]:
    """The entries that are left of a dense model's parameters and buffers."""
    return dict(remove_channels(model, keep).state_dict())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("training", "in_place"), [(False, True), (True, False)])
def test_steps_after_the_cut_are_those_of_the_masked_network(
    name: str, optimizer: str, training: bool, in_place: bool
) -> None:
    model, x = structure(name)
    keep = some(channel_groups(model, x), 4)
    model.train(training)
    made = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(3):
        step(model, made, x)
    dense = copy.deepcopy(model)
    other = OPTIMIZERS[optimizer](dense.parameters())
    other.load_state_dict(copy.deepcopy(made.state_dict()))
    mask_channels(dense, keep)
    if in_place:
        cut_in_place(model, keep, made)
        small = model
    else:
        small = remove_channels(model, keep, optimizer=made)
    with enforce(dense, other, channel_mask(dense, keep)):
        for _ in range(3):
            step(small, made, x)
            step(dense, other, x)
            for key, tensor in restricted(dense, keep).items():
                torch.testing.assert_close(small.state_dict()[key], tensor, rtol=1e-7, atol=1e-10, msg=key)


def test_hyper_parameters_and_groups_are_kept_and_schedulers_go_on() -> None:
    model, x = structure("option A")
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim == 1]
    sgd = torch.optim.SGD([{"params": decayed, "weight_decay": 0.1}, {"params": rest, "lr": 0.3}], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(sgd, 0.5)
    step(model, sgd, x)
    schedule.step()
    settings = [{k: v for k, v in group.items() if k != "params"} for group in sgd.param_groups]
    small = remove_channels(model, some(channel_groups(model, x), 0), optimizer=sgd)
    assert [{k: v for k, v in group.items() if k != "params"} for group in sgd.param_groups] == settings
    assert [p for g in sgd.param_groups for p in g["params"]] == [
        *(p for p in small.parameters() if p.ndim > 1),
        *(p for p in small.parameters() if p.ndim == 1),
    ]
    assert set(sgd.state) == set(small.parameters())
    schedule.step()
    assert [group["lr"] for group in sgd.param_groups] == [0.025, 0.075]
    again = torch.optim.SGD([{"params": []}, {"params": []}], lr=1)
    again.param_groups[0]["params"], again.param_groups[1]["params"] = (g["params"] for g in sgd.param_groups)
    again.load_state_dict(sgd.state_dict())


def test_the_state_is_cut_entry_by_entry() -> None:
    model, x = structure("mlp")
    adam = torch.optim.Adam(model.parameters(), amsgrad=True)
    step(model, adam, x)
    first = dict(adam.state[model[2].weight])
    keep = Keep(channel_groups(model, x), {"0": torch.arange(7) % 2 == 0, "2": torch.arange(6) < 2})
    cut_in_place(model, keep, adam)
    state = adam.state[model[2].weight]
    for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        assert torch.equal(state[key], first[key][:2, ::2])
    assert state["step"] == first["step"]


def test_unknown_layouts_are_refused_by_name() -> None:
    model, x = structure("option A")
    keep = some(channel_groups(model, x), 0)
    for optimizer, match in [
        (torch.optim.Adafactor(model.parameters()), "state 'row_var' that Adafactor keeps for 'stem.weight' has shape"),
        (torch.optim.LBFGS(model.parameters()), "that LBFGS keeps for 'stem.weight' has shape"),
        (torch.optim.SGD(nn.Linear(1, 1).parameters()), "holds no parameter of this model"),
    ]:

        def closure(optimizer: Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            value = loss(model, x)
            value.backward()
            return value

        optimizer.step(closure)
        before = [p.detach().clone() for p in model.parameters()]
        for act in (remove_channels, cut_in_place):
            with pytest.raises(PruningError, match=match):
                act(model, keep, optimizer=optimizer)  # type: ignore[operator]
        assert all(torch.equal(p, values) for p, values in zip(model.parameters(), before, strict=True))


def test_parameters_of_other_models_are_left_alone() -> None:
    model, x = structure("mlp")
    other = nn.Linear(8, 2).double()
    sgd = torch.optim.SGD([*model.parameters(), *other.parameters()], lr=0.1, momentum=0.9)
    (model(x).sum() + other(x).sum()).backward()
    sgd.step()
    momentum = sgd.state[other.weight]["momentum_buffer"]
    cut_in_place(model, some(channel_groups(model, x), 0), sgd)
    assert sgd.param_groups[0]["params"] == [*model.parameters(), *other.parameters()]
    assert sgd.state[other.weight]["momentum_buffer"] is momentum
