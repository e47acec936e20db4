"""Whether an exported network gives what the original gives: on the example, and on random inputs of other sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from secateurs.core import Batch, ExportError, evaluating, generator_for

Example = Tensor | Batch | Sequence[Tensor] | Mapping[str, Tensor]
"""What a network is called with: a tensor, a batch (its inputs), arguments, or arguments by name."""


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call: tensors whose first dimension is the batch, or that have none."""

    args: tuple[Tensor, ...]
    kwargs: dict[str, Tensor]

    @property
    def tensors(self) -> list[Tensor]:
        """All of them, in order."""
        return [*self.args, *self.kwargs.values()]

    @property
    def rows(self) -> int:
        """How many examples."""
        return next(len(tensor) for tensor in self.tensors if tensor.ndim)

    def map(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        """The same arguments with other tensors."""
        return Inputs(tuple(map(change, self.args)), {name: change(tensor) for name, tensor in self.kwargs.items()})


@dataclass(frozen=True)
class Exported:
    """A file that was checked.

    Attributes:
        path: where it is.
        bytes: its size on disk, with the data beside it if there are some.
        difference: largest absolute difference between an output and the original network's, over all calls compared.
        calls: how many calls were compared, each with another number of examples.
    """

    path: Path
    bytes: int
    difference: float
    calls: int


def inputs_of(example: Example) -> Inputs:
    """The arguments that an example means.

    Raises:
        ExportError: when there is no tensor with a batch dimension, or they disagree on the number of examples.

    >>> inputs_of({"ids": torch.zeros(2, 5)}).rows
    2
    """
    if isinstance(example, Batch):
        example = example.inputs
    if isinstance(example, Mapping):
        found = Inputs((), dict(example))
    else:
        found = Inputs((example,) if isinstance(example, Tensor) else tuple(example), {})
    if not all(isinstance(tensor, Tensor) for tensor in found.tensors):
        raise ExportError("example: expected tensors only: a tensor, a tuple of tensors, or a mapping of them by name")
    rows = {len(tensor) for tensor in found.tensors if tensor.ndim}
    if len(rows) != 1 or 0 in rows:
        raise ExportError(
            "example: the first dimension of all tensors must be the batch, with one example at least; got "
            f"{[list(tensor.shape) for tensor in found.tensors]}"
        )
    return found


def random_inputs(like: Inputs, rows: int, generator: torch.Generator) -> Inputs:
    """Random tensors of the same kinds: normal with the mean and deviation that they have, integers in their range.

    >>> drawn = random_inputs(inputs_of(torch.tensor([[1, 3], [2, 2]])), 4, generator_for("doc"))
    >>> drawn.args[0].shape, bool(((drawn.args[0] >= 1) & (drawn.args[0] <= 3)).all())
    (torch.Size([4, 2]), True)
    """

    def draw(tensor: Tensor) -> Tensor:
        if not tensor.ndim or not tensor.numel():
            return tensor
        shape = (rows, *tensor.shape[1:])
        if tensor.is_floating_point():
            values = tensor.detach().double().cpu()
            wide = float(values.std(correction=0)) or 1.0
            drawn = torch.randn(shape, generator=generator, dtype=torch.float64) * wide + float(values.mean())
        else:
            low, high = int(tensor.min()), int(tensor.max())
            drawn = torch.randint(low, high + 1, shape, generator=generator)
        return drawn.to(tensor.device, tensor.dtype)

    return like.map(draw)


def checked(
    model: nn.Module, run: Callable[[Inputs], Sequence[Tensor]], example: Inputs, tolerance: float, seed: int, what: str
) -> tuple[float, int]:
    """Compare ``run`` with ``model`` on the example, on one random example, and on one more than the example has.

    Returns:
        The largest absolute difference, and the number of calls.

    Raises:
        ExportError: when an output differs by more than ``tolerance`` times the largest absolute value in it (or 1 if
            that is smaller), or in number, shape or type, or ``run`` fails.
    """
    generator = generator_for("export", seed)
    calls = [example, *(random_inputs(example, rows, generator) for rows in (1, example.rows + 1))]
    worst = 0.0
    for inputs in calls:
        told = f"{what}, called with {inputs.rows} examples"
        try:
            expected = outputs(model, inputs)
        except Exception as error:  # the user's own code
            raise ExportError(f"the network itself fails, called with {inputs.rows} examples: {error}") from error
        try:
            found = list(run(inputs))
        except Exception as error:  # any of a foreign runtime's
            raise ExportError(f"{told}: fails: {error}") from error
        if [each.shape for each in found] != [each.shape for each in expected]:
            shapes = [[list(each.shape) for each in some] for some in (found, expected)]
            raise ExportError(f"{told}: gives outputs of shapes {shapes[0]}, not {shapes[1]}")
        for one, other in zip(found, expected, strict=True):
            worst = max(worst, _difference(one, other, tolerance, told))
    return worst, len(calls)


def outputs(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    """What the network gives, as tensors in order; in evaluation mode, nothing is left behind."""
    with evaluating(model), torch.no_grad():
        return tensors_of(model(*inputs.args, **inputs.kwargs))


def tensors_of(output: Any) -> list[Tensor]:
    """The tensors in an output, in order."""
    return [leaf.detach() for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def _difference(found: Tensor, expected: Tensor, tolerance: float, told: str) -> float:
    if not expected.numel():
        return 0.0
    one, other = found.detach().to("cpu", torch.float64), expected.to("cpu", torch.float64)
    same = (one == other) | (one.isnan() & other.isnan())  # infinities, too
    difference = float((one - other).abs().masked_fill(same, 0).max())
    finite = other[other.isfinite()].abs()
    scale = max(1.0, float(finite.max()) if len(finite) else 1.0)
    if math.isnan(difference) or difference > tolerance * scale:
        raise ExportError(
            f"{told}: differs from the original by {difference:.3g} in outputs of up to {scale:.3g}, which is more "
            f"than tolerance={tolerance:g} allows; nothing was written"
        )
    return difference
