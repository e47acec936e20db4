"""Slow, obvious, in float64: what tr(F), the Fisher score and KL-uniform are, straight from their equations."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Oracle:
    """Gradients of log p(c | x_i; theta) for every example i and every class c, one autograd call each.

    Args:
        model: copied, in float64 and evaluation mode.
        inputs: ``[N, ...]``.
        names: the parameters with respect to which it is differentiated.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, names: Sequence[str]) -> None:
        net = copy.deepcopy(model).double().eval()
        parameters = dict(net.named_parameters())
        wanted = [parameters[name].requires_grad_() for name in names]
        self.names = tuple(names)
        self.gradients: list[list[tuple[Tensor, ...]]] = []
        rows = []
        for x in inputs if not inputs.is_floating_point() else inputs.double():
            log_p = torch.log_softmax(net(x.unsqueeze(0))[0], 0)
            rows.append(log_p.detach().exp())
            self.gradients.append(
                [torch.autograd.grad(each, wanted, retain_graph=True, materialize_grads=True) for each in log_p]
            )
        self.p = torch.stack(rows)

    def norms(self) -> Tensor:
        """||grad log p(c | x_i)||^2, ``[N, C]``."""
        return torch.tensor(
            [[sum(float(g.square().sum()) for g in each) for each in row] for row in self.gradients],
            dtype=torch.float64,
        )

    def exact_trace(self) -> float:
        """E_x E_{y~p} ||grad log p(y|x)||^2 with the expectation over y written out (P0 eq. 4)."""
        return float((self.p * self.norms()).sum(1).mean())

    def trace(self, labels: Tensor) -> tuple[float, float]:
        """The same with these labels; mean over the examples and its standard error."""
        chosen = self.norms()[torch.arange(len(labels)), labels]
        return float(chosen.mean()), float(chosen.std(correction=1)) / math.sqrt(len(chosen))

    def trace_deviation(self) -> float:
        """Standard deviation of :meth:`trace` over the labels, y_i ~ p(. | x_i) independently."""
        norms = self.norms()
        mean = (self.p * norms).sum(1, keepdim=True)
        return math.sqrt(float((self.p * (norms - mean).square()).sum())) / len(norms)

    def fisher(self, labels: Tensor) -> dict[str, Tensor]:
        """(1/N) sum_i (d log p(y_i | x_i) / d theta)^2 with these labels."""
        picked = [row[int(y)] for row, y in zip(self.gradients, labels, strict=True)]
        return {
            name: torch.stack([gradients[k].square() for gradients in picked]).mean(0)
            for k, name in enumerate(self.names)
        }

    def exact_fisher(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Diagonal of the Fisher information, and the variance over labels of one sampled estimate of it."""
        means, variances = {}, {}
        n = len(self.p)
        for k, name in enumerate(self.names):
            squares = torch.stack([torch.stack([g[k].square() for g in row]) for row in self.gradients])  # [N, C, ...]
            p = self.p.reshape(*self.p.shape, *(1,) * (squares.ndim - 2))
            each = (p * squares).sum(1)
            means[name] = each.mean(0)
            variances[name] = (p * (squares - each.unsqueeze(1)).square()).sum((0, 1)) / n**2
        return means, variances


def kl_uniform(logits: Sequence[Sequence[float]]) -> list[float]:
    """sum_c u log(u / p_c) of each row, u = 1/C (P0 eq. 5), in Python's own arithmetic."""
    values = []
    for row in logits:
        top = max(row)
        log_sum = top + math.log(sum(math.exp(z - top) for z in row))
        u = 1 / len(row)
        values.append(sum(u * (math.log(u) - (z - log_sum)) for z in row))
    return values


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest deviation, in units of the largest expected value."""
    return float((found.double() - expected).abs().max() / expected.abs().max().clamp_min(1e-300))
