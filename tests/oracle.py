"""Slow, obvious, in float64: what tr(F), the Fisher score and KL-uniform are, straight from their equations."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

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


def by_example(layer: nn.Module, a: Tensor, g: Tensor) -> dict[str, Tensor]:
    """Gradients of one layer's parameters for each example, ``name -> [n, *shape]``, one autograd call each."""
    rows: dict[str, list[Tensor]] = {name: [] for name, _ in layer.named_parameters()}
    for i in range(len(a)):
        found = torch.autograd.grad((layer(a[i : i + 1]) * g[i : i + 1]).sum(), list(layer.parameters()))
        for name, each in zip(rows, found, strict=True):
            rows[name].append(each)
    return {name: torch.stack(each) for name, each in rows.items()}


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest deviation, in units of the largest expected value."""
    return float((found.double() - expected).abs().max() / expected.abs().max().clamp_min(1e-300))


class LossOracle:
    """The mean cross-entropy as a function of one flat vector of weights, with explicit gradient and Hessian.

    Args:
        model: copied, in float64; every weight of ``names`` becomes a piece of the vector, where it
            stands in the model and under all of its names.
        mask: masked weights are 0, and have no coordinate in :meth:`gradient` and :meth:`hessian`.
        bn: with ``"batch"``, batch and instance norms are in training mode and the rest is not.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        names: Sequence[str],
        *,
        mask: Mapping[str, Tensor] | None = None,
        bn: str = "running",
        temperature: float = 1.0,
    ) -> None:
        self.net = copy.deepcopy(model).double().eval()
        for module in self.net.modules():
            if bn == "batch" and type(module).__name__.startswith(("BatchNorm", "InstanceNorm")):
                module.train()
        self.inputs = inputs.double() if inputs.is_floating_point() else inputs
        self.targets, self.temperature, self.names = targets, temperature, tuple(names)
        parameters = dict(self.net.named_parameters(remove_duplicate=False))
        for name, kept in (mask or {}).items():
            parameters[name].data[~kept] = 0
        self.shapes = [parameters[name].shape for name in names]
        self.theta = torch.cat([parameters[name].detach().flatten() for name in names])
        self.kept = torch.cat([(mask or {}).get(n, torch.ones(parameters[n].shape)).flatten().bool() for n in names])
        places = {id(parameters[name]): k for k, name in enumerate(names)}
        self.places = [
            (module, attribute, places[id(p)])
            for module in self.net.modules()
            for attribute, p in list(module._parameters.items())
            if p is not None and id(p) in places
        ]
        for module, attribute, _ in self.places:
            del module._parameters[attribute]

    def __call__(self, theta: Tensor) -> Tensor:
        """The loss at other weights than the model's, a flat vector."""
        pieces = self._pieces(theta)
        for module, attribute, k in self.places:
            object.__setattr__(module, attribute, pieces[k])
        logits = self.net(self.inputs) / self.temperature
        log_p = logits - logits.logsumexp(1, keepdim=True)
        return -log_p[torch.arange(len(log_p)), self.targets].mean()

    def gradient(self, theta: Tensor | None = None, *, graph: bool = False) -> Tensor:
        """g, flat, 0 where masked."""
        at = (self.theta if theta is None else theta).detach().requires_grad_()
        (g,) = torch.autograd.grad(self(at), at, create_graph=graph)
        self.at = at
        return g if graph else g * self.kept

    def product(self, v: Tensor) -> Tensor:
        """H v by torch's own double backward, flat, 0 where masked."""
        g = self.gradient(graph=True)
        (product,) = torch.autograd.grad(g, self.at, v * self.kept, materialize_grads=True, allow_unused=True)
        return product * self.kept

    def hessian(self) -> Tensor:
        """H, one row at a time, 0 where masked."""
        g = self.gradient(graph=True)
        rows = [torch.autograd.grad(each, self.at, retain_graph=True, allow_unused=True)[0] for each in g]
        full = torch.stack([torch.zeros_like(g) if row is None else row for row in rows]).detach()
        return full * self.kept * self.kept.unsqueeze(1)

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        """A flat vector by the weights' names and shapes."""
        return dict(zip(self.names, self._pieces(flat), strict=True))

    def _pieces(self, flat: Tensor) -> list[Tensor]:
        parts = flat.split([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]


def furthest(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """The largest deviation over all layers, in units of the largest expected value of all layers."""
    assert list(found) == list(expected)
    assert all(found[name].shape == expected[name].shape for name in found)
    one, other = (torch.cat([each.double().flatten() for each in of.values()]) for of in (found, expected))
    return relative(one, other)
