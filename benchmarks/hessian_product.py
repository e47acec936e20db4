"""The Hessian-gradient product against one forward and backward pass of the same examples: at most 4.3 times.

Ours is ``MeanLoss.gradient_and_product``, what ``grasp`` and ``gradient_flow`` run: double backward
with convolution and batch normalisation in forms of our own, over the prunable weights alone.
Beside it are torch's own double backward, over the same weights, and forward over reverse
(``torch.func.jvp`` of the gradient). The pass it is measured by is a training step without the
optimiser: training mode, gradients of all parameters. What they give is compared in float64.

    python benchmarks/hessian_product.py [--turns 9] [--examples 100] [--threads 1] [--width 32]

``--width`` is that of ResNet-18, 64 in full.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from timing import by_turns, table
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp

from secateurs.core import Batch, Spec, evaluating, generator_for, prunable
from secateurs.what import MeanLoss
from secateurs.what.loss import Statistics
from secateurs.zoo import Classification, build_model

TASK = Classification(10)
REFERENCE = "forward + backward"
Products = dict[str, Tensor]


@contextmanager
def scoring(model: nn.Module, bn: Statistics) -> Iterator[None]:
    """Evaluation mode, norms as ``bn`` says."""
    with evaluating(model):
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d) and bn == "batch":
                module.train()
        yield


def loss_of(model: nn.Module, batch: Batch) -> Callable[[Products], Tensor]:
    fixed = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights: Products) -> Tensor:
        buffers = {name: b.clone() for name, b in model.named_buffers() if b.is_floating_point()}
        return F.cross_entropy(functional_call(model, ({**fixed, **weights}, buffers), (batch.inputs,)), batch.targets)

    return loss


def double_backward(model: nn.Module, batch: Batch, bn: Statistics) -> Products:
    """As torch does it by itself."""
    with scoring(model, bn):
        weights = {name: p.detach().requires_grad_() for name, p in prunable(model).items()}
        inputs = [*weights.values()]
        g = torch.autograd.grad(loss_of(model, batch)(weights), inputs, create_graph=True)
        return dict(zip(weights, torch.autograd.grad(g, inputs, [each.detach() for each in g]), strict=True))


def forward_over_reverse(model: nn.Module, batch: Batch, bn: Statistics) -> Products:
    """The derivative of the gradient in the gradient's direction, in forward mode; the gradient itself comes first."""
    with scoring(model, bn):
        weights = {name: p.detach() for name, p in prunable(model).items()}
        gradient = grad(loss_of(model, batch))
        products: Products = jvp(gradient, (weights,), (gradient(weights),))[1]
        return products


def ours(model: nn.Module, batch: Batch, bn: Statistics) -> Products:
    return MeanLoss(model, TASK, [batch], bn=bn).gradient_and_product()[1]


WAYS = {"ours": ours, "torch's double backward": double_backward, "forward over reverse": forward_over_reverse}


def agreement(model: nn.Module, batch: Batch, bn: Statistics) -> float:
    """The largest difference between the three in float64, relative to the largest entry."""
    exact, small = copy.deepcopy(model).double(), Batch(batch.inputs[:4].double(), batch.targets[:4])
    found = [torch.cat([each.flatten() for each in way(exact, small, bn).values()]) for way in WAYS.values()]
    return max(float((each - found[0]).abs().max() / found[0].abs().max()) for each in found[1:])


def main() -> None:
    """Time the ways by turns and print the ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=9)
    arguments.add_argument("--examples", type=int, default=100)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--width", type=int, default=32)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    n = chosen.examples
    batch = Batch(torch.randn(n, 3, 32, 32, generator=generator_for("benchmark")), torch.arange(n) % 10)
    for spec in (Spec("resnet20"), Spec("resnet18", {"width": chosen.width})):
        model = build_model(spec, (3, 32, 32), 10, seed=0)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.num_batches_tracked = None  # forward mode does not let it count

        def step(model: nn.Module = model) -> None:
            model.zero_grad()
            F.cross_entropy(model(batch.inputs), batch.targets).backward()

        print(f"\n{spec.name} {dict(spec.options) or ''}, {n} examples, float32, {chosen.threads} thread(s)", end=", ")
        print(f"torch {torch.__version__}; goal for ours: <= 4.3, 3.4 as a stretch\n")
        contestants: dict[str, Callable[[], object]] = {REFERENCE: step}
        for bn in ("running", "batch"):
            for name, way in WAYS.items():
                contestants[f"{name}, bn={bn!r}"] = lambda way=way, bn=bn, model=model: way(model, batch, bn)
        print(table(by_turns(contestants, chosen.turns, warm_up=1), REFERENCE))
        print(f"largest difference in float64: {max(agreement(model, batch, bn) for bn in ('running', 'batch')):.1e}")


if __name__ == "__main__":
    main()
