"""What cannot be cut is refused by its name, or left whole; and whoever was refused has everything as it was.

Refusals that belong to one file's subject are tested there: test_groups.py (what cannot be followed), test_choice.py
(targets), test_removal.py (a Keep that does not fit, failures at any moment).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channel_nets import PICTURES, WORDS, Conv, Net, assert_removed_is_masked, prepared, same, some, state_of, structure
from secateurs.core import Keep, PruningError
from secateurs.how import channel_groups, cut_in_place, keep_top_channels, remove_channels
from secateurs.how.channels.branches import MOST

X = torch.randn(PICTURES, generator=torch.Generator().manual_seed(0))
W = torch.randn(WORDS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def layers(width: int = 4) -> dict[str, nn.Module]:
    return {"one": Conv(3, width, 1), "two": Conv(width, width, 1), "out": Conv(width, 2, 1)}


def counted(net: Net, x: Tensor) -> Tensor:
    x = net.one(x)
    for _ in range(int(x.abs().max()) + 1):
        x = net.two(x)
    return net.out(x)


def lengths(net: Net, x: Tensor) -> Tensor:
    return net.out(net.two(net.one(x[:, :, : int((x[0, 0, 0] > 0).sum()) + 1])))


def by_parameter(net: Net, x: Tensor) -> Tensor:
    x = net.one(x)
    return net.out(net.two(x) if net.one.bias[0] > 0 else x)


def many_ways(net: Net, x: Tensor) -> Tensor:
    y = net.one(x)
    for pixel in x.flatten()[:5]:
        y = net.two(y) if pixel > 0 else y
    return net.out(y)


@pytest.mark.parametrize(
    ("forward", "match"),
    [
        (counted, "'0' .Net. takes a number out of a tensor"),
        (lengths, "'0' .Net. takes a number out of a tensor"),
        (by_parameter, "'0' .Net. takes a number out of a tensor"),
        (many_ways, f"in more than {MOST} ways"),
    ],
)
def test_control_flow_that_depends_on_numbers(forward: Callable[..., Tensor], match: str) -> None:
    model = nn.Sequential(Net(forward, **layers()))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(PruningError, match=match):
        channel_groups(model, X)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()


def branching(net: Net, x: Tensor) -> Tensor:
    if x.isnan().any():
        raise ValueError("these are no pictures")
    y = net.one(x)
    return net.out(net.two(y) if x.sum() > 0 else y)


def test_a_branch_on_the_inputs_is_followed_both_ways() -> None:
    """Channels that are coupled on one of the ways are coupled; a way that forward() refuses is none."""
    model = prepared(Net(branching, **layers(6)))
    x = X.double()
    there, back = channel_groups(model, x.abs()), channel_groups(model, -x.abs())
    assert [(group.name, group.units) for group in there] == [("one", 6)]
    assert {(m.name, m.dim, m.index) for m in there[0].members} == {(m.name, m.dim, m.index) for m in back[0].members}
    assert ("two.weight", 0) in {(m.name, m.dim) for m in there[0].members}
    for example in (x.abs(), -x.abs()):
        assert_removed_is_masked(model, some(there, 0), example)


def test_a_mask_that_may_be_left_out() -> None:
    model, x = structure("a mask left out")
    groups = channel_groups(model, x)
    for example in (x, torch.where(torch.arange(4)[:, None] < 3, x, -10)):
        assert_removed_is_masked(model, some(groups, 2), example)


def single_head(net: Net, x: Tensor) -> Tensor:
    q, k, v = net.q(x), net.k(x), net.v(x)
    return net.out(torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), -1) @ v)


def as_torch_has_it(net: Net, x: Tensor) -> Tensor:
    return net.out(F.scaled_dot_product_attention(net.q(x), net.k(x), net.v(x)))


def by_hand(net: Net, x: Tensor) -> Tensor:
    return net.out(F.relu(net.q(x)) / torch.tensor(float(net.q.weight.shape[0])).sqrt())


@pytest.mark.parametrize("forward", [single_head, as_torch_has_it, by_hand])
def test_a_number_that_follows_from_a_width(forward: Callable[..., Tensor]) -> None:
    """After the cut it would be another: what is left would calculate otherwise."""
    made = {name: nn.Linear(8, 6) for name in ("q" if forward is by_hand else "qkv")}
    model = nn.Sequential(nn.Linear(8, 8), Net(forward, **made, out=nn.Linear(6, 4))).double()
    with pytest.raises(PruningError, match=r"'1' .Net. calculates otherwise .*exclude=\['1'\]"):
        channel_groups(model, W)
    model.append(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).double())
    groups = channel_groups(model, W, exclude=["1"])
    assert [group.name for group in groups] == ["2.0"]
    assert_removed_is_masked(model, some(groups, 0), W)


def test_torchs_attention_stays_whole_and_the_rest_does_not() -> None:
    """Its width and its heads are written into its functions."""

    def forward(net: Net, x: Tensor) -> Tensor:
        y = net.into(x)
        return net.out(F.relu(net.hidden(net.attention(y, y, y)[0])))

    attention = nn.MultiheadAttention(12, 3, batch_first=True)
    model = Net(forward, into=nn.Linear(8, 12), attention=attention, hidden=nn.Linear(12, 6), out=nn.Linear(6, 2))
    model = model.double().eval()
    groups = channel_groups(model, W)
    assert [(group.name, group.units) for group in groups] == [("hidden", 6)]
    assert_removed_is_masked(model, some(groups, 0), W)
    alone = Net(lambda net, x: net.attention(*[net.into(x)] * 3)[0], into=model.into, attention=attention)
    with pytest.raises(PruningError, match=r"'attention' .MultiheadAttention.: its width is written into it"):
        channel_groups(alone, W)


def test_a_projected_lstm_stays_whole() -> None:
    model = Net(lambda net, x: net.out(net.cells(x)[0]), cells=nn.LSTM(8, 6, proj_size=3), out=nn.Linear(3, 2)).double()
    with pytest.raises(PruningError, match="'cells' projects its hidden state"):
        channel_groups(model, W)


def test_a_shared_module_is_refused_by_its_first_name() -> None:
    shared = Conv(4, 4, 1)
    model = nn.Sequential(Conv(3, 4, 1), shared, nn.ReLU(), shared, Conv(4, 2, 1))
    with pytest.raises(PruningError, match=r"'1' .Conv2d. is called 2 times in one forward pass"):
        channel_groups(model, X)


def test_a_cell_in_a_loop_is_refused_by_name() -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        hidden = None
        for t in range(x.shape[1]):
            hidden = net.cell(x[:, t], hidden)
        return net.out(hidden)

    model = Net(forward, cell=nn.GRUCell(8, 6), out=nn.Linear(6, 2)).double()
    with pytest.raises(PruningError, match=r"'cell' .GRUCell. is called 4 times"):
        channel_groups(model, W)


@pytest.mark.parametrize("width", [6, 4])
def test_modules_that_share_a_weight_are_cut_alike(width: int) -> None:
    """Two modules may have one parameter: what goes from one goes from both."""
    model = nn.Sequential(
        nn.Linear(8, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width), nn.Linear(width, 2)
    )
    model[4].weight = model[2].weight
    model = model.double().eval()
    groups = channel_groups(model, W)
    assert [(group.name, group.units) for group in groups] == [("0", width)]
    small = assert_removed_is_masked(model, some(groups, 0), W)
    assert small[4].weight is small[2].weight


def trained(name: str, make: Callable[..., torch.optim.Optimizer]) -> tuple[nn.Module, torch.optim.Optimizer, Keep]:
    model, x = structure(name)
    optimizer = make(model.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = torch.tanh(model(x)).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)
    return model, optimizer, some(channel_groups(model, x), 1)


class Factored(torch.optim.SGD):
    """Keeps something for the last parameter that is not known to anybody."""

    def step(self, closure: Any = None) -> Any:
        found = super().step(closure)
        last = self.param_groups[-1]["params"][-1]
        self.state[last]["rows"] = torch.ones(3)
        return found


@pytest.mark.parametrize("name", ["option A", "language model", "lstm"])
@pytest.mark.parametrize(
    ("make", "match"),
    [
        (torch.optim.Adafactor, "state 'row_var' that Adafactor keeps for"),
        (torch.optim.LBFGS, "that LBFGS keeps for"),
        (lambda p: Factored(p, lr=0.1, momentum=0.9), "state 'rows' that Factored keeps for .* has shape .3."),
    ],
)
def test_an_optimizer_of_unknown_layout_leaves_both_bit_for_bit(
    name: str, make: Callable[..., torch.optim.Optimizer], match: str
) -> None:
    model, optimizer, keep = trained(name, make)
    before = state_of(model, optimizer)
    for act in (remove_channels, cut_in_place):
        with pytest.raises(PruningError, match=match):
            act(model, keep, optimizer=optimizer)  # type: ignore[operator]
        assert same(state_of(model, optimizer), before)


@pytest.mark.parametrize("name", ["option A", "language model", "lstm"])
def test_a_layer_that_would_vanish_leaves_both_bit_for_bit(name: str) -> None:
    model, adam, keep = trained(name, lambda p: torch.optim.Adam(p, lr=0.01))
    before = state_of(model, adam)
    for group in keep.groups:
        none = Keep(keep.groups, dict(keep) | {group.name: torch.zeros(group.units, dtype=torch.bool)})
        for act in (remove_channels, cut_in_place):
            with pytest.raises(PruningError, match=rf"'{group.name}' would vanish"):
                act(model, none, optimizer=adam)  # type: ignore[operator]
    assert same(state_of(model, adam), before)


def test_a_target_below_what_the_minimum_allows() -> None:
    model, x = structure("language model")
    groups = channel_groups(model, x)
    scores = {group.name: torch.arange(group.units).float() for group in groups}
    expected = r"density 0.01 cannot be reached.*at least 2 left.*a density of 0\.\d+: take .* or a smaller minimum$"
    with pytest.raises(PruningError, match=expected) as e:
        keep_top_channels(groups, scores, 0.01, minimum=2)
    least = float(str(e.value).partition("a density of ")[2].partition(":")[0])
    keep = keep_top_channels(groups, scores, least, minimum=2)
    assert {int(kept.sum()) for kept in keep.values()} == {1, 2}  # a head makes four channels


@pytest.mark.parametrize("first", ["cpu", "meta"])
def test_a_model_on_two_devices_is_refused_by_its_layers(first: str) -> None:
    other = "meta" if first == "cpu" else "cpu"
    model = nn.Sequential(nn.Linear(8, 6, device=first), nn.ReLU(), nn.Linear(6, 2, device=other))
    with pytest.raises(PruningError, match=rf"several devices .'0.weight' is on {first}, '2.weight' is on {other}"):
        channel_groups(model, W.float())


def filled(net: Net, x: Tensor) -> Tensor:
    y = net.one(x)
    shift = torch.zeros(1, y.shape[1], 1, 1).add_(x.mean())
    return net.out((y + shift).sum(1, keepdim=True))


def test_zeros_that_something_is_added_to_are_none() -> None:
    """A sum over channels to each of which something is added depends on how many there are."""
    with pytest.raises(PruningError, match="meet a tensor whose entries stay"):
        channel_groups(Net(filled, one=Conv(3, 4, 1), out=Conv(1, 2, 1)), X)
