"""What a network costs under a mask: bytes, and multiply-adds of one example."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Task, evaluating
from secateurs.how import Mask
from secateurs.pruner.wrappers import plain

_INDEX = 4  # bytes of an int32 index
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Cost:
    """A cost that grows by the same amount with each kept weight of a layer.

    Attributes:
        dense: of the dense network as it is.
        fixed: of what stays whatever the mask says.
        each: of one kept weight, by the layer's plain name.
    """

    dense: int
    fixed: int
    each: Mapping[str, int]

    def under(self, kept: Mapping[str, int]) -> int:
        """Of the network with so many weights kept in each layer.

        >>> Cost(dense=100, fixed=10, each={"a": 2, "b": 5}).under({"a": 10, "b": 1})
        35
        """
        return self.fixed + sum(self.each[name] * count for name, count in kept.items())


class Costs(NamedTuple):
    """Bytes, and multiply-adds where they were measured."""

    bytes: Cost
    multiply_adds: Cost | None


def counts(mask: Mask) -> dict[str, int]:
    """How many weights each layer keeps.

    >>> counts(Mask({"a": torch.ones(3), "b": torch.tensor([1, 0])}))
    {'a': 3, 'b': 1}
    """
    return {name: int(flags.sum()) for name, flags in mask.items()}


def costs_of(model: nn.Module, names: Sequence[str], times: Mapping[str, int] | None = None) -> Costs:
    """What ``model`` costs, by the masks of the parameters ``names``.

    Args:
        times: what :func:`multiply_adds` measured.

    >>> found = costs_of(nn.Linear(100, 10), ["weight"], {"weight": 1})
    >>> found.bytes
    Cost(dense=4040, fixed=84, each={'weight': 8})
    >>> found.multiply_adds
    Cost(dense=1000, fixed=0, each={'weight': 1})
    """
    parameters = {plain(name): p for name, p in model.named_parameters(remove_duplicate=False)}
    masked = {plain(name): parameters[plain(name)] for name in names}
    dense = sum(p.numel() * p.element_size() for p in model.parameters())
    rest = dense - sum(p.numel() * p.element_size() for p in masked.values())
    rows = sum((len(p) + 1) * _INDEX for p in masked.values())
    stored = Cost(dense, rest + rows, {name: p.element_size() + _INDEX for name, p in masked.items()})
    if times is None:
        return Costs(stored, None)
    work = {name: parameters[name].numel() * count for name, count in times.items()}
    fixed = sum(work[name] for name in work.keys() - masked.keys())
    return Costs(stored, Cost(sum(work.values()), fixed, {name: times.get(name, 0) for name in masked}))


@torch.no_grad()
def multiply_adds(model: nn.Module, task: Task, batch: Batch) -> dict[str, int]:
    """In how many multiply-adds of one example each weight of a layer takes part: mean over ``batch``, rounded.

    Of a Linear layer it is the number of vectors that it maps, of a convolution the number of
    positions of its output (padding counts); a layer's multiply-adds are that times its weights, a
    grouped convolution's, too. A layer that is called several times counts each time, one that is
    not called (or whose weight another module uses directly, as nn.MultiheadAttention does) 0. Norms,
    biases, and products of activations with activations are not counted. One forward pass, in evaluation mode.

    Returns:
        Plain name of the weight of each Linear and Conv layer -> times.

    >>> from secateurs.zoo import Classification
    >>> net = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(16, 3))
    >>> multiply_adds(net, Classification(3), Batch(torch.ones(1, 2, 4, 4), torch.tensor([0])))
    {'0.weight': 4, '2.weight': 1}
    """
    first: dict[int, str] = {}  # of layers that share a weight, the first
    times: dict[str, int] = {}
    hooks = []

    def counting(name: str, channels: int) -> Callable[[nn.Module, object, Tensor], None]:
        def count(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
            times[name] += output.numel() // channels

        return count

    for path, layer in model.named_modules():
        weight = layer._parameters.get("weight") if isinstance(layer, _LAYERS) else None
        if weight is not None:
            name = first.setdefault(id(weight), plain(f"{path}.weight" if path else "weight"))
            times[name] = 0
            hooks.append(layer.register_forward_hook(counting(name, len(weight))))
    try:
        with evaluating(model):
            task.output(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: round(each / task.size(batch)) for name, each in times.items()}
