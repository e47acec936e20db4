"""The mean loss over training examples as a function of the prunable weights alone: gradient, Hessian products."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase

from secateurs.core import Batch, Classifies, PruningError, Task, all_finite, evaluating
from secateurs.what.examples import batches_of
from secateurs.what.options import Statistics, check_values
from secateurs.what.passes import Inside, Lent, WrittenError, divided, into, wide
from secateurs.what.twice import twice
from secateurs.what.weights import kept_by, lent, weights_of

Weights = dict[str, Tensor]
Result = TypeVar("Result")
Made = Callable[[str, Tensor], Tensor]
"""A weight's name and value -> what the model is called with."""
Part = Callable[[Callable[[], Tensor], Weights], Sequence[Tensor]]
"""The loss of one pass, and the weights the model is called with -> what is wanted of it."""


class MeanLoss:
    """Mean loss over all ``batches`` as a function of the weights ``names``; everything else is held constant.

    g is its gradient and H its Hessian with respect to these weights. Masked weights are 0 and
    take no part in either. Several batches are what one big batch is: they count by their
    size, and the whole g stands before Hg is accumulated. The model is left as it was: it is
    called with other parameters and buffers than its own. Parameters are lent to these, not copied, unless they are
    masked, or the model writes to them: g takes the memory of the weights once, and the activations of one pass.

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
            self._weights = {name: lent(p, kept) for name, p in chosen.items()}
            self._constants = {n: lent(p, kept) for n, p in model.named_parameters() if id(p) not in leaves}
            self._lent: Callable[[], Lent] | None = partial(Lent, [*model.parameters()])
        self._parts = self._split([*batches_of(batches, called)], micro_batch)

    @property
    def weights(self) -> Weights:
        """The weights at which it is differentiated: masked ones are 0. Copies of the model's."""
        return {name: w.clone() for name, w in self._weights.items()}

    @property
    def theta(self) -> Weights:
        """The same, to be read only, and after derivatives: where nothing is masked, the model's own memory."""
        return dict(self._weights)

    @property
    def writes(self) -> bool:
        """Whether the model has been seen to write to its parameters as it computes."""
        return self._lent is None

    @property
    def passes(self) -> int:
        """How many passes over the model see all examples once."""
        return len(self._parts)

    def gradient(self, *, everywhere: bool = False, only: Collection[str] | None = None) -> Weights:
        """g; 0 for masked weights, unless ``everywhere``: then what it is there, at their value 0.

        Args:
            everywhere: whether masked weights have a gradient.
            only: names of those of the weights that it is wanted of; the others are constants then.
        """
        wanted = {name: w for name, w in self._weights.items() if only is None or name in only}
        if not wanted:
            return {}
        total = self._zeros(wanted) if len(self._parts) > 1 else {}

        def part(share: float, loss: Callable[[], Tensor], leaves: Weights) -> Sequence[Tensor]:
            chosen = {name: leaves[name] for name in wanted}
            if not total:
                return torch.autograd.grad(loss(), [*chosen.values()], materialize_grads=True)
            # One layer's gradient at a time goes into the sum: two whole gradients are never in memory.
            for name, leaf in chosen.items():
                leaf.register_post_accumulate_grad_hook(partial(into, total[name], share))
            torch.autograd.backward(loss(), inputs=[*chosen.values()])
            return []

        def made(name: str, w: Tensor) -> Tensor:
            return w.detach().requires_grad_(name in wanted)

        with self._looking():
            found = [self._at(batch, made, partial(part, share)) for batch, share in self._parts]
        g = self._narrowed(total) if total else dict(zip(wanted, found[0], strict=True))
        return self.checked("gradient", g if everywhere else self._masked(g))

    def mean(
        self, part: Part, made: Made, *, second: bool, within: Callable[[], AbstractContextManager[object]]
    ) -> list[Tensor]:
        """The mean over all examples of what ``part`` finds in each pass, in float32 at least.

        Args:
            part: called once a pass.
            made: makes what the model is called with of each weight: a constant, or a dual number.
            second: whether it takes second derivatives.
            within: what each pass is to be within.
        """
        with self._looking(second):
            found: list[Tensor] = []
            for batch, share in self._parts:
                with within():
                    each = [one.to(wide(one)) * share for one in self._at(batch, made, part)]
                found = [a + b for a, b in zip(found, each, strict=True)] if found else each
            return found

    def product(self, v: Mapping[str, Tensor]) -> Weights:
        """H v; masked entries of v do not matter, those of the product are 0.

        Args:
            v: name -> tensor of the weight's shape, for each of the weights.
        """
        direction = self._masked({name: v[name].detach() for name in self._weights})
        total = self._zeros(self._weights) if len(self._parts) > 1 else {}
        with self._looking(second=True):
            for batch, share in self._parts:
                found = self._at(batch, _leaf, partial(twice, along=lambda _: direction, called=self._called))[1]
                product = dict(zip(self._weights, found, strict=True))
                for name, each in total.items():
                    each.add_(product.pop(name), alpha=share)
        return self.checked("Hessian product", self._masked(self._narrowed(total) if total else product))

    def gradient_and_product(self) -> tuple[Weights, Weights]:
        """g and H g; where one pass serves, of one graph."""
        if len(self._parts) > 1:
            g = self.gradient()
            return g, self.product(g)
        with self._looking(second=True):
            first, second = self._at(self._parts[0][0], _leaf, partial(twice, along=self._masked, called=self._called))
        g = self.checked("gradient", self._masked(dict(zip(self._weights, first, strict=True))))
        product = self._masked(dict(zip(self._weights, second, strict=True)))
        return g, self.checked("Hessian product", product)

    def _loss(self, batch: Batch) -> Tensor:
        with self._lent() if self._lent else nullcontext():
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

    def _zeros(self, of: Weights) -> Weights:
        """What is summed in: float32 at least."""
        return {name: torch.zeros_like(w, dtype=wide(w)) for name, w in of.items()}

    def _narrowed(self, total: Weights) -> Weights:
        """As the weights are; one at a time, so that two are never in memory."""
        return {name: total.pop(name).to(self._weights[name].dtype) for name in [*total]}

    @contextmanager
    def _looking(self, second: bool = False) -> Iterator[None]:
        with torch.inference_mode(False), torch.enable_grad(), evaluating(self._model):
            if self._bn == "batch":
                for module in self._model.modules():
                    if isinstance(module, _NormBase):
                        module.training = True  # evaluating() puts it back
            if not second:
                yield
                return
            # Fused attention has no second derivative.
            with sdpa_kernel(SDPBackend.MATH):
                yield

    def _at(self, batch: Batch, made: Made, part: Callable[[Callable[[], Tensor], Weights], Result]) -> Result:
        """What ``part`` gives while the model has what is ``made`` of its weights, and others' memory for the rest.

        Derivatives are taken inside as well: checkpointed parts of a model are computed anew then.
        """
        weights = {name: made(name, w) for name, w in self._weights.items()}
        buffers = {name: buffer.clone() for name, buffer in self._model.named_buffers()}
        tensors = {f"model.{name}": each for name, each in {**self._constants, **weights, **buffers}.items()}
        call = partial(part, partial(self._loss, batch), weights)
        try:
            result: Result = functional_call(Inside(self._model), tensors, (call,))
        except WrittenError:  # by the model as it computes: it gets copies
            self._lent = None
            self._weights = {name: w.clone() for name, w in self._weights.items()}
            self._constants = {name: w.clone() for name, w in self._constants.items()}
            return self._at(batch, made, part)
        return result

    def _masked(self, tensors: Weights) -> Weights:
        """The same dictionary, 0 where weights are masked; one at a time, so that two are never in memory."""
        for name, kept in self._kept.items():
            if name in tensors:
                tensors[name] = tensors[name].masked_fill(~kept, 0)
        return tensors

    def checked(self, what: str, tensors: Weights) -> Weights:
        """The tensors, of which all are finite, or a PruningError."""
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
        return divided(batches, self._task, micro_batch, self._called)


def _leaf(_name: str, w: Tensor) -> Tensor:
    return w.detach().requires_grad_()
