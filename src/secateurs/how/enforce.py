"""Putting a mask on a model: once, or for as long as it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from secateurs.core import PruningError, did_you_mean
from secateurs.how.mask import Mask

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes per entry


@torch.no_grad()
def apply(model: nn.Module, mask: Mapping[str, Tensor]) -> None:
    """Set the weights that ``mask`` dropped to zero, in place, once.

    Raises:
        PruningError: when a name or shape of the mask does not fit the model; nothing was changed then.

    >>> net = nn.Linear(2, 1)
    >>> apply(net, {"weight": torch.tensor([[True, False]])})
    >>> (net.weight == 0).tolist()
    [[False, True]]
    """
    for target in _targets(model, mask):
        target.zero(target.parameter)


def enforce(model: nn.Module, optimizer: Optimizer, mask: Mapping[str, Tensor]) -> Enforcement:
    """Keep the weights that ``mask`` dropped at exactly zero while ``optimizer`` trains ``model``.

    Gradients are zeroed as they accumulate, so that clipping and logging see the true norm.
    Weights, and every tensor of the weight's shape in the optimiser's state (momentum, Adam's
    moments), are set to zero at once, after each step, and after ``load_state_dict`` of the
    model or the optimiser. That holds against momentum, weight decay and any schedule, and a
    NaN where nothing is left does no harm. The mask takes as much memory as the weights it covers.
    Nothing is stored: state dicts are those of the bare
    model, and copies of the model come without enforcement. Frozen parameters
    (``requires_grad=False``) need not be in the optimiser.

    Raises:
        PruningError: when a name or shape of the mask does not fit the model, or the optimiser
            does not hold a parameter of the mask that requires gradients.

    >>> net = nn.Linear(2, 1)
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    >>> with enforce(net, sgd, {"weight": torch.tensor([[True, False]])}):
    ...     net(torch.ones(1, 2)).sum().backward()
    ...     sgd.step()
    >>> (net.weight == 0).tolist(), net.weight.grad.tolist()
    ([[False, True]], [[1.0, 0.0]])
    """
    targets = _targets(model, mask)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for target in targets:
        if target.parameter.requires_grad and id(target.parameter) not in held:
            raise PruningError(
                f"enforce: the optimizer does not hold {target.name!r}: build it from the parameters of this very "
                "model, or leave the parameter out of the mask"
            )
    return Enforcement(targets, optimizer)


class Enforcement:
    """A mask in force, made by :func:`enforce`: a context manager, ended by its exit or by :meth:`remove`."""

    def __init__(self, targets: tuple[_Target, ...] = (), optimizer: Optimizer | None = None) -> None:
        self._targets = targets
        self._optimizer = optimizer
        self._handles: list[RemovableHandle] = []
        if optimizer is None:
            return
        self._clean()
        for target in targets:
            if target.parameter.requires_grad:
                handle = target.parameter.register_post_accumulate_grad_hook(target.zero_gradient)
                self._handles.append(handle)
        # On the module that owns the weight: its hook also runs when only a part of the model is loaded.
        for owner in {id(target.owner): target.owner for target in targets}.values():
            handle = owner.register_load_state_dict_post_hook(self._after_model_load)
            self._handles.append(handle)
        self._handles.append(optimizer.register_step_post_hook(self._after_step))
        self._handles.append(optimizer.register_load_state_dict_post_hook(self._after_optimizer_load))

    def remove(self) -> None:
        """End the enforcement and take every hook away; weights stay as they are. May be called again."""
        while self._handles:
            self._handles.pop().remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def __reduce__(self) -> tuple[type[Enforcement], tuple[()]]:
        # Hooks travel with deep copies and pickles of a module. There they must not reach back
        # to this model, so that what arrives is an enforcement of nothing.
        return Enforcement, ()

    @torch.no_grad()
    def _clean(self, owner: nn.Module | None = None) -> None:
        for target in self._targets:
            if owner is None or target.owner is owner:
                target.zero(target.parameter)
                if target.parameter.grad is not None:
                    target.zero(target.parameter.grad)
                if self._optimizer is not None:
                    target.zero_state(self._optimizer)

    @torch.no_grad()
    def _after_step(self, optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        # Gradients were zeroed as they accumulated; here it is the hot path of training.
        for target in self._targets:
            target.zero(target.parameter)
            target.zero_state(optimizer)

    def _after_optimizer_load(self, _optimizer: Optimizer) -> None:
        self._clean()

    def _after_model_load(self, module: nn.Module, _incompatible_keys: object) -> None:
        for target in self._targets:
            if target.owner is module and getattr(module, target.attribute) is not target.parameter:
                raise PruningError(
                    f"load_state_dict(assign=True) replaced {target.name!r} by a parameter that neither the mask nor "
                    "the optimizer knows: load without assign, or build the optimizer and enforce() anew"
                )
        self._clean(module)


@dataclass(frozen=True, eq=False)
class _Target:
    """One masked parameter and where it lives."""

    name: str
    parameter: nn.Parameter
    owner: nn.Module
    attribute: str
    kept: Tensor
    bits: dict[tuple[torch.dtype, torch.device], Tensor] = field(default_factory=dict)

    def zero(self, tensor: Tensor) -> None:
        """Clear the dropped entries to +0.0, whatever they are: by a bitwise and.

        A product would leave NaN at NaN and turn negative weights into -0.0; ``masked_fill_`` does the
        same as this, but takes ten times as long on a CPU.
        """
        integer = _INTEGERS[tensor.element_size()]
        key = (integer, tensor.device)
        if key not in self.bits:
            # Laid out in memory as the tensor is (channels last, too), so that it stays one linear pass.
            self.bits[key] = torch.empty_like(tensor, dtype=integer, requires_grad=False).copy_(self.kept).neg_()
        tensor.view(integer).bitwise_and_(self.bits[key])

    def zero_state(self, optimizer: Optimizer) -> None:
        for value in optimizer.state.get(self.parameter, {}).values():
            if isinstance(value, Tensor) and value.shape == self.parameter.shape:
                self.zero(value)

    @torch.no_grad()
    def zero_gradient(self, parameter: Tensor) -> None:
        if parameter.grad is not None:
            self.zero(parameter.grad)


def _targets(model: nn.Module, mask: Mapping[str, Tensor]) -> tuple[_Target, ...]:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    targets = []
    for name, kept in (mask if isinstance(mask, Mask) else Mask(mask)).items():
        if name not in parameters:
            raise PruningError(f"mask: the model has no parameter {name!r}{did_you_mean(name, parameters)}")
        parameter = parameters[name]
        if not parameter.is_floating_point():
            raise PruningError(
                f"mask: {name!r} holds {parameter.dtype}: only real floating-point weights can be masked"
            )
        if kept.shape != parameter.shape:
            raise PruningError(
                f"mask: {name!r} has shape {tuple(parameter.shape)} in the model but {tuple(kept.shape)} in the mask"
            )
        path, _, attribute = name.rpartition(".")
        targets.append(_Target(name, parameter, model.get_submodule(path), attribute, kept))
    return tuple(targets)
