"""Sharpness-aware minimisation, around any optimiser: steps by the gradient of the worst point nearby."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import chain
from math import inf
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import TrainingError
from secateurs.train.drawing import drawing_again, random_states

T = TypeVar("T")


class SAM(Optimizer):
    """Sharpness-aware minimisation (Foret et al. 2021, algorithm 1), or its adaptive variant (ASAM; Kwon et al. 2021).

    A step takes two gradients of one batch. The first, g, tells where nearby the loss is about worst, at w + e::

        e = rho g / ||g||                                (Foret et al. 2021, eq. 2, p = 2)
        e = rho T^2 g / ||T g||,   T = diag(abs(w))      (adaptive; Kwon et al. 2021, p = 2, element-wise)

    with L2 norms over all parameters together. The second is the gradient there; the weights come back from a copy, to
    the bit, and the optimiser steps with it as it would with any gradient: decay, momentum and rate are its own. No
    eta is added to T (Kwon et al. add 0.01 in their code, where biases have T = 1), so that a weight at 0 is not moved.

    The second pass leaves no trace: norms normalise by their batch in it, too, but all buffers (running statistics,
    ``num_batches_tracked``) are as after the first. It draws the same random numbers (dropout) on the CPU and where
    the model is, and the random state goes on from the first. A gradient of norm 0 moves nothing. Parameters of the
    model that another optimiser holds are not moved, and keep the gradient that the first pass added to.

    It is one view of two objects: groups, state, hooks and state dicts are the optimiser's, so that schedulers,
    :func:`~secateurs.enforce` and :class:`~secateurs.EarlyPruner` may be given either, and checkpoints fit without SAM.
    Give ``sam.base`` to what calls ``step`` itself, as ``torch.distributed.checkpoint`` does, and to the scheduler of a
    loop that calls ``sam.base.step()``: torch would warn that ``sam`` had made no step.
    Weights that a mask has dropped have no gradient, and are 0 in the second pass, too. Pruning channels in place is
    fine; of a copy (``remove_channels``), make it anew. To clip the second gradient, in a hook
    (``sam.register_step_pre_hook``, called just before the optimiser steps) or between :meth:`gradient` and
    ``sam.base.step()``. Gradients are to be those of the loss: GradScaler, which scales them, is not supported
    (bfloat16 needs none). With DistributedDataParallel both gradients are means over the ranks, and e is the same on
    all; to accumulate, the closure has all micro-batches, each but the last under ``no_sync()``. A closure all under
    ``no_sync()`` would let weights drift apart. FSDP is
    not supported: it keeps parameters in shards, and a norm is to be of all of them.

    Args:
        model: whose buffers are kept; as it is trained, wrapped or not.
        optimizer: of its parameters, or of some of them. LBFGS, whose step takes several gradients, is not supported.
        rho: radius of the neighbourhood, above 0.
        adaptive: ASAM. It wants a rho ten times as large or more.

    Attributes:
        base: the optimiser.

    Raises:
        TrainingError: when rho is not above 0, or the optimiser is none, is SAM already, is LBFGS, or holds no
            parameter of the model.

    >>> net, cross_entropy = nn.Linear(2, 3), nn.functional.cross_entropy
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    >>> sam = SAM(net, sgd, rho=0.05)
    >>> for x, y in [(torch.ones(4, 2), torch.tensor([0, 1, 2, 0]))]:
    ...     def loss_of_batch():  # called twice; without SAM its lines stand in the loop, after sgd.zero_grad()
    ...         loss = cross_entropy(net(x), y)
    ...         loss.backward()
    ...         return loss
    ...     loss = sam.step(loss_of_batch)
    >>> loss.shape
    torch.Size([])
    """

    # All else that an Optimizer has (hooks, defaults) is the base's, by __getattr__: Optimizer.__init__ is not called.
    def __init__(self, model: nn.Module, optimizer: Optimizer, rho: float = 0.05, adaptive: bool = False) -> None:
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, SAM):
            raise TrainingError(
                f"SAM: optimizer: expected a plain torch.optim.Optimizer, got {type(optimizer).__name__}"
            )
        if isinstance(optimizer, torch.optim.LBFGS):
            raise TrainingError("SAM: optimizer: a step of LBFGS takes gradients of its own: use SGD or Adam, say")
        if not {id(p) for p in model.parameters()} & {id(p) for p in _held(optimizer)}:
            raise TrainingError(
                "SAM: optimizer: it holds no parameter of this model: build it from this very model's parameters"
            )
        if not 0 < rho < inf:
            raise TrainingError(
                f"SAM: rho: expected a finite number above 0, got {rho}: to train without SAM step the optimizer itself"
            )
        self.model, self.base, self.rho, self.adaptive = model, optimizer, rho, adaptive

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; ``closure`` is called exactly twice, and what it gave the first time, the loss at w, is returned.

        Args:
            closure: computes the loss, calls ``backward()`` and returns the loss. Gradients are zeroed before it.

        Raises:
            TrainingError: without a closure (as GradScaler calls it), or for sparse gradients.
        """
        if closure is None:
            raise TrainingError(
                "SAM.step: a step takes two gradients: pass a closure that computes the loss, calls backward() and "
                "returns the loss. GradScaler, which passes none, is not supported: train in bfloat16 or float32"
            )
        loss = self.gradient(closure)
        self.base.step()
        return loss

    def gradient(self, closure: Callable[[], T]) -> T:
        """The step without the optimiser's: leaves the second gradient, and the weights as they were.

        Returns:
            What ``closure``, which is called exactly twice, gave the first time.

        Raises:
            TrainingError: for sparse gradients, and where ``closure`` leaves none at all.
        """
        parameters, model = _held(self), self.model
        before = random_states(each.device for each in chain(parameters, model.parameters(), model.buffers()))
        self.zero_grad()
        with torch.enable_grad():
            given = closure()
        if all(p.grad is None for p in parameters):
            raise TrainingError(
                "SAM: the closure left no gradient in any parameter: it must call backward() on the loss"
            )
        slots = [(m._buffers, name, b) for m in model.modules() for name, b in m._buffers.items()]
        buffers = [None if b is None else b.clone() for _, _, b in slots]
        own = {id(p) for p in parameters}
        others = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters() if id(p) not in own]
        moved = [p for p in parameters if p.grad is not None and p.numel()]
        weights = [p.detach().clone() for p in moved]
        try:
            self._move(moved)
            torch.clear_autocast_cache()  # around the step it would keep the weights as they were in the first pass
            self.zero_grad()
            with drawing_again(before), torch.enable_grad():
                closure()
        finally:
            with torch.no_grad():
                for p, weight in zip(moved, weights, strict=True):
                    p.copy_(weight)
                for (held, name, buffer), value in zip(slots, buffers, strict=True):
                    held[name] = buffer if buffer is None or value is None or _shared(buffer) else buffer.copy_(value)
            for p, gradient in others:
                p.grad = gradient
            torch.clear_autocast_cache()
        return given

    @torch.no_grad()
    def _move(self, parameters: list[nn.Parameter]) -> None:
        """From w to w + e."""
        if not parameters:
            return
        along = [_dense(p.grad) * p.abs() if self.adaptive else _dense(p.grad) for p in parameters]
        wide = reduce(torch.promote_types, (p.dtype for p in parameters), torch.float32)

        def norms(of: Iterable[Tensor], order: float) -> Tensor:
            each = [torch.linalg.vector_norm(g, order, dtype=torch.promote_types(g.dtype, torch.float32)) for g in of]
            return torch.stack([one.to(parameters[0].device, wide) for one in each])

        # Squares overflow and vanish long before gradients do. A power of two near the largest entry rounds nothing.
        limits = torch.finfo(wide)
        largest = norms(along, inf).amax().nan_to_num(nan=1.0).clamp_min(limits.tiny)
        unit = largest.log2().floor().exp2()
        norm = torch.linalg.vector_norm(norms((g / unit.to(g.device) for g in along), 2))
        scale = torch.where(norm > 0, self.rho / norm, 0.0)
        for p, g in zip(parameters, along, strict=True):
            g = g / unit.to(p.device)
            p.add_((g * p.abs() if self.adaptive else g) * scale.to(p.device))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The optimiser's."""
        return self.base.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        self.base.param_groups = groups

    @property
    def state(self) -> defaultdict[Tensor, Any]:
        """The optimiser's."""
        return self.base.state

    @state.setter
    def state(self, state: defaultdict[Tensor, Any]) -> None:
        self.base.state = state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As the optimiser."""
        self.base.zero_grad(set_to_none)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """To the optimiser."""
        self.base.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's: SAM has nothing to go on from."""
        return self.base.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Of the optimiser, from a run with or without SAM."""
        self.base.load_state_dict(state_dict)

    def __getattr__(self, name: str) -> Any:
        if name == "base":  # a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self.base, name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("model", "base", "rho", "adaptive")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"SAM (rho={self.rho}, adaptive={self.adaptive}) of {self.base!r}"


def _held(optimizer: Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _shared(buffer: Tensor) -> bool:
    """Whether entries share their memory (``expand``): nobody writes in place there."""
    return any(size > 1 and not stride for size, stride in zip(buffer.shape, buffer.stride(), strict=True))


def _dense(gradient: Tensor | None) -> Tensor:
    if gradient is None or gradient.is_sparse:
        raise TrainingError("SAM: sparse gradients are not supported: build the embedding with sparse=False")
    return gradient
