"""What would be cut wrongly without a word: numbers, zeros, outputs and copies that are easily overlooked.

Whatever a model does, it is refused by name, or what is removed is what is masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channel_nets import Net, assert_removed_is_masked, prepared, some
from secateurs.core import PruningError
from secateurs.how import channel_groups, cut_in_place, keep_density, keep_top_channels, mask_channels, remove_channels
from secateurs.how.channels.counting import makers
from secateurs.how.channels.leaves import tensors_of

X = -torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.1


def two(forward: Callable[..., Any], out: int = 2) -> Net:
    net = Net(forward, a=nn.Linear(3, 8), b=nn.Linear(8, out))
    net.t = nn.Parameter(torch.ones(1))
    return net


@dataclass
class Told:
    logits: Tensor


class Slotted:
    __slots__ = ("logits",)

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


class Named(NamedTuple):
    logits: Tensor
    width: int = 3


@pytest.mark.parametrize("wrapped", [Told, Slotted, Named, lambda y: SimpleNamespace(more=[{"y": Told(y)}])])
def test_outputs_stay_whatever_holds_them(wrapped: Callable[[Tensor], object]) -> None:
    model = prepared(two(lambda net, x: wrapped(net.b(net.a(x))), 4))
    (group,) = groups = channel_groups(model, X)
    assert (group.name, group.units) == ("a", 8)
    small = remove_channels(model, some(groups, 0))
    mask_channels(model, some(groups, 0))
    (found,), (expected,) = (tensors_of(each(X))[0] for each in (small, model))
    torch.testing.assert_close(found, expected)


def test_outputs_that_cannot_be_looked_into() -> None:
    def forward(net: Net, x: Tensor) -> Iterator[Tensor]:
        y = net.b(net.a(x))
        return (row for row in [y])

    with pytest.raises(PruningError, match="returns a generator, in which tensors cannot be found"):
        channel_groups(prepared(two(forward)), X)


def test_inputs_are_inputs_whatever_holds_them() -> None:
    """A branch on them goes both ways."""
    model = prepared(two(lambda net, x: net.b(net.a(x.logits) * (2 if (x.logits > 0).all() else 1))))
    (group,) = channel_groups(model, (Told(X),))
    assert group.units == 8


NUMBERS: dict[str, Callable[[Net, Tensor, Tensor], Tensor]] = {
    "a parameter over a width": lambda net, h, x: h * (net.t / math.sqrt(h.shape[1])),
    "an input over a width": lambda net, h, x: h * (x[:, :1] / h.shape[1]),
    "full": lambda net, h, x: h / torch.full((len(x), 1), float(h.shape[1]), dtype=x.dtype),
    "filled": lambda net, h, x: h / torch.zeros(len(x), 1, dtype=x.dtype).fill_(h.shape[1]),
    "new_full": lambda net, h, x: h / x.new_full((len(x), 1), h.shape[1]),
    "an array": lambda net, h, x: h / torch.tensor([[float(h.shape[1])]] * len(x), dtype=x.dtype),
    "a sum of ones": lambda net, h, x: h / torch.ones(len(x), h.shape[1], dtype=x.dtype).sum(1, keepdim=True),
    "counted": lambda net, h, x: h * torch.arange(h.shape[1], dtype=x.dtype).sum(),
}


@pytest.mark.parametrize("does", NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_follow_from_a_width(does: Callable[[Net, Tensor, Tensor], Tensor]) -> None:
    remedy = "Put it into a module of its own, and exclude that"
    with pytest.raises(PruningError, match=f"the model's forward calculates otherwise .*{remedy}"):
        channel_groups(prepared(two(lambda net, x: net.b(does(net, net.a(x), x)))), X)


def test_numbers_that_do_not() -> None:
    """Positions, constants and chance are the same after a cut, or nobody's business."""

    def forward(net: Net, x: Tensor) -> Tensor:
        h = net.a(x) * torch.arange(len(x), dtype=x.dtype)[:, None] * torch.full((1, 1), 0.5, dtype=x.dtype)
        h = h * torch.tensor([[2.0]] * len(x), dtype=x.dtype) + 0 * torch.randn_like(h)
        return net.b(h + 0 * torch.rand(len(x), 1, dtype=x.dtype))

    model = prepared(two(forward))
    groups = channel_groups(model, X)
    assert [group.units for group in groups] == [8]
    assert_removed_is_masked(model, some(groups, 0), X)


