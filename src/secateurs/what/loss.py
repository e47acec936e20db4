"""The mean loss over training examples as a function of the prunable weights alone: gradient, Hessian products."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import CheckpointError

from secateurs.core import Batch, Classifies, PruningError, Task, all_finite, evaluating
from secateurs.what.double_backward import DoubleBackward
from secateurs.what.examples import batches_of
from secateurs.what.options import Statistics, check_values
from secateurs.what.weights import kept_by, weights_of, zeroed

Weights = dict[str, Tensor]
Result = TypeVar("Result")
_NOT_TWICE = ("twice", "derivative", "ouble backward")


class MeanLoss:
    """Mean loss over all ``batches`` as a function of the weights ``names``; everything else is held constant.

    g is its gradient and H its Hessian with respect to these weights. Masked weights are 0 and
    take no part in either. Several batches are what one big batch is: they count by their
    size, and the whole g stands before Hg is accumulated. The model is left as it was: it is
    called with other parameters and buffers than its own.

    Args:
        batches: may be an iterator; it is consumed once, and its batches are kept.
        names: parameter names; None for all prunable ones.
        mask: parameter name -> True where kept; parameters that are not among ``names`` are masked as well.
        bn: ``"running"`` is evaluation mode. With ``"batch"``, BatchNorm (and InstanceNorm that tracks
            statistics) normalises with the batch's own statistics, and all else (dropout) stays in
            evaluation mode; since several batches are then not one, only one is taken.
        temperature: divides the logits.
        micro_batch: examples per pass, which bounds memory; the result stays that of one big batch.
        called: who asks, for error messages.

    Raises:
        PruningError: without task or data; for parameters that are not real floating-point numbers;
            for a mask that does not fit; for several batches or ``micro_batch`` with ``bn="batch"``;
            for a temperature with a task that is no classification; and later, when loss or
            derivatives are not finite, or the model cannot be differentiated twice.

    >>> from secateurs.zoo import Classification
    >>> net, batch = nn.Linear(2, 2, bias=False), Batch(torch.eye(2), torch.tensor([0, 1]))
    >>> _ = nn.init.zeros_(net.weight)
    >>> g, hg = MeanLoss(net, Classification(2), [batch]).gradient_and_product()
    >>> g["weight"], hg["weight"]
    (tensor([[-0.2500,  0.2500],
            [ 0.2500, -0.2500]]), tensor([[-0.0625,  0.0625],
            [ 0.0625, -0.0625]]))
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task | None,
        batches: Iterable[Batch],
        names: Sequence[str] | None = None,
        *,
        mask: Mapping[str, Tensor] | None = None,
        bn: Statistics = "running",
        temperature: float = 1.0,
        micro_batch: int | None = None,
        called: str = "MeanLoss",
    ) -> None:
        if task is None:
            raise PruningError(f"{called}: pass the task; the score needs its loss")
        self._model, self._task, self._called = model, task, called
        self._bn, self._temperature = bn, temperature
        check_values(called, bn=bn, temperature=temperature, micro_batch=micro_batch)
        if temperature != 1 and not isinstance(task, Classifies):
            raise PruningError(
                f"{called}: temperature={temperature:g} divides logits, which {type(task).__name__} "
                "does not say its output is: pass temperature=1"
            )
        chosen = weights_of(model, names)
        for name, p in chosen.items():
            if not p.is_floating_point():
                raise PruningError(
                    f"{called}: {name!r} holds {p.dtype}: only real floating-point weights have a score by gradient; "
                    "leave it out with exclude= or names="
                )
        leaves = {id(p) for p in chosen.values()}
        with torch.inference_mode(False):
            kept = kept_by(mask, model, called)
            self._kept = {name: kept[id(p)] for name, p in chosen.items() if id(p) in kept}
            self._weights = {name: zeroed(p, kept) for name, p in chosen.items()}
            self._constants = {n: zeroed(p, kept) for n, p in model.named_parameters() if id(p) not in leaves}
        self._parts = self._split([*batches_of(batches, called)], micro_batch)

    @property
    def weights(self) -> Weights:
        """The weights at which it is differentiated: masked ones are 0. Copies of the model's."""
        return dict(self._weights)

    def gradient(self, *, everywhere: bool = False) -> Weights:
        """g; 0 for masked weights, unless ``everywhere``: then what it is there, at their value 0."""

        def part(batch: Batch, leaves: Weights) -> list[Tensor]:
            return [*torch.autograd.grad(self._loss(batch), [*leaves.values()], materialize_grads=True)]

        with self._looking():
            g = self._mean(part)
        return self._checked("gradient", g if everywhere else self._masked(g))

    def product(self, v: Mapping[str, Tensor]) -> Weights:
        """H v; masked entries of v do not matter, those of the product are 0.

        Args:
            v: name -> tensor of the weight's shape, for each of the weights.
        """
        direction = self._masked({name: v[name].detach() for name in self._weights})
        with self._looking(twice=True):
            product = self._mean(lambda batch, leaves: self._second(batch, leaves, direction)[1])
        return self._checked("Hessian product", self._masked(product))

    def gradient_and_product(self) -> tuple[Weights, Weights]:
        """g and H g; where one pass serves, of one graph."""
        if len(self._parts) > 1:
            g = self.gradient()
            return g, self.product(g)
        with self._looking(twice=True):
            first, second = self._at_leaves(partial(self._second, self._parts[0][0]))
        g = self._checked("gradient", self._masked(dict(zip(self._weights, first, strict=True))))
        product = self._masked(dict(zip(self._weights, second, strict=True)))
        return g, self._checked("Hessian product", product)

    def _second(self, batch: Batch, leaves: Weights, v: Weights | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """The batch's own gradient, and the product of its Hessian with v, by default with that gradient."""
        try:
            with DoubleBackward():
                return self._twice(batch, leaves, v)
        except CheckpointError:  # parts that are computed anew in the backward pass are so by torch's own forms
            return self._twice(batch, leaves, v)

    def _twice(self, batch: Batch, leaves: Weights, v: Weights | None) -> tuple[list[Tensor], list[Tensor]]:
        inputs = [*leaves.values()]
        loss = self._loss(batch)
        try:
            first = torch.autograd.grad(loss, inputs, create_graph=True, materialize_grads=True)
            if _differentiable_once(first):
                raise RuntimeError("a function in it is marked @once_differentiable, not twice")
            if v is None:
                v = self._masked({name: g.detach() for name, g in zip(leaves, first, strict=True)})
            # A gradient without a graph is constant: it has no part in H.
            pairs = [(g, v[name]) for name, g in zip(leaves, first, strict=True) if g.requires_grad]
            second = [torch.zeros_like(leaf) for leaf in inputs]
            if pairs:
                outputs, directions = zip(*pairs, strict=True)
                second = [*torch.autograd.grad(outputs, inputs, directions, materialize_grads=True)]
        except RuntimeError as error:
            if isinstance(error, CheckpointError) or not any(word in str(error) for word in _NOT_TWICE):
                raise
            raise PruningError(
                f"{self._called}: the model cannot be differentiated twice ({error}): replace what says so, "
                "or take a score of first order, e.g. snip"
            ) from error
        return [g.detach() for g in first], second

    def _loss(self, batch: Batch) -> Tensor:
        output = self._task.output(self._model, batch)
        if self._temperature != 1:
            output = output / self._temperature
        loss = self._task.loss(output, batch)
        if not all_finite(loss):
            raise PruningError(
                f"{self._called}: the loss is {float(loss.detach())}{self._culprit()}: has training diverged? "
                "Score an earlier state, or in float32 or float64"
            )
        if not loss.requires_grad:
            raise PruningError(
                f"{self._called}: the loss does not depend on {', '.join(map(repr, self._weights))}: "
                "is the forward pass detached, or are these layers without use?"
            )
        return loss

    def _mean(self, part: Callable[[Batch, Weights], list[Tensor]]) -> Weights:
        """The mean over all examples of what ``part`` gives for each pass, summed in float32 or better."""
        if len(self._parts) == 1:
            return dict(zip(self._weights, self._at_leaves(partial(part, self._parts[0][0])), strict=True))
        total = {
            n: torch.zeros_like(w, dtype=torch.promote_types(w.dtype, torch.float32)) for n, w in self._weights.items()
        }
        for batch, share in self._parts:
            for name, each in zip(self._weights, self._at_leaves(partial(part, batch)), strict=True):
                total[name].add_(each, alpha=share)
        return {name: each.to(self._weights[name].dtype) for name, each in total.items()}

    @contextmanager
    def _looking(self, twice: bool = False) -> Iterator[None]:
        with torch.inference_mode(False), torch.enable_grad(), evaluating(self._model):
            if self._bn == "batch":
                for module in self._model.modules():
                    if isinstance(module, _NormBase):
                        module.training = True  # evaluating() puts it back
            if not twice:
                yield
                return
            # Fused attention has no second derivative.
            with sdpa_kernel(SDPBackend.MATH):
                yield

    def _at_leaves(self, call: Callable[[Weights], Result]) -> Result:
        """What ``call`` gives while the model has leaves for weights, and copies for everything else.

        Derivatives are taken inside as well: checkpointed parts of a model are computed anew then.
        """
        leaves = {name: w.detach().requires_grad_() for name, w in self._weights.items()}
        buffers = {name: buffer.clone() for name, buffer in self._model.named_buffers()}
        tensors = {f"model.{name}": each for name, each in {**self._constants, **leaves, **buffers}.items()}
        result: Result = functional_call(_Inside(self._model), tensors, (lambda: call(leaves),))
        return result

    def _masked(self, tensors: Weights) -> Weights:
        return {n: t.masked_fill(~self._kept[n], 0) if n in self._kept else t for n, t in tensors.items()}

    def _checked(self, what: str, tensors: Weights) -> Weights:
        for name, tensor in tensors.items():
            if not all_finite(tensor):
                raise PruningError(
                    f"{self._called}: the {what} of {name!r} is not finite{self._culprit()}: has training diverged? "
                    "Score an earlier state, or in float32 or float64"
                )
        return tensors

    def _culprit(self) -> str:
        for name, w in {**self._weights, **self._constants}.items():
            if not all_finite(w):
                return f", and {name!r} holds values that are not finite"
        return ""

    def _split(self, batches: list[Batch], micro_batch: int | None) -> list[tuple[Batch, float]]:
        """Each pass with its share of the examples."""
        if self._bn == "batch" and len(batches) > 1:
            raise PruningError(
                f"{self._called}: with bn='batch' several batches are not one: score one batch, or with bn='running'"
            )
        if micro_batch is not None:
            batches = [
                Batch(batch.inputs[start : start + micro_batch], batch.targets[start : start + micro_batch])
                for batch in batches
                for start in range(0, len(batch.inputs), micro_batch)
            ]
        sizes = [self._task.size(batch) for batch in batches]
        if not sum(sizes):
            raise PruningError(f"{self._called}: no data; pass batches of training examples, e.g. 10 per class")
        return [(batch, size / sum(sizes)) for batch, size in zip(batches, sizes, strict=True) if size]


class _Inside(nn.Module):
    """Calls a function while ``functional_call`` has replaced what is in ``model``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, call: Callable[[], Any]) -> Any:
        return call()


def _differentiable_once(gradients: Sequence[Tensor]) -> bool:
    """Whether something in the gradients' graph is marked ``@once_differentiable``; autograd.grad passes it over."""
    waiting, seen = [g.grad_fn for g in gradients], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name().endswith("::Error"):
            return True
        seen.add(node)
        waiting.extend(below for below, _ in node.next_functions)
    return False
