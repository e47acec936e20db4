"""Small nets with their groups written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from secateurs.core import Group, Member
from toys import CLASSES, Fixed

N = 7


def each(count: int) -> tuple[tuple[int, ...], ...]:
    """Unit u at position u."""
    return tuple((u,) for u in range(count))


def made_by(layer: str, index: tuple[tuple[int, ...], ...], *, bias: bool = True) -> list[Member]:
    weight = Member(f"{layer}.weight", 0, index, "output")
    return [weight, Member(f"{layer}.bias", 0, index, "output")] if bias else [weight]


def normed_by(layer: str, index: tuple[tuple[int, ...], ...]) -> list[Member]:
    scales = [Member(f"{layer}.{name}", 0, index, "norm") for name in ("weight", "bias")]
    return [*scales, *(Member(f"{layer}.{name}", 0, index, "buffer") for name in ("running_mean", "running_var"))]


def read_by(layer: str, index: tuple[tuple[int, ...], ...]) -> Member:
    return Member(f"{layer}.weight", 1, index, "input")


def flattened(channels: int, pixels: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(c * pixels, (c + 1) * pixels)) for c in range(channels))


class Residual(nn.Module):
    """Stem and second convolution are coupled by an addition; one of them has a bias before its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(1, 3, 3, stride=2, padding=1), nn.BatchNorm2d(3)
        self.conv1, self.norm1 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.fc = nn.Linear(27, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = torch.relu(x + self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))))
        return self.fc(x.flatten(1))


def residual_groups() -> list[Group]:
    three, four = each(3), each(4)
    trunk = [
        *made_by("stem", three),
        *normed_by("stem_norm", three),
        *made_by("conv2", three, bias=False),
        *normed_by("norm2", three),
        read_by("conv1", three),
        read_by("fc", flattened(3, 9)),
    ]
    inner = [*made_by("conv1", four, bias=False), *normed_by("norm1", four), read_by("conv2", four)]
    return [Group("stem", 3, tuple(trunk)), Group("conv1", 4, tuple(inner))]


def separable() -> nn.Module:
    """A grouped convolution, a pointwise one and the depthwise one that follows it."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 4, 2, groups=2),
        nn.SiLU(),
        nn.Conv2d(4, 5, 1),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.Conv2d(5, 5, 3, groups=5),
        nn.BatchNorm2d(5),
        nn.Flatten(),
        nn.Linear(5, CLASSES),
    )


def separable_groups() -> list[Group]:
    pairs, five = ((0, 1), (2, 3)), each(5)
    return [
        Group("0", 2, (*made_by("0", pairs), *made_by("2", pairs), read_by("4", pairs))),
        Group(
            "4",
            5,
            (
                *made_by("4", five),
                *normed_by("5", five),
                *made_by("7", five),
                *normed_by("8", five),
                read_by("10", five),
            ),
        ),
    ]


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3, bias=False), nn.ReLU(), nn.Linear(3, CLASSES))


def mlp_groups() -> list[Group]:
    return [
        Group("0", 5, (*made_by("0", each(5)), read_by("2", each(5)))),
        Group("2", 3, (*made_by("2", each(3), bias=False), read_by("4", each(3)))),
    ]


class PartlyCoupled(nn.Module):
    """A wide layer whose first units only are coupled with a narrow one; a square layer reads and makes one group."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide, self.square = nn.Linear(4, 2), nn.Linear(4, 4), nn.Linear(4, 4)
        self.last = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.wide(x) + nn.functional.pad(self.narrow(x), (0, 2))
        return self.last(y + torch.tanh(self.square(torch.tanh(y))))


def partly_coupled_groups() -> list[Group]:
    four, two = each(4), ((0,), (1,), (), ())
    members = [*made_by("narrow", two), *made_by("wide", four), *made_by("square", four)]
    return [Group("narrow", 4, (*members, read_by("square", four), read_by("last", four)))]


@dataclass(frozen=True)
class Net:
    shape: tuple[int, ...]
    make: Callable[[], nn.Module]
    groups: Callable[[], list[Group]]


NETS = {
    "residual": Net((N, 1, 6, 6), Residual, residual_groups),
    "separable": Net((N, 1, 6, 6), separable, separable_groups),
    "mlp": Net((N, 4), mlp, mlp_groups),
    "partly coupled": Net((N, 4), PartlyCoupled, partly_coupled_groups),
}


def example(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Fixed, list[Group]]:
    """The net of that name with random weights and statistics, examples, and its groups."""
    chosen = NETS[name]
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        model = chosen.make()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.5)
                nn.init.normal_(module.bias)
                module.running_mean.normal_()  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        x = torch.randn(chosen.shape)
    return model.to(dtype).train(), Fixed(x.to(dtype), torch.arange(N) % CLASSES), chosen.groups()
