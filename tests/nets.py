"""Small networks of every shape that a rule for per-sample gradients could trip over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toys import CLASSES, Fixed, net

N = 7
PICTURES, VECTORS, SERIES, WORDS, VOLUMES = (N, 1, 6, 6), (N, 4), (N, 2, 9), (N, 5), (N, 1, 3, 3, 3)


class UsedTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.again, self.last, self.unused = nn.Linear(4, 4), nn.Linear(4, CLASSES), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.again(torch.tanh(self.again(x)))))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, CLASSES)
        self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.other(torch.tanh(self.one(x)))))


class OutsideItsLayer(nn.Module):
    """The weight of a layer that is called is used directly as well, as tied embeddings are."""

    def __init__(self) -> None:
        super().__init__()
        self.square, self.last = nn.Linear(4, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.linear(torch.tanh(self.square(x)), self.square.weight.T))


class NeverCalled(nn.Module):
    """A layer that only keeps its weight for others."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper, self.last = nn.Linear(4, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(F.linear(x, self.keeper.weight)))


class BareParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.last = nn.Parameter(torch.tensor([1.0, 2.0, -1.0, 0.5])), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(x * self.scale))


class InPlace(nn.Module):
    """What a layer gave is changed where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(72, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        y += x
        return self.fc(self.relu(y).flatten(1))


class InPlaceOnViews(nn.Module):
    """A part of what a layer gave is changed where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        y[:, :2] *= 2
        z = self.two(torch.tanh(y))
        z[:, 1:4].relu_()
        return self.last(z)


class Folded(nn.Module):
    """Positions are folded into the batch dimension, or before it."""

    def __init__(self, transpose: bool) -> None:
        super().__init__()
        self.inner, self.last, self.transpose = nn.Linear(9, 4), nn.Linear(8, CLASSES), transpose

    def forward(self, x: Tensor) -> Tensor:
        if self.transpose:
            y = self.inner(x.transpose(0, 1)).transpose(0, 1)
        else:
            y = self.inner(x.flatten(0, 1)).unflatten(0, (len(x), 2))
        return self.last(torch.tanh(y).flatten(1))


class AsLong(nn.Module):
    """Positions come first, and there are as many as examples: only the meaning of the two dimensions differs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.last = nn.Linear(3, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.inner(x.transpose(0, 1))).mean(0))


class Branches(nn.Module):
    """One output goes several ways, one layer is left out of some passes, another gets a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.left, self.right = nn.Linear(4, 4), nn.Linear(4, CLASSES), nn.Linear(4, CLASSES, bias=False)
        self.constant, self.idle = nn.Linear(2, CLASSES), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        return self.left(y * y) + self.right(y) * y.sum(1, keepdim=True) + self.constant(x.new_ones(len(x), 2))


def flat(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(CLASSES))


