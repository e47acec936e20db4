"""Squares of the per-sample gradients of log p(y | x; theta): their norms, or summed weight by weight.

One forward and one backward pass a batch: hooks hand each layer's input and the gradient of its
output to :mod:`secateurs.what.layers`, and no per-sample gradient outlives its layer. Where a
model does not lend itself to this (a layer without a rule, one used twice, one that mixes the
batch dimension with another) ``vmap`` over one-example gradients takes over, with a warning that
names the layer.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from secateurs.core import Batch, Predicts, PruningError, Task, evaluating
from secateurs.what import layers

Labels = Literal["sampled", "true"]
"""Where y comes from: ``"sampled"`` from the model gives the Fisher information, ``"true"`` the empirical one."""

_LAYER_BYTES = 4 * 2**20
_VMAP_BYTES = 256 * 2**20

Visit = Callable[[str, nn.Module, slice, Tensor, Tensor], None]
Owners = dict[str, tuple[nn.Module, dict[str, str]]]


class PerSample:
    """Per-sample gradients of log p(y_i | x_i; theta) of a model as it stands, in evaluation mode.

    y_i ~ p(. | x_i) is drawn with ``generator``; with ``labels="true"`` it is the batch's target.
    Masked weights act as 0. The model is left exactly as it was.

    Args:
        names: the parameters whose gradients are meant.

    Raises:
        PruningError: when the task has no predictive distribution, or labels are to be sampled
            without a generator.
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
        for name, kept in (mask or {}).items():
            here = self._parameters[name]
            self._parameters[name] = here.masked_fill(~kept.to(here.device), 0)
        self._buffers = dict(model.named_buffers())
        self._owners: Owners | None = None
        self._checked = False
        try:
            self._owners = _owners(model, self._names)
        except _Unfit as unfit:
            _warn(unfit)

    def squared_norms(self, batch: Batch) -> Tensor:
        """Squared norm of each example's gradient, ``[n]``."""
        total = self._zeros(batch)

        def visit(layer: str, module: nn.Module, which: slice, a: Tensor, g: Tensor) -> None:
            total[which] += layers.squared_norms(module, frozenset(self._own(layer)), a, g)

        y, done = self._by_layers(batch, visit)
        if done:
            return total
        norms = [
            torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)
            for gradients in self._by_vmap(batch, y)
        ]
        return torch.cat(norms)

    def squares(self, batch: Batch) -> dict[str, Tensor]:
        """Squared gradients summed over the batch's examples, ``name -> [*shape]``."""
        sums = {name: torch.zeros_like(self._parameters[name]) for name in self._names}

        def visit(layer: str, module: nn.Module, which: slice, a: Tensor, g: Tensor) -> None:
            del which
            own = layers.gradients(module, a, g)
            for attribute, name in self._own(layer).items():
                sums[name] += own[attribute].square().sum(0)

        y, done = self._by_layers(batch, visit)
        if not done:
            sums = {name: torch.zeros_like(each) for name, each in sums.items()}
            for gradients in self._by_vmap(batch, y):
                for name, g in gradients.items():
                    sums[name] += g.square().sum(0)
        return sums

    def _by_layers(self, batch: Batch, visit: Visit) -> tuple[Tensor | None, bool]:
        """The labels, and whether every layer was visited; False leaves the rest to vmap."""
        y: Tensor | None = None
        if self._owners is None:
            return y, False
        try:
            with evaluating(self._model), torch.enable_grad():
                with _hooked(self._owners, len(batch.inputs), visit):
                    output = self._task.output(self._network, batch)  # type: ignore[arg-type]
                if not self._checked:
                    self._check_uses(batch)
                y = self._y(batch, output)
                self._predictive(output).log_prob(y).sum().backward()
        except _Unfit as unfit:
            _warn(unfit)
            self._owners = None
            return y, False
        return y, True

    def _check_uses(self, batch: Batch) -> None:
        """Once, with one example: what a batch may hide by chance.

        A parameter that is also used outside its layer shows in autograd's graph, and a layer that
        mixes the batch dimension with one that is as long gets other than one row.
        """
        leaves = {name: self._parameters[name].detach().requires_grad_() for name in self._names}

        def network(x: Tensor) -> Any:
            return functional_call(self._model, ({**self._parameters, **leaves}, self._buffers), (x,))

        owners = self._owners or {}
        with _hooked(owners, 1, lambda *_: None) as called:
            output = self._task.output(network, Batch(batch.inputs[:1], batch.targets[:1]))  # type: ignore[arg-type]
        uses = _uses(output)
        for layer, (_, own) in owners.items():
            for name in own.values():
                used = uses[id(leaves[name])]
                if used > 1:
                    raise _Unfit(f"{name!r} is used {used} times, not only by its layer")
                if used and layer not in called:
                    raise _Unfit(f"{name!r} is used, but not by its layer")
        self._checked = True

    def _by_vmap(self, batch: Batch, y: Tensor | None) -> Iterator[dict[str, Tensor]]:
        wanted = {name: self._parameters[name] for name in self._names}

        def log_probability(theta: dict[str, Tensor], inputs: Tensor, label: Tensor) -> Tensor:
            def network(x: Tensor) -> Any:
                return functional_call(self._model, ({**self._parameters, **theta}, self._buffers), (x,))

            one = Batch(inputs.unsqueeze(0), label.unsqueeze(0))
            output = self._task.output(network, one)  # type: ignore[arg-type]
            return self._predictive(output).log_prob(one.targets).squeeze(0)

        per_sample = vmap(grad(log_probability), in_dims=(None, 0, 0))
        chunk = max(1, _VMAP_BYTES // max(1, sum(p.numel() * p.element_size() for p in wanted.values())))
        with evaluating(self._model):
            if y is None:
                with torch.no_grad():
                    y = self._y(batch, self._task.output(self._network, batch))  # type: ignore[arg-type]
            for inputs, labels in zip(batch.inputs.split(chunk), y.split(chunk), strict=True):
                yield per_sample(wanted, inputs, labels)

    def _network(self, x: Tensor) -> Any:
        return functional_call(self._model, (self._parameters, self._buffers), (x,))

    def _y(self, batch: Batch, output: Tensor) -> Tensor:
        if self._generator is None or self._labels == "true":
            return batch.targets
        return self._predictive(output).sample(self._generator)

    def _own(self, layer: str) -> dict[str, str]:
        return self._owners[layer][1] if self._owners else {}

    def _zeros(self, batch: Batch) -> Tensor:
        dtype = next(iter(self._parameters.values())).dtype
        return torch.zeros(len(batch.inputs), dtype=dtype, device=batch.inputs.device)


class _Unfit(Exception):  # noqa: N818 - not an error: it only says that vmap must do it
    """A layer that does not lend itself to the layer-wise form; the message names it and says why."""


def _owners(model: nn.Module, names: Sequence[str]) -> Owners:
    """Layer -> (module, own parameter -> full name), for the parameters ``names``."""
    wanted, owners = set(names), Owners()
    known = dict(model.named_parameters())
    everywhere: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        everywhere.setdefault(id(parameter), []).append(name)
    for name in names:
        places = everywhere[id(known[name])]
        if len(places) > 1:
            raise _Unfit(f"{' and '.join(places)} are one parameter")
    for layer, module in model.named_modules():
        own = {attribute: f"{layer}.{attribute}" if layer else attribute for attribute in _direct(module)}
        own = {attribute: name for attribute, name in own.items() if name in wanted}
        if own and not layers.supported(module):
            raise _Unfit(f"layer {layer or 'the model itself'!r} ({type(module).__name__}) has no rule")
        if own:
            owners[layer] = (module, own)
    return owners


def _uses(output: Tensor) -> Counter[int]:
    """How often each leaf goes into ``output``, by the leaf's id."""
    found: Counter[int] = Counter()
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for below, _ in node.next_functions:
            if below is not None and hasattr(below, "variable"):
                found[id(below.variable)] += 1
            else:
                waiting.append(below)
    return found


def _direct(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters(recurse=False)]


@contextmanager
def _hooked(owners: Owners, n: int, visit: Visit) -> Iterator[set[str]]:
    """While open, a forward pass over ``n`` examples; its backward pass visits every owner with input and gradient.

    Yields the names of the layers that were called.
    """
    seen: set[str] = set()

    def forward_hook(layer: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
            a = args[0]
            if layer in seen:
                raise _Unfit(f"layer {layer!r} is used more than once")
            if len(a) != n or len(output) != n:
                raise _Unfit(f"layer {layer!r} mixes the batch dimension: it got {len(a)} rows for {n} examples")
            seen.add(layer)
            # Parameters are detached: the first layers' outputs need a gradient of their own to be asked for.
            # (A copy, since what follows may change it in place, which a leaf does not allow.)
            output = output if output.requires_grad else output.detach().requires_grad_().clone()

            def arrived(g: Tensor) -> None:
                chunk = max(1, _LAYER_BYTES // layers.footprint(module, a, g))
                for start in range(0, n, chunk):
                    which = slice(start, start + chunk)
                    visit(layer, module, which, a.detach()[which], g[which])

            output.register_hook(arrived)
            return output

        return hook

    handles = [module.register_forward_hook(forward_hook(layer)) for layer, (module, _) in owners.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _warn(unfit: _Unfit) -> None:
    warnings.warn(f"per-sample gradients by vmap, which is slower: {unfit}", stacklevel=4)
