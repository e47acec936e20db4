"""Squares of the per-sample gradients of log p(y | x; theta): their norms, or summed weight by weight.

One forward and one backward pass a batch: hooks hand each layer's input and the gradient of its
output to :mod:`secateurs.what.layers`, and no per-sample gradient outlives its layer. Where a
model does not lend itself to this (a layer without a rule, one used twice, one that mixes the
batch dimension with another) ``vmap`` over one-example gradients takes over, with a warning that
names the layer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from secateurs.core import Batch, Factored, Predicts, PruningError, Task, evaluating
from secateurs.what import layers
from secateurs.what.hooks import Owners, Unfit, check_uses, hooked, owners_of

Labels = Literal["sampled", "true", "exact"]
"""Where y comes from: ``"sampled"`` from the model gives the Fisher information, ``"true"`` the empirical one.

``"exact"`` is the Fisher information without sampling: every square is its expectation over y, at
one forward and C - 1 backward passes for C classes.
"""

_VMAP_BYTES = 256 * 2**20

_AT_ONCE = 32
"""Examples of a pass on a CPU, whose cache then still holds what the pass has written.

Not under autocast, which converts the weights anew in every pass.
"""


class PerSample:
    """Per-sample gradients of log p(y_i | x_i; theta) of a model as it stands, in evaluation mode.

    y_i ~ p(. | x_i) is drawn with ``generator``; with ``labels="true"`` it is the batch's target,
    and with ``"exact"`` squares are expectations over it. Masked weights act as 0. The model is
    left exactly as it was. Inside ``torch.autocast``, and with channels-last inputs, it computes
    as the model then does; sums are float32 at least.

    Args:
        names: the parameters whose gradients are meant.

    Raises:
        PruningError: when the task has no predictive distribution, labels are to be sampled
            without a generator, or a parameter is not real; with ``labels="exact"``, at the first
            batch, when the distribution does not give its expectation.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        names: Sequence[str],
        *,
        labels: Labels = "sampled",
        generator: torch.Generator | None = None,
        mask: Mapping[str, Tensor] | None = None,
    ) -> None:
        if labels == "sampled" and generator is None:
            raise PruningError("labels are sampled with an explicit generator=torch.Generator().manual_seed(...)")
        if not isinstance(task, Predicts):
            raise PruningError(
                f"{type(task).__name__} has no predictive(output): the Fisher information needs p(y | x); "
                "use a task that has one, or a score and signal without it"
            )
        self._model, self._task, self._predictive = model, task, task.predictive
        self._names, self._labels, self._generator = tuple(names), labels, generator
        self._parameters = {name: p.detach() for name, p in model.named_parameters()}
        for name in self._names:
            _check_real(name, self._parameters[name])
        for name, kept in (mask or {}).items():
            here = self._parameters[name]
            self._parameters[name] = here.masked_fill(~kept.to(here.device), 0)
        self._buffers = dict(model.named_buffers())
        self._owners: Owners | None = None
        self._checked = False
        try:
            self._owners = owners_of(model, self._names)
        except Unfit as unfit:
            _warn(unfit)

    def squared_norms(self, batch: Batch) -> Tensor:
        """Squared norm of each example's gradient, ``[n]``."""
        total = self._zeros(batch)

        def visit(some: slice, layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
            own, norms = frozenset(self._own(layer)), total[some]
            for which, inputs, gradients in layers.pieces(module, a, g, norms=True):
                norms[which] += layers.squared_norms(module, own, inputs, gradients)

        y, done = self._by_layers(batch, visit)
        if not done:
            total.zero_()
            for which, each in self._by_vmap(batch, y):
                total[which] += torch.stack([g.flatten(1).square().sum(1) for g in each.values()]).sum(0)
        return total

    def squares(self, batch: Batch) -> dict[str, Tensor]:
        """Squared gradients summed over the batch's examples, ``name -> [*shape]``."""
        sums = {name: torch.zeros_like(self._parameters[name]) for name in self._names}

        def visit(_: slice, layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
            own = self._own(layer)
            for _which, inputs, gradients in layers.pieces(module, a, g, norms=False):
                found = layers.gradients(module, inputs, gradients)
                for attribute, name in own.items():
                    sums[name] += found[attribute].square().sum(0, dtype=sums[name].dtype)

        y, done = self._by_layers(batch, visit)
        if not done:
            sums = {name: torch.zeros_like(each) for name, each in sums.items()}
            for _, gradients in self._by_vmap(batch, y):
                for name, g in gradients.items():
                    sums[name] += g.square().sum(0)
        return sums

    def _by_layers(self, batch: Batch, visit: Callable[..., None]) -> tuple[Tensor | None, bool]:
        """The labels, and whether every layer was visited; False leaves the rest to vmap."""
        y: Tensor | None = None
        if not len(batch.inputs):
            return y, True
        if self._owners is None:
            return y, False
        try:
            with evaluating(self._model), torch.enable_grad():
                parts: Iterable[tuple[slice, Tensor]] = self._forward(batch, visit)
                if self._labels == "sampled":
                    # One draw for the whole batch: labels do not depend on how it is divided.
                    parts = [*parts]
                    y = self._y(batch, torch.cat([output.detach() for _, output in parts]))
                elif self._labels == "true":
                    y = batch.targets
                for which, output in parts:
                    self._backward(output, None if y is None else y[which])
        except Unfit as unfit:
            _warn(unfit)
            self._owners = None
            return y, False
        return y, True

    def _forward(self, batch: Batch, visit: Callable[..., None]) -> Iterator[tuple[slice, Tensor]]:
        """The network's output for a few examples at a time, hooked so that a backward pass visits every layer."""
        n, device = len(batch.inputs), batch.inputs.device.type

        def visit_as_it_is(some: slice, layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
            with torch.no_grad(), torch.autocast(device, enabled=False):
                visit(some, layer, module, a.to(g.dtype) if a.is_floating_point() else a, g)

        size = _AT_ONCE if device == "cpu" and not torch.is_autocast_enabled("cpu") else max(1, n)
        for start in range(0, n, size):
            which = slice(start, min(start + size, n))
            part = Batch(batch.inputs[which], batch.targets[which])
            visit_these, keep = partial(visit_as_it_is, which), self._labels == "exact"
            with hooked(self._owners or {}, len(part.inputs), visit_these, keep=keep):
                output = self._task.output(self._with({}), part)
            if not self._checked:
                self._check_uses(part)
            yield which, output

    def _backward(self, output: Tensor, y: Tensor | None) -> None:
        if output.requires_grad:  # else nothing of it depends on the parameters that are meant
            for cotangent in self._cotangents(output, y):
                output.backward(cotangent, retain_graph=y is None)

    def _check_uses(self, batch: Batch) -> None:
        """Once, with one example: what a batch may hide by chance.

        A parameter that is also used outside its layer shows in autograd's graph, and a layer that
        mixes the batch dimension with one that is as long gets other than one row.
        """
        leaves = {name: self._parameters[name].detach().requires_grad_() for name in self._names}
        owners = self._owners or {}
        with hooked(owners, 1, lambda *_: None) as called:
            output = self._task.output(self._with(leaves), Batch(batch.inputs[:1], batch.targets[:1]))
        check_uses(owners, leaves, output, called)
        self._checked = True

    def _by_vmap(self, batch: Batch, y: Tensor | None) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """Per-sample gradients a few examples at a time; for exact labels, one after another in each direction."""
        wanted = {name: self._parameters[name] for name in self._names}

        def projected(theta: dict[str, Tensor], inputs: Tensor, target: Tensor, cotangent: Tensor) -> Tensor:
            output = self._task.output(self._with(theta), Batch(inputs.unsqueeze(0), target.unsqueeze(0)))
            return (output * cotangent).sum()

        per_sample = vmap(grad(projected), in_dims=(None, 0, 0, 0))
        size = max(1, _VMAP_BYTES // max(1, sum(p.numel() * p.element_size() for p in wanted.values())))
        with evaluating(self._model):
            with torch.no_grad():
                output = self._task.output(self._with({}), batch)
            y = self._y(batch, output) if y is None else y
            for start in range(0, len(batch.inputs), size):
                which = slice(start, start + size)
                for cotangent in self._cotangents(output[which], None if y is None else y[which]):
                    yield which, per_sample(wanted, batch.inputs[which], batch.targets[which], cotangent)

    def _y(self, batch: Batch, output: Tensor) -> Tensor | None:
        if self._labels == "exact":
            return None
        if self._generator is None or self._labels == "true":
            return batch.targets
        return self._predictive(_wide(output)).sample(self._generator)

    def _cotangents(self, output: Tensor, y: Tensor | None) -> Iterator[Tensor]:
        """d log p(y | x) / d output; for exact labels, vectors whose outer products add up to its covariance."""
        z = _wide(output)
        if y is not None:
            z.requires_grad_()
            with torch.enable_grad():
                (u,) = torch.autograd.grad(self._predictive(z).log_prob(y).sum(), z)
            yield u.to(output.dtype)
            return
        distribution = self._predictive(z)
        if not isinstance(distribution, Factored):
            raise PruningError(
                f"{type(distribution).__name__} has no factors(): the expectation over all labels is not to be had "
                'of it; draw them instead (labels="sampled", in a signal estimator="per_sample")'
            )
        for u in distribution.factors():
            yield u.to(output.dtype)

    def _with(self, theta: Mapping[str, Tensor]) -> Any:
        """The network as a function of its input, with some parameters replaced."""

        def network(*args: Any, **kwargs: Any) -> Any:
            return functional_call(self._model, ({**self._parameters, **theta}, self._buffers), args, kwargs)

        return network

    def _own(self, layer: str) -> dict[str, str]:
        return self._owners[layer][1] if self._owners else {}

    def _zeros(self, batch: Batch) -> Tensor:
        dtype = next(iter(self._parameters.values())).dtype
        return torch.zeros(len(batch.inputs), dtype=dtype, device=batch.inputs.device)


def _wide(output: Tensor) -> Tensor:
    """The output detached, in float32 at least."""
    return output.detach().to(torch.promote_types(output.dtype, torch.float32))


def _check_real(name: str, parameter: Tensor) -> None:
    if not parameter.is_floating_point():
        raise PruningError(
            f"parameter {name!r} is {str(parameter.dtype).removeprefix('torch.')}: Fisher information is measured "
            "over real parameters; freeze it with requires_grad_(False), or leave it out of names"
        )


def _warn(unfit: Unfit) -> None:
    warnings.warn(f"per-sample gradients by vmap, which is slower: {unfit}", stacklevel=4)