def conv(*args: object, **options: object) -> nn.Module:
    return nn.Conv2d(*args, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Net:
    """A network, the shape of its inputs, and what the warning says where it must be done the slow way."""

    shape: tuple[int, ...]
    make: Callable[[], nn.Module]
    slow: str | None = None
    slow_for_all: str | None = None

    def warned(self, *, all_parameters: bool = False) -> AbstractContextManager[object]:
        """Expect the warning, and no warning where there is no reason for one."""
        slow = self.slow or (self.slow_for_all if all_parameters else None)
        return pytest.warns(UserWarning, match=f"by vmap.*{slow}") if slow else nullcontext()


NETS = {
    "mlp": Net(VECTORS, lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, CLASSES, bias=False))),
    "only Linear": Net(VECTORS, lambda: nn.Linear(4, CLASSES)),
    "conv, norm, dropout": Net(PICTURES, net),
    "wide conv": Net(PICTURES, lambda: flat(conv(1, 9, 5, padding=2), nn.ReLU(), conv(9, 8, 3))),
    "groups": Net(PICTURES, lambda: flat(conv(1, 4, 3), nn.ELU(), conv(4, 6, 2, groups=2, dilation=2))),
    "depthwise": Net(PICTURES, lambda: flat(conv(1, 4, 3, (2, 1)), nn.ELU(), conv(4, 4, (1, 3), groups=4))),
    "padding same": Net(PICTURES, lambda: flat(conv(1, 2, 3, padding="same"), nn.Tanh()), "'0' .Conv2d. has no rule"),
    "padding circular": Net(
        PICTURES, lambda: flat(conv(1, 2, 3, padding=1, padding_mode="circular")), "'0' .Conv2d. has no rule"
    ),
    "series": Net(SERIES, lambda: flat(nn.Conv1d(2, 3, 3, stride=2), nn.BatchNorm1d(3), nn.Tanh())),
    "group norm": Net(SERIES, lambda: flat(nn.Conv1d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Tanh())),
    "layer norm": Net(SERIES, lambda: flat(nn.Linear(9, 4), nn.LayerNorm(4), nn.Tanh())),
    "instance norm": Net(
        SERIES,
        lambda: flat(nn.Linear(9, 4), nn.InstanceNorm1d(2, affine=True), nn.Tanh()),
        slow_for_all="'1' .InstanceNorm1d. has no rule",
    ),
    "norm without weights": Net(SERIES, lambda: flat(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4, affine=False), nn.Tanh())),
    "volumes": Net(VOLUMES, lambda: flat(nn.Conv3d(1, 4, 2), nn.Tanh(), nn.Conv3d(4, 4, 2, groups=2))),
    "transposed conv": Net(
        PICTURES,
        lambda: flat(nn.ConvTranspose2d(1, 2, 3), nn.Tanh(), conv(2, 2, 3)),
        slow_for_all="'0' .ConvTranspose2d. has no rule",
    ),
    "words": Net(WORDS, lambda: flat(nn.Embedding(6, 3, padding_idx=1), nn.Linear(3, 2), nn.Tanh())),
    "used twice": Net(VECTORS, UsedTwice, "'again' is used more than once"),
    "tied": Net(VECTORS, Tied, "one.weight and other.weight are one parameter"),
    "outside its layer": Net(VECTORS, OutsideItsLayer, "'square.weight' is used 2 times, not only by its layer"),
    "never called": Net(VECTORS, NeverCalled, "'keeper.weight' is used, but not by its layer"),
    "bare parameter": Net(VECTORS, BareParameter, slow_for_all="the model itself. .BareParameter. has no rule"),
    "in place": Net(PICTURES, InPlace),
    "in place on views": Net(VECTORS, InPlaceOnViews),
    "in place at once": Net(PICTURES, lambda: flat(conv(1, 3, 3), nn.ReLU(inplace=True), conv(3, 2, 3))),
    "folded": Net(SERIES, lambda: Folded(False), "'inner' mixes the batch dimension: it got 14 rows for 7 examples"),
    "transposed": Net(SERIES, lambda: Folded(True), "'inner' mixes the batch dimension"),
    "transposed, as long": Net((N, N, 3), AsLong, "'inner' mixes the batch dimension: it got 7 rows for 1 examples"),
    "branches": Net(VECTORS, Branches),
}


def example(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Fixed]:
    """The net of that name in training mode, with random weights and norm statistics, and N examples."""
    chosen = NETS[name]
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        model = chosen.make()
        x = torch.randint(0, 6, chosen.shape) if chosen.shape is WORDS else torch.randn(chosen.shape)
        model(x)  # lazy layers
        for module in model.modules():
            if isinstance(getattr(module, "running_mean", None), Tensor):
                module.running_mean.normal_()  # type: ignore[union-attr,operator]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr,operator]
    x = x if chosen.shape is WORDS else x.to(dtype)
    return model.to(dtype).train(), Fixed(x, torch.arange(N) % CLASSES)
