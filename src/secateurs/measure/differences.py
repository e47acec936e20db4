"""Other distances between trained networks: of weights, of decisions, of losses (P2 sections 4.1.5 and 4.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from secateurs.core import Classifies, MeasureError, Task, evaluating
from secateurs.measure.batches import Data, batches_of
from secateurs.measure.states import State, Tensors, borrowed, tensors_of, write


@dataclass(frozen=True)
class Distances:
    """How far apart two networks are.

    Attributes:
        l2: ||a - b|| over all parameters, buffers not counted; >= 0.
        cosine: 1 - cos(a, b) over the same, in [0, 2].
        differing: how many examples the two classify differently.
        loss_l2: L2 distance of the vectors of the examples' losses, in nats; >= 0.
        examples: how many there were.
    """

    l2: float
    cosine: float
    differing: int
    loss_l2: float
    examples: int


@torch.no_grad()
def distances(model: nn.Module, a: State, b: State, task: Task, data: Data, *, batch_size: int = 512) -> Distances:
    """The four distances of P2 section 4.1.5, for networks of one architecture, whatever their masks.

    Evaluation mode; the model, which only lends its form, is afterwards as it was.

    Args:
        a, b: state dicts, networks, or training states.
        data: unaugmented examples: a set, or batches that can be gone through again.

    Raises:
        MeasureError: when the architectures differ, a weight is not finite, the weights of one are all 0,
            or the task's outputs are not logits over classes.
        DataError: without examples.

    >>> from secateurs.core import Batch
    >>> from secateurs.zoo import Classification
    >>> net = nn.Linear(2, 2, bias=False)
    >>> a, b = {"weight": torch.eye(2)}, {"weight": torch.eye(2).flip(0)}
    >>> data = [Batch(torch.tensor([[1.0, 0.0], [2.0, 2.0]]), torch.tensor([0, 0]))]
    >>> found = distances(net, a, b, Classification(2), data)
    >>> round(found.l2, 3), round(found.cosine, 3), found.differing, round(found.loss_l2, 3)
    (2.0, 1.0, 1, 1.0)
    """
    if not isinstance(task, Classifies):
        raise MeasureError(
            f"distances: {type(task).__name__} has no logits over classes to be compared; l2_distance needs none"
        )
    one, other = tensors_of(model, a, "a", "distances"), tensors_of(model, b, "b", "distances")
    differing, squares, examples = 0, 0.0, 0
    with borrowed(model) as slots, evaluating(model):
        for batch in batches_of(data, batch_size, "distances"):
            decided, lost = [], []
            for state in (one, other):
                write(slots, state)
                output = task.output(model, batch)
                decided.append(output.argmax(-1))
                lost.append(task.losses(output, batch).double())
            differing += int((decided[0] != decided[1]).sum())
            squares += float((lost[0] - lost[1]).square().sum())
            examples += task.size(batch)
    weights = _parameters(model, one), _parameters(model, other)
    return Distances(_l2(*weights), _cosine(*weights), differing, math.sqrt(squares), examples)


@torch.no_grad()
def l2_distance(model: nn.Module, a: State, b: State, *, mask: Mapping[str, Tensor] | None = None) -> float:
    """||a - b|| over all parameters (P2 sections 4.1.5, 4.3): from initialisation, to the end, between copies.

    Args:
        mask: laid on both first, as P2 does for subnetworks.

    Raises:
        MeasureError: when the architectures differ, a weight is not finite, or the mask is of another network.

    >>> net = nn.Linear(2, 1, bias=False)
    >>> a, b = {"weight": torch.tensor([[3.0, 1.0]])}, {"weight": torch.zeros(1, 2)}
    >>> l2_distance(net, a, b, mask={"weight": torch.tensor([[True, False]])})
    3.0
    """
    one, other = (
        _parameters(model, tensors_of(model, each, name, "l2_distance")) for each, name in ((a, "a"), (b, "b"))
    )
    for name, kept in (mask or {}).items():
        if name not in one or one[name].shape != kept.shape:
            raise MeasureError(f"l2_distance: mask: {name!r} is of another network")
        one[name], other[name] = (each[name] * kept.to(each[name].device) for each in (one, other))
    return _l2(one, other)


def _parameters(model: nn.Module, tensors: Tensors) -> Tensors:
    """Those that are parameters, each once, in float64."""
    return {name: tensors[name].double() for name, _ in model.named_parameters()}


def _l2(a: Tensors, b: Tensors) -> float:
    return math.sqrt(sum(float((a[name] - b[name]).square().sum()) for name in a))


def _cosine(a: Tensors, b: Tensors) -> float:
    """Half the squared distance of the directions: 0 for equal ones, without the rounding of 1 - cos."""
    sizes = [math.sqrt(sum(float(value.square().sum()) for value in each.values())) for each in (a, b)]
    if not all(sizes):
        raise MeasureError("distances: all weights of a network are 0, which has no direction")
    return sum(float((a[name] / sizes[0] - b[name] / sizes[1]).square().sum()) for name in a) / 2
