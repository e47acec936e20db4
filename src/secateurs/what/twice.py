"""A gradient and the product of its Hessian with a vector, by double backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointError

from secateurs.core import PruningError
from secateurs.what.double_backward import DoubleBackward
from secateurs.what.passes import differentiable_once

Pair = tuple[Sequence[Tensor], Sequence[Tensor]]
_NOT_TWICE = ("twice", "derivative", "ouble backward")


def twice(
    loss: Callable[[], Tensor],
    leaves: Mapping[str, Tensor],
    *,
    along: Callable[[dict[str, Tensor]], Mapping[str, Tensor]],
    called: str,
) -> Pair:
    """The gradient by ``leaves``, and the product of the Hessian with a vector.

    Args:
        loss: computes it anew each time.
        leaves: by name.
        along: the vector, of the gradient.
        called: who asks, for error messages.

    Raises:
        PruningError: when it cannot be differentiated twice.
    """
    try:
        with DoubleBackward():
            return _twice(loss(), leaves, along, called)
    except CheckpointError:  # parts that are computed anew in the backward pass are so by torch's own forms
        return _twice(loss(), leaves, along, called)


def _twice(
    loss: Tensor,
    leaves: Mapping[str, Tensor],
    along: Callable[[dict[str, Tensor]], Mapping[str, Tensor]],
    called: str,
) -> Pair:
    inputs = [*leaves.values()]
    try:
        first = torch.autograd.grad(loss, inputs, create_graph=True, materialize_grads=True)
        if differentiable_once(first):
            raise RuntimeError("a function in it is marked @once_differentiable, not twice")
        v = along({name: g.detach() for name, g in zip(leaves, first, strict=True)})
        # A gradient without a graph is constant: it has no part in H.
        pairs = [(g, v[name]) for name, g in zip(leaves, first, strict=True) if g.requires_grad]
        second: Sequence[Tensor] = [torch.zeros_like(leaf) for leaf in inputs]
        if pairs:
            outputs, directions = zip(*pairs, strict=True)
            second = torch.autograd.grad(outputs, inputs, directions, materialize_grads=True)
    except RuntimeError as error:
        if isinstance(error, CheckpointError) or not any(word in str(error) for word in _NOT_TWICE):
            raise
        raise PruningError(
            f"{called}: the model cannot be differentiated twice ({error}): replace what says so, "
            "or take a score of first order, e.g. snip"
        ) from error
    return [g.detach() for g in first], second
