"""Networks of every structure that channels can be coupled by, and the comparison of removing with masking."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import Group, Keep
from secateurs.how import mask_channels, remove_channels
from transformer_nets import NETS as TRANSFORMERS
from transformer_nets import PICTURES, VECTORS, WORDS

Conv = nn.Conv2d


class Net(nn.Module):
    """Layers by name, and what is done with them."""

    def __init__(self, forward: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.does = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Tensor) -> Any:
        return self.does(self, *inputs)


class DenseNet(nn.Module):
    """DenseNet's concatenation, with a transition."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, width = Conv(3, 6, 3, padding=1, bias=False), 6
        self.layers = nn.ModuleList()
        for _ in range(3):
            bottleneck = [nn.BatchNorm2d(width), nn.ReLU(), Conv(width, 8, 1, bias=False)]
            self.layers.append(nn.Sequential(*bottleneck, nn.BatchNorm2d(8), nn.ReLU(), Conv(8, 4, 3, padding=1)))
            width += 4
        self.norm, self.transition, self.fc = nn.BatchNorm2d(width), Conv(width, 5, 1), nn.Linear(5 * 16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.fc(F.avg_pool2d(self.transition(F.relu(self.norm(x))), 2).flatten(1))


class OptionA(nn.Module):
    """A shortcut that pads channels with zeros, half of them on each side; the padding is a module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv1, self.conv2 = Conv(3, 4, 3, 1, 1), Conv(4, 8, 3, 2, 1), Conv(8, 8, 3, 1, 1)
        self.bn1, self.bn2, self.pad = nn.BatchNorm2d(8), nn.BatchNorm2d(8), nn.ZeroPad3d((0, 0, 0, 0, 2, 2))
        self.conv3, self.fc = Conv(8, 8, 1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        y = F.relu(y + self.pad(x[:, :, ::2, ::2]))
        return self.fc((y + self.conv3(y)).mean((2, 3)))


class Scales(nn.Module):
    """Parameters of one entry per channel, used outside any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.rand(6)), nn.Parameter(torch.rand(6, 1, 1))
        self.one, self.two = Conv(3, 6, 3), Conv(6, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = (self.one(x) * self.shift + self.shift).permute(0, 2, 3, 1).mul(self.scale).permute(0, 3, 1, 2)
        return self.two(y * self.scale.view(1, -1, 1, 1))


def separable(i: int, o: int, stride: int = 1) -> nn.Module:
    depthwise = [Conv(i, i, 3, stride, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.ReLU6()]
    return nn.Sequential(*depthwise, Conv(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.Hardswish())


def resnext(net: Net, x: Tensor) -> Tensor:
    x = net.stem(x)
    return net.fc(F.relu(x + net.three(F.relu(net.two(F.relu(net.one(x)))))).mean((2, 3)))


def gated(net: Net, x: Tensor) -> Tensor:
    a, b = net.one(x).chunk(2, 1)
    return net.fc((a * torch.sigmoid(b)).mean((2, 3)))


def squeezed(net: Net, x: Tensor) -> Tensor:
    x = net.one(x)
    x = x * torch.sigmoid(net.expand(F.relu(net.reduce(x.mean((2, 3), keepdim=True)))))
    return net.fc(x.mean((2, 3)))


def u_net(net: Net, x: Tensor) -> Tensor:
    x = F.relu(net.one(x), inplace=True)
    return net.out(torch.cat([x, F.interpolate(F.relu(net.two(F.max_pool2d(x, 2))), scale_factor=2)], 1))


def attending(net: Net, x: Tensor) -> Tensor:
    q, k, v = (layer(x).view(*x.shape[:-1], -1, 4).transpose(1, 2) for layer in (net.q, net.k, net.v))
    y = F.scaled_dot_product_attention(q, k, v) + torch.softmax(q @ k.transpose(2, 3), -1) @ v
    return x + net.out(y.transpose(1, 2).reshape(*x.shape[:-1], -1))


def recurrent(net: Net, x: Tensor) -> Tensor:
    return net.out(net.cells(net.into(x))[0])


def spatially_gated(net: Net, x: Tensor) -> Tensor:
    x = net.one(x)
    return net.two(x * torch.sigmoid(net.gate(x)))


def halves(net: Net, x: Tensor) -> Tensor:
    x = net.one(x)
    return net.two(x[:, : x.shape[1] // 2] * x[:, x.shape[1] // 2 :])


@dataclass(frozen=True)
class Structure:
    """A network, the shape of its input, and the units of its groups, worked out by hand."""

    make: Callable[[], nn.Module]
    units: dict[str, int]
    shape: tuple[int, ...] = PICTURES


STRUCTURES: dict[str, Structure] = {
    "mlp": Structure(
        lambda: nn.Sequential(nn.Linear(8, 7), nn.GELU(), nn.Linear(7, 6), nn.Sigmoid(), nn.Linear(6, 4)),
        {"0": 7, "2": 6},
        VECTORS,
    ),
    "mlp over words": Structure(
        lambda: nn.Sequential(nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 6), nn.Flatten(), nn.Linear(24, 4)),
        {"0": 7, "2": 6},
        WORDS,
    ),
    "dense net": Structure(
        DenseNet,
        {"stem": 6} | {f"layers.{i}.{j}": n for i in range(3) for j, n in ((2, 8), (5, 4))} | {"transition": 5},
    ),
    "option A": Structure(OptionA, {"stem": 8, "conv1": 8}),
    "mobile net": Structure(
        lambda: nn.Sequential(
            Conv(3, 8, 3, 2, 1), nn.BatchNorm2d(8), separable(8, 6), separable(6, 5, 2), nn.Flatten(), nn.Linear(20, 4)
        ),
        {"0": 8, "2.3": 6, "3.3": 5},
    ),
    "depth multiplier": Structure(
        lambda: nn.Sequential(Conv(3, 4, 1), Conv(4, 8, 3, groups=4), nn.ELU(), nn.Flatten(), nn.Linear(288, 4)),
        {"0": 4},
    ),
    "res next": Structure(
        lambda: Net(
            resnext,
            stem=Conv(3, 10, 1),
            one=Conv(10, 8, 1),
            two=Conv(8, 12, 3, padding=1, groups=4),
            three=Conv(12, 10, 1),
            fc=nn.Linear(10, 4),
        ),
        {"stem": 10, "one": 4},
    ),
    "gated": Structure(lambda: Net(gated, one=Conv(3, 8, 3), fc=nn.Linear(4, 4)), {"one": 4}),
    "halves": Structure(lambda: Net(halves, one=Conv(3, 8, 3), two=Conv(4, 4, 1)), {"one": 4}),
    "squeeze and excite": Structure(
        lambda: Net(squeezed, one=Conv(3, 8, 3), reduce=Conv(8, 4, 1), expand=Conv(4, 8, 1), fc=nn.Linear(8, 4)),
        {"one": 8, "reduce": 4},
    ),
    "group norm": Structure(
        lambda: nn.Sequential(
            Conv(3, 8, 3),
            nn.GroupNorm(4, 8),
            nn.SiLU(),
            Conv(8, 6, 3),
            nn.GroupNorm(6, 6),
            nn.Flatten(),
            nn.Linear(96, 4),
        ),
        {"0": 4, "3": 6},
    ),
    "layer norm": Structure(
        lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 6), nn.GELU(), nn.Linear(6, 8)),
        {"2": 6},
        VECTORS,
    ),
    "transposed": Structure(
        lambda: nn.Sequential(
            Conv(3, 4, 3),
            nn.PReLU(4),
            nn.ConvTranspose2d(4, 6, 3),
            nn.ConvTranspose2d(6, 6, 2, groups=3),
            Conv(6, 4, 1),
        ),
        {"0": 4, "2": 3},
    ),
    "input added": Structure(
        lambda: Net(
            lambda net, x: net.out(net.two(F.relu(net.one(x))) + x),
            one=Conv(3, 6, 1),
            two=Conv(6, 3, 1),
            out=Conv(3, 4, 1),
        ),
        {"one": 6},
    ),
    "parameters alone": Structure(Scales, {"one": 6}),
    "u-net": Structure(
        lambda: Net(u_net, one=Conv(3, 6, 3, padding=1), two=Conv(6, 5, 3, padding=1), out=Conv(11, 4, 1)),
        {"one": 6, "two": 5},
    ),
    "normalised": Structure(
        lambda: Net(lambda net, x: net.two(F.normalize(net.one(x), dim=1)), one=Conv(3, 6, 3), two=Conv(6, 4, 1)),
        {"one": 6},
    ),
    "spatial gate": Structure(
        lambda: Net(spatially_gated, one=Conv(3, 6, 3), gate=Conv(6, 1, 1), two=Conv(6, 4, 1)), {"one": 6}
    ),
    "series": Structure(
        lambda: nn.Sequential(
            nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(18, 4)
        ),
        {"0": 6},
        WORDS,
    ),
    "volumes": Structure(
        lambda: nn.Sequential(
            nn.Conv3d(1, 6, 3), nn.BatchNorm3d(6), nn.ReLU(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(6, 4)
        ),
        {"0": 6},
        (2, 1, 4, 4, 4),
    ),
    "attention heads": Structure(
        lambda: Net(attending, q=nn.Linear(8, 12), k=nn.Linear(8, 12), v=nn.Linear(8, 12), out=nn.Linear(12, 8)),
        {"q": 3},
        WORDS,
    ),
    "lstm": Structure(
        lambda: Net(
            recurrent,
            into=nn.Linear(8, 7),
            cells=nn.LSTM(7, 6, num_layers=2, bidirectional=True, batch_first=True),
            out=nn.Linear(12, 4),
        ),
        {"into": 7, "cells": 6},
        WORDS,
    ),
    "gru": Structure(
        lambda: Net(recurrent, into=nn.Linear(8, 7), cells=nn.GRU(7, 6), out=nn.Linear(6, 4)),
        {"into": 7, "cells": 6},
        WORDS,
    ),
    "gru, one step": Structure(
        lambda: Net(recurrent, into=nn.Linear(8, 7), cells=nn.GRU(7, 6), out=nn.Linear(6, 4)),
        {"into": 7, "cells": 6},
        (1, 2, 8),
    ),
    "transformer": Structure(
        lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), {"linear1": 16}, WORDS
    ),
}
STRUCTURES |= {name: Structure(*each) for name, each in TRANSFORMERS.items()}


def prepared(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model in float64 and evaluation mode, with every norm at random values: nothing is 0 or 1 by luck."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(getattr(module, "running_mean", None), Tensor):
                module.running_mean.normal_(generator=generator)  # type: ignore[union-attr,operator]
                module.running_var.uniform_(0.5, 2, generator=generator)  # type: ignore[union-attr,operator]
            if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
                for name, parameter in module.named_parameters():
                    parameter.copy_(torch.rand(parameter.shape, generator=generator) + (0.5 if name == "weight" else 0))
    return model


def structure(name: str) -> tuple[nn.Module, Tensor]:
    """The network of that name with random weights and norms, and an input for it."""
    chosen = STRUCTURES[name]
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        return prepared(chosen.make()), torch.randn(chosen.shape, dtype=torch.float64)


def some(groups: tuple[Group, ...], seed: int, share: float = 0.5) -> Keep:
    """Each unit stays with probability ``share``, but each layer keeps one."""
    generator = torch.Generator().manual_seed(seed)
    kept = {}
    for group in groups:
        flags = torch.rand(group.units, generator=generator) < share
        for member in group.members:
            units = [unit for unit, places in enumerate(member.index) if places]
            if member.role == "output" and not flags[units].any():
                flags[units[int(torch.randint(len(units), (), generator=generator))]] = True
        kept[group.name] = flags
    return Keep(groups, kept)


def assert_removed_is_masked(model: nn.Module, keep: Keep, x: Tensor) -> nn.Module:
    """The removed network gives what the masked one gives; it is smaller, and what went changed the output."""
    small, masked = remove_channels(model, keep), copy.deepcopy(model)
    mask_channels(masked, keep)
    with torch.no_grad():
        torch.testing.assert_close(small(x), masked(x), rtol=1e-10, atol=1e-12)
    if keep.removed:
        assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())
    return small


def state_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """All there is to a model and its optimiser, by identity and by value."""
    return {
        "parameters": {name: (id(p), p.detach().clone(), p.grad) for name, p in model.named_parameters()},
        "buffers": {name: (id(b), b.clone()) for name, b in model.named_buffers()},
        "said": repr(model),
        "groups": [[id(p) for p in group["params"]] for group in optimizer.param_groups],
        "state": {id(p): {k: (id(v), copy.deepcopy(v)) for k, v in s.items()} for p, s in optimizer.state.items()},
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
