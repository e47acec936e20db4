"""Multiply-adds of a forward pass: of each layer, under a mask, and as torch counts them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from secateurs.core import Batch, MeasureError, Task, did_you_mean, evaluating

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Cost:
    """A cost that grows by the same amount with each kept weight of a layer.

    Attributes:
        dense: of the dense network as it is.
        fixed: of what stays whatever the mask says.
        each: of one kept weight, by the layer's name.
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


def counts(mask: Mapping[str, Tensor]) -> dict[str, int]:
    """How many weights each layer keeps.

    >>> counts({"a": torch.ones(3), "b": torch.tensor([1, 0])})
    {'a': 3, 'b': 1}
    """
    return {name: int(flags.count_nonzero()) for name, flags in mask.items()}


@torch.no_grad()
def multiply_adds(model: nn.Module, task: Task, batch: Batch) -> dict[str, int]:
    """In how many multiply-adds of one example each weight of a layer takes part: mean over ``batch``, rounded.

    Of a Linear layer it is the number of vectors that it maps, of a convolution the number of
    positions of its output (padding counts); a layer's multiply-adds are that times its weights, a
    grouped convolution's, too. A layer that is called several times counts each time, one that is
    not called (or whose weight another module uses directly, as nn.MultiheadAttention does) 0. Norms,
    biases, and products of activations with activations are not counted: :func:`counted_by_torch` counts
    the latter. One forward pass, in evaluation mode.

    Returns:
        Name of the weight of each Linear and Conv layer -> times; a weight that several layers share
        stands under its first name.

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
            name = first.setdefault(id(weight), f"{path}.weight" if path else "weight")
            times[name] = 0
            hooks.append(layer.register_forward_hook(counting(name, len(weight))))
    try:
        with evaluating(model):
            task.output(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: round(each / task.size(batch)) for name, each in times.items()}


def layer_multiply_adds(
    model: nn.Module, times: Mapping[str, int], mask: Mapping[str, Tensor] | None = None
) -> dict[str, int]:
    """Multiply-adds of one example in each Linear and Conv layer, with the weights that ``mask`` keeps.

    Args:
        times: what :func:`multiply_adds` says.
        mask: layers without a mask count in full; None: all do.

    >>> layer_multiply_adds(nn.Linear(3, 2), {"weight": 5}, {"weight": torch.eye(2, 3)})
    {'weight': 10}
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    kept = counts(mask or {})
    return {name: each * kept.get(name, parameters[name].numel()) for name, each in times.items()}


def work_of(model: nn.Module, names: Sequence[str], times: Mapping[str, int]) -> Cost:
    """Multiply-adds of one example, by the masks of the parameters ``names``.

    Args:
        times: what :func:`multiply_adds` says.

    >>> work_of(nn.Linear(100, 10), ["weight"], {"weight": 1})
    Cost(dense=1000, fixed=0, each={'weight': 1})
    """
    work = layer_multiply_adds(model, times)
    fixed = sum(each for name, each in work.items() if name not in names)
    return Cost(sum(work.values()), fixed, {name: times.get(name, 0) for name in names})


def counted_by_torch(model: nn.Module, task: Task, batch: Batch) -> int:
    """Multiply-adds of one example as ``torch.utils.flop_counter`` counts them, without computing anything but shapes.

    The mean over ``batch``, rounded. Beside what :func:`multiply_adds` knows it counts products of activations
    (attention) and weights that no Linear or Conv layer calls; biases and norms it does not count either. On the
    meta device, since on the CPU it counts 0 for attention; the copy there shares no memory with the model.

    Raises:
        MeasureError: when the forward pass looks at values, which a copy without values does not have.

    >>> from secateurs.zoo import Classification
    >>> net = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(16, 3))
    >>> counted_by_torch(net, Classification(3), Batch(torch.ones(1, 2, 4, 4), torch.tensor([0])))  # 36 x 4 + 48
    192
    """
    from torch.utils.flop_counter import FlopCounterMode

    shapes = Batch(*(part.to("meta") for part in batch))
    with evaluating(without_values(model)) as copied, torch.no_grad(), FlopCounterMode(display=False) as counter:
        try:
            task.output(copied, shapes)
        except (RuntimeError, NotImplementedError) as error:
            raise MeasureError(
                f"counted_by_torch: the forward pass does not run without values ({error}): use multiply_adds, which "
                "runs it on the batch itself"
            ) from error
    flops = int(counter.get_total_flops())
    return round(flops / 2 / task.size(batch))


def without_values(model: nn.Module) -> nn.Module:
    """A copy on the meta device; nothing of the model's size is allocated.

    >>> without_values(nn.Linear(2, 3)).weight.device.type
    'meta'
    """
    memo: dict[int, Tensor] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        shape = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = nn.Parameter(shape, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else shape
    return copy.deepcopy(model, memo)


def check_mask(model: nn.Module, mask: Mapping[str, Tensor], called: str) -> None:
    """Whether each layer of a mask is one of the model's.

    Raises:
        MeasureError: naming the first that is not, or has another shape.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, flags in mask.items():
        if name not in parameters:
            raise MeasureError(f"{called}: mask: the model has no parameter {name!r}{did_you_mean(name, parameters)}")
        if flags.shape != parameters[name].shape:
            raise MeasureError(
                f"{called}: mask: {name!r} has shape {tuple(flags.shape)}, in the model "
                f"{tuple(parameters[name].shape)}: was it made before channels were removed?"
            )
