"""The running statistics of batch norms, computed anew over a whole set of examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateurs.core import DataError, Examples, MeasureError, Task, evaluating
from secateurs.measure.batches import Data, batches_of
from secateurs.measure.states import Tensors, borrowed, write


class _Enough(Exception):  # noqa: N818 - not an error: the rest of a forward pass is not needed
    """The layer that is looked at has seen its input."""


class _Moments:
    """Mean and variance for each channel of all that was added, in float64: pooled, no mean of variances."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0  # of the distances from the mean, summed

    def add(self, x: Tensor) -> None:
        """Take in ``[N, C, ...]``."""
        dims = [dim for dim in range(x.ndim) if dim != 1]
        count = x.numel() // x.shape[1]
        variance, mean = torch.var_mean(x.double(), dims, correction=0)
        total = self.count + count
        away = mean - self.mean
        self.squares = self.squares + variance * count + away.square() * (self.count * count / total)
        self.mean = self.mean + away * (count / total)
        self.count = total


@torch.no_grad()
def bn_statistics(
    model: nn.Module, task: Task, data: Data, *, exact: bool = False, batch_size: int = 512
) -> dict[str, Tensor]:
    """Running means and variances of the model's batch norms, anew over all of ``data`` (P4: "reset and recomputed").

    Each is the mean, and the unbiased variance (divided by n - 1, as torch keeps it), over all
    inputs of its layer: examples count alike, whatever batches they come in. All else is in
    evaluation mode, so that nothing is random. The model is left as it was; write the result with
    ``model.load_state_dict(found, strict=False)``.

    What a layer's input is depends on the norms before it. In one pass those normalise by each
    batch's own statistics, as in training (and as P4's authors have it), so that batches should be
    large; a layer behind no other norm, or a single batch, is exact. ``exact=True`` goes layer by
    layer, each behind norms that have their statistics already: in as many passes as there are
    norms it gives what one batch of all of ``data`` would, up to rounding.

    Args:
        data: training examples, unaugmented.
        exact: layer by layer.
        batch_size: how many of a set of examples are looked at together; one more at a time where a
            single example would be left over, since one example has no variance.

    Returns:
        Name in ``model.state_dict()`` -> float tensor ``[channels]``; empty without batch norms.
        Norms that the model does not call, or that keep no statistics, are left out.

    Raises:
        DataError: without examples, or with a single one.
        MeasureError: with ``exact``, when a norm is used more than once in a pass.

    >>> from secateurs.core import Batch
    >>> from secateurs.zoo import Classification
    >>> x = torch.tensor([[1.0], [2.0], [6.0]])
    >>> net = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 2))
    >>> found = bn_statistics(net, Classification(2), [Batch(x, torch.tensor([0, 1, 1]))])
    >>> found["0.running_mean"], found["0.running_var"]
    (tensor([3.]), tensor([7.]))
    """
    norms = {name: module for name, module in model.named_modules() if keeps_statistics(module)}
    if not norms:
        return {}
    size = _without_a_single_one_left(data, batch_size)
    with borrowed(model) as slots, evaluating(model):
        if not exact:
            return _named(norms, _pass(model, task, data, size, norms, train=True))
        moments: dict[str, _Moments] = {}
        for name in _in_order(model, task, data, size, norms):
            moments |= _pass(model, task, data, size, {name: norms[name]}, train=False)
            # A batch is normalised by its variance divided by n, though the one divided by n - 1 is kept.
            write(slots, _named(norms, {name: moments[name]}, correction=0))
        return _named(norms, moments)


def _pass(
    model: nn.Module, task: Task, data: Data, size: int, norms: dict[str, nn.Module], *, train: bool
) -> dict[str, _Moments]:
    """The moments of the inputs of ``norms``, which normalise by their own batch in the meantime, or end the pass."""
    moments = {name: _Moments() for name in norms}

    def look(name: str, x: Tensor) -> None:
        if train and x.numel() == x.shape[1]:
            raise DataError("bn_statistics: a batch of one example has no variance: use other batches, or exact=True")
        moments[name].add(x)
        if not train:
            raise _Enough

    with _looking_at(norms, look):
        for norm in norms.values():
            norm.training = train
        for batch in batches_of(data, size, "bn_statistics"):
            _forward(model, task, batch)
    return moments


def _in_order(model: nn.Module, task: Task, data: Data, size: int, norms: dict[str, nn.Module]) -> list[str]:
    """The norms in the order in which the model calls them."""
    calls: Counter[str] = Counter()
    with _looking_at(norms, lambda name, _: calls.update([name])):
        for batch in batches_of(data, size, "bn_statistics"):
            _forward(model, task, batch)
            break
    again = next((name for name, count in calls.items() if count > 1), None)
    if again is not None:
        raise MeasureError(
            f"bn_statistics: batch norm {again!r} is used {calls[again]} times in a pass, so that its input depends on "
            "its own statistics: use exact=False"
        )
    return list(calls)


def _forward(model: nn.Module, task: Task, batch: Any) -> None:
    try:
        task.output(model, batch)
    except _Enough:
        return


@contextmanager
def _looking_at(norms: dict[str, nn.Module], look: Callable[[str, Tensor], None]) -> Iterator[None]:
    def hook(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _, args: look(name, args[0])

    handles = [norm.register_forward_pre_hook(hook(name)) for name, norm in norms.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _named(norms: dict[str, nn.Module], moments: dict[str, _Moments], correction: int = 1) -> Tensors:
    """As the buffers are called, in their dtype."""
    found: Tensors = {}
    for name, seen in moments.items():
        if not seen.count:
            continue
        if seen.count == 1:
            raise DataError(f"bn_statistics: batch norm {name!r} saw one value a channel: it has no variance; use more")
        for key, value in (("running_mean", seen.mean), ("running_var", seen.squares / (seen.count - correction))):
            place = f"{name}.{key}" if name else key
            found[place] = torch.as_tensor(value).to(norms[name].get_buffer(key).dtype)
    return found


def keeps_statistics(module: nn.Module) -> bool:
    """Whether a module is a batch norm with statistics of its own, which :func:`bn_statistics` computes anew."""
    return isinstance(module, _BatchNorm) and module.running_mean is not None


def _without_a_single_one_left(data: Data, size: int) -> int:
    if isinstance(data, Examples):
        count = len(data)
        if count == 1:
            raise DataError("bn_statistics: one example has no variance: use more")
        while count % size == 1:
            size += 1
    return size
