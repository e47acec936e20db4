"""Scores by curvature: the diagonal of the Hessian."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Scores, Task
from secateurs.what.loss import MeanLoss, Weights
from secateurs.what.options import Statistics, check_values
from secateurs.what.scores.common import explicit


def obd(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    probes: int = 10,
    bn: Statistics = "running",
    micro_batch: int | None = None,
) -> Scores:
    """``h_ii theta_i^2 / 2``, h the diagonal of the Hessian: optimal brain damage (LeCun et al. 1990).

    At a minimum, how much the loss rises when the weight is removed, to second order and by itself.
    The diagonal is Hutchinson's unbiased estimate, the mean of v * (H v) over ``probes`` vectors v
    of random signs; its variance, sum_{j != i} h_ij^2 / probes, is 0 where H is diagonal.

    A negative score means negative curvature: by the second-order term alone, removing the weight
    would lower the loss, so it goes first. Away from a minimum, and with few probes by chance,
    many are negative; they are not cut off at 0, which would make ties of them.

    Args:
        probes: number of Hessian products, about four forward and backward passes each.
        bn: see :class:`~secateurs.what.MeanLoss`; so are ``micro_batch`` and the errors.
        micro_batch: examples per pass, which bounds memory.

    Raises:
        PruningError: without a CPU ``generator``, task or data; for ``probes`` below 1; for a model
            that cannot be differentiated twice, or as :class:`~secateurs.what.MeanLoss` says.
    """
    source = explicit(generator, "obd")
    check_values("obd", probes=probes)
    loss = MeanLoss(model, task, batches, names, mask=mask, bn=bn, micro_batch=micro_batch, called="obd")
    weights = loss.theta
    diagonal = {name: torch.zeros_like(w) for name, w in weights.items()}
    for _ in range(probes):
        v = _signs(weights, source)
        for name, product in loss.product(v).items():
            diagonal[name].addcmul_(v[name], product, value=1 / probes)
    return {name: diagonal[name] * w.square() / 2 for name, w in loss.theta.items()}


def _signs(weights: Weights, source: torch.Generator) -> Weights:
    """-1 or 1 for each weight, drawn on the CPU so that every device draws the same."""
    return {name: (2 * torch.randint(0, 2, w.shape, generator=source) - 1).to(w) for name, w in weights.items()}
