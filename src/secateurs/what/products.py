"""What P3's gradient flow framework compares: theta g and theta (Hg), with their signs, weight by weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Task
from secateurs.what.loss import MeanLoss, Weights


@dataclass(frozen=True)
class Products:
    """Both products, by parameter name, of the parameters' shapes.

    Attributes:
        first: ``theta * g``. Removing a weight changes the loss by minus that, to first order (P3 eq. 2).
        second: ``theta * (Hg)``. Removing a weight changes ||g||^2 by -2 times that (P3 eq. 4). Empty
            where only the first was asked for.
    """

    first: Weights
    second: Weights


def loss_products(
    model: nn.Module,
    task: Task,
    batches: Iterable[Batch],
    names: Sequence[str] | None = None,
    *,
    second: bool = True,
    micro_batch: int | None = None,
) -> Products:
    """theta g and theta (Hg) of the mean loss at temperature 1, in evaluation mode; the model is left as it was.

    Their absolute values are the scores ``loss_preservation`` and ``gradient_flow``, and the second is
    ``grasp`` with ``temperature=1`` and ``bn="running"``. g and H are over the weights ``names`` alone.

    Args:
        batches: training examples; several are what one big batch is.
        names: parameter names; None for all prunable ones.
        second: without it there is one backward pass, and no Hessian product.
        micro_batch: examples per pass, which bounds memory.

    Raises:
        PruningError: as :class:`~secateurs.what.MeanLoss` says.

    >>> from secateurs.zoo import Classification
    >>> net = nn.Linear(2, 2, bias=False)
    >>> _ = net.weight.data.copy_(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    >>> found = loss_products(net, Classification(2), [Batch(torch.eye(2), torch.tensor([0, 1]))])
    >>> found.first["weight"].tolist(), found.second["weight"].tolist()
    ([[-0.25, 0.75], [0.25, -0.75]], [[-0.0625, 0.1875], [0.0625, -0.1875]])
    """
    loss = MeanLoss(model, task, batches, names, micro_batch=micro_batch, called="loss_products")
    g, hg = loss.gradient_and_product() if second else (loss.gradient(), {})
    theta = loss.weights
    return Products(
        {name: weight * g[name] for name, weight in theta.items()},
        {name: weight * hg[name] for name, weight in theta.items()} if second else {},
    )


def filter_sums(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The sum over each filter, that is over all dimensions but the first: name -> ``[out_channels]``, in float64.

    Of ``theta * g`` it is P3's Theta_p' g, of ``theta * (Hg)`` its Theta_p' Hg, for p a filter. Filters of
    coupled layers (residual adds) are not joined: each is a point of its own, as in P3's figures.

    >>> filter_sums({"conv.weight": torch.tensor([[[[1.0, -3.0]]], [[[0.5, 0.5]]]])})
    {'conv.weight': tensor([-2.,  1.], dtype=torch.float64)}
    """
    return {name: each.to("cpu", torch.float64).flatten(1).sum(1) for name, each in values.items()}