def stale(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def does(h: Tensor, t: Tensor) -> Tensor:
        seen = h.detach()
        change(h)
        return seen

    return does


MEETINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "where": lambda h, t: torch.where(t < -0.5, h, torch.ones((), dtype=t.dtype)),
    "where not": lambda h, t: torch.where(t < -0.5, torch.ones((), dtype=t.dtype), h),
    "minimum": torch.minimum,
    "maximum": lambda h, t: torch.maximum(h, -t),
    "clamp": lambda h, t: h.clamp(max=t),
    "atan2": torch.atan2,
    "power": lambda h, t: h.abs() ** (t * 0),
    "unclean before": lambda h, t: torch.sigmoid(h) * 2,
    "unclean cubed": lambda h, t: (h + 1) ** 3 * t,
    "norm of order -inf": lambda h, t: torch.linalg.vector_norm(h, -math.inf, dim=1, keepdim=True).expand(4, 8),
    "an alias": stale(lambda h: h.add_(1)),
    "an alias of cumsum_": stale(lambda h: h.cumsum_(0)),
    "an alias of sigmoid_": stale(lambda h: h.sigmoid_()),
}


@pytest.mark.parametrize("does", MEETINGS.values(), ids=MEETINGS)
def test_what_is_not_zero_where_channels_are_masked(does: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Its sum over channels depends on how many there are."""
    model = two(lambda net, x: net.b(F.relu(h := net.a(x))) * does(h, x[:, :1]).sum(1, keepdim=True))
    with pytest.raises(PruningError, match="goes over all channels"):
        channel_groups(prepared(model), X)


ZEROS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "where 0": lambda h, t: torch.where(t < -0.5, h, 0.0),
    "masked": lambda h, t: h.masked_fill(t < -0.5, 0),
    "divided": lambda h, t: h / (1 - t),
    "gated": lambda h, t: h * torch.sigmoid(h),
    "in place": lambda h, t: h.mul_(t),
    "norm": lambda h, t: h * torch.linalg.vector_norm(h, dim=1, keepdim=True),
}


@pytest.mark.parametrize("does", ZEROS.values(), ids=ZEROS)
def test_what_is(does: Callable[[Tensor, Tensor], Tensor]) -> None:
    model = prepared(two(lambda net, x: net.b(h := net.a(x)) * does(h, x[:, :1]).sum(1, keepdim=True)))
    groups = channel_groups(model, X)
    assert [group.units for group in groups] == [8]
    for seed in range(3):
        assert_removed_is_masked(model, some(groups, seed), X)


def test_a_share_is_taken_exactly() -> None:
    """.07 of 100 are 7, but 7.000000000000001 as floats have it."""
    model = nn.Sequential(nn.Linear(3, 100), nn.Linear(100, 2))
    groups = channel_groups(model, X.float())
    for percent in range(1, 100):
        keep = keep_top_channels(groups, {"0": torch.rand(100)}, percent / 100, minimum=percent / 100)
        assert int(keep["0"].sum()) == percent


class Bare(nn.Module):
    """Two layers in one module's own parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shift = nn.Parameter(torch.randn(8, 3)), nn.Parameter(torch.randn(8))
        self.second = nn.Parameter(torch.randn(6, 8))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(F.linear(F.relu(F.linear(x, self.first, self.shift)), self.second))


def test_parameters_of_a_module_are_layers_of_their_own() -> None:
    model = prepared(nn.Sequential(Bare(), nn.Linear(6, 2)))
    groups = channel_groups(model, X)
    assert [(group.name, group.units, len(makers(group))) for group in groups] == [
        ("0.first", 8, 1),
        ("0.second", 6, 1),
    ]
    keep = some(groups, 1)
    assert keep_density(keep, "channels") == sum(int(kept.sum()) for kept in keep.values()) / 14
    assert_removed_is_masked(model, keep, X)


def keeping(net: Net, x: Tensor) -> Tensor:
    net.a.last = net.a(x)
    return net.b(net.a.last)


@pytest.mark.parametrize("act", [lambda m, k: channel_groups(m, X), remove_channels])
def test_a_kept_activation_is_named(act: Callable[..., object]) -> None:
    model = prepared(two(keeping))
    keep = some(channel_groups(model, X), 0)
    model(X).sum().backward()
    with pytest.raises(PruningError, match=r"'a' .Linear. keeps a tensor with the graph .* in 'last': detach it"):
        act(model, keep)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [*model.parameters()]
    with pytest.raises(PruningError, match="keeps a tensor with the graph"):
        remove_channels(model, keep, optimizer=sgd)
    assert all(one is other for one, other in zip(before, sgd.param_groups[0]["params"], strict=True))
    cut_in_place(model, keep, sgd)
    assert model(X).shape == (4, 2)
