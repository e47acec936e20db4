"""Scores by weight and gradient of the mean loss: what removing a weight does to the loss, to first order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Scores, Task
from secateurs.what.loss import MeanLoss
from secateurs.what.options import Statistics
from secateurs.what.weights import weights_of


def snip(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    bn: Statistics = "running",
    micro_batch: int | None = None,
    revive: bool = False,
) -> Scores:
    """``|theta * g|``, g the gradient of the mean loss (P2 section 5.3; Lee et al. 2019).

    To first order, how much the loss changes when the weight is removed, in either direction. In
    P2 without the normalisation of Lee et al. by the scores' sum, which changes no order. At
    initialisation, running statistics normalise nothing: P2's recipes use ``bn="batch"`` there.

    Args:
        bn: see :class:`~secateurs.what.MeanLoss`; so are ``micro_batch`` and the errors.
        micro_batch: examples per pass, which bounds memory.
        revive: masked weights get the score that they would have: the gradient is taken where they
            are 0, and theta is what stands in the model (de Jorge et al. 2020). By default they score 0.

    Raises:
        PruningError: without task or data, or as :class:`~secateurs.what.MeanLoss` says.

    >>> from secateurs.zoo import Classification
    >>> net = nn.Linear(2, 2, bias=False)
    >>> _ = net.weight.data.copy_(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    >>> snip(net, Classification(2), [Batch(torch.eye(2), torch.tensor([0, 1]))])["weight"]
    tensor([[0.2500, 0.7500],
            [0.2500, 0.7500]])
    """
    del generator
    return _scored("snip", _saliency, model, task, batches, names, mask, bn, micro_batch, revive)


def loss_preservation(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    bn: Statistics = "running",
    micro_batch: int | None = None,
    revive: bool = False,
) -> Scores:
    """``|theta * g|`` (P3 eq. 3): weight by weight the very numbers of :func:`snip`, with its options and errors.

    It goes by a name of its own since P3 reduces it to filters, sums it inside or outside the
    absolute value, and applies it throughout training.
    """
    del generator
    return _scored("loss_preservation", _saliency, model, task, batches, names, mask, bn, micro_batch, revive)


def magnitude_loss(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    bn: Statistics = "running",
    micro_batch: int | None = None,
    revive: bool = False,
) -> Scores:
    """``|theta| * |theta * g|``: P3's extension of loss preservation; options and errors of :func:`snip`."""
    del generator
    return _scored("magnitude_loss", _with_magnitude, model, task, batches, names, mask, bn, micro_batch, revive)


def taylor(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    bn: Statistics = "running",
    micro_batch: int | None = None,
    revive: bool = False,
) -> Scores:
    """``(theta * g)^2`` (Molchanov et al. 2019, eq. 8): the order of :func:`snip`, whose options and errors it has.

    For weights alone the order is the same; sums over filters differ.
    """
    del generator
    return _scored("taylor", _squared, model, task, batches, names, mask, bn, micro_batch, revive)


def movement(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    bn: Statistics = "running",
    micro_batch: int | None = None,
) -> Scores:
    """``-theta * g``: one step's term of movement pruning (Sanh et al. 2020), which sums it over training.

    Positive where descent moves the weight away from zero. To first order it is the change of the
    loss when the weight is removed, with its sign. Options and errors of :func:`snip`, without ``revive``.
    """
    del generator
    return _scored("movement", _signed, model, task, batches, names, mask, bn, micro_batch, revive=False)


def _saliency(theta: Tensor, g: Tensor) -> Tensor:
    return (theta * g).abs()


def _with_magnitude(theta: Tensor, g: Tensor) -> Tensor:
    return theta.abs() * (theta * g).abs()


def _squared(theta: Tensor, g: Tensor) -> Tensor:
    return (theta * g).square()


def _signed(theta: Tensor, g: Tensor) -> Tensor:
    return -theta * g


def _scored(
    called: str,
    rule: Callable[[Tensor, Tensor], Tensor],
    model: nn.Module,
    task: Task | None,
    batches: Iterable[Batch],
    names: Sequence[str] | None,
    mask: Mapping[str, Tensor] | None,
    bn: Statistics,
    micro_batch: int | None,
    revive: bool,
) -> Scores:
    loss = MeanLoss(model, task, batches, names, mask=mask, bn=bn, micro_batch=micro_batch, called=called)
    g = loss.gradient(everywhere=revive)
    if revive:
        return {name: rule(p.detach(), g.pop(name)) for name, p in weights_of(model, names).items()}
    return {name: rule(theta, g.pop(name)) for name, theta in loss.theta.items()}
