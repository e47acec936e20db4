"""Scores by gradient flow: what removing a weight does to ||g||^2, by the Hessian-gradient product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Scores, Task
from secateurs.what.loss import MeanLoss
from secateurs.what.options import Statistics


def grasp(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    temperature: float = 200.0,
    absolute: bool = False,
    bn: Statistics = "batch",
    micro_batch: int | None = None,
) -> Scores:
    """``theta * (H g)`` with the loss on logits / temperature (Wang et al. 2020; P2 section 5.4). Higher = keep.

    To first order, removing weight i changes gradient flow ||g||^2 by -2 theta_i (Hg)_i (P2 eq.
    5.3): what is kept is what removal of which lowers it most. P2's own s_i = -theta_i (Hg)_i says
    the same the other way round, and its highest are removed. P1 section 3 states the sign wrongly;
    that is not followed. T = 200 and batch statistics are what its authors ran; T = 1 is the
    variant without the temperature. g and H are over the weights scored, kept by the mask.

    Args:
        temperature: divides the logits; anything but 1 needs a task that classifies.
        absolute: ``|theta * (H g)|``, so that the smallest magnitudes are removed (P2 section 5.8.2).
        bn: see :class:`~secateurs.what.MeanLoss`; ``"batch"`` takes one batch.
        micro_batch: examples per pass, which bounds memory; with ``bn="running"`` only.

    Raises:
        PruningError: without task or data, for a model that cannot be differentiated twice, or as
            :class:`~secateurs.what.MeanLoss` says.

    >>> from secateurs.zoo import Classification
    >>> net = nn.Linear(2, 2, bias=False)
    >>> _ = net.weight.data.copy_(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    >>> grasp(net, Classification(2), [Batch(torch.eye(2), torch.tensor([0, 1]))], temperature=1)["weight"]
    tensor([[-0.0625,  0.1875],
            [ 0.0625, -0.1875]])
    """
    del generator
    return _flow("grasp", model, task, batches, names, mask, temperature, absolute, bn, micro_batch)


def gradient_flow(
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
    """``|theta * (H g)|`` at temperature 1 (P1's CroP, P3's gradient flow preservation).

    How much gradient flow ||g||^2 changes when the weight is removed, to first order and in
    either direction: ``grasp(temperature=1, absolute=True, bn="running")``, whose errors it has.
    """
    del generator
    return _flow("gradient_flow", model, task, batches, names, mask, 1.0, True, bn, micro_batch)


def _flow(
    called: str,
    model: nn.Module,
    task: Task | None,
    batches: Iterable[Batch],
    names: Sequence[str] | None,
    mask: Mapping[str, Tensor] | None,
    temperature: float,
    absolute: bool,
    bn: Statistics,
    micro_batch: int | None,
) -> Scores:
    loss = MeanLoss(
        model,
        task,
        batches,
        names,
        mask=mask,
        bn=bn,
        temperature=temperature,
        micro_batch=micro_batch,
        called=called,
    )
    hg = loss.gradient_and_product()[1]
    scores = {name: theta * hg.pop(name) for name, theta in loss.theta.items()}
    return {name: scores.pop(name).abs() if absolute else scores.pop(name) for name in loss.theta}
