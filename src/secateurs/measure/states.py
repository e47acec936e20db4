"""The weights of networks, and a model that holds one after the other and then its own again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from secateurs.core import MeasureError, TrainState, all_finite, did_you_mean

State = Mapping[str, Tensor] | nn.Module | TrainState
"""A trained network: its ``state_dict()``, itself, or a training state."""

Tensors = dict[str, Tensor]

_BY_CHANCE = 10
_REMEDY = "compare networks of one mask (distances() takes different ones)"


@contextmanager
def borrowed(model: nn.Module) -> Iterator[Tensors]:
    """The model's parameters and buffers, to be written to; afterwards they hold the bits they had.

    Yields:
        Names as in ``model.state_dict()`` -> the tensors themselves, apart from autograd: a pending
        backward pass does not notice.
    """
    kept = [(tensor, tensor.detach().clone()) for tensor in chain(model.parameters(), model.buffers())]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    try:
        yield _slots(model)
    finally:
        for module, own in buffers:
            module._buffers.update(own)  # a module may have put others in their place
        for tensor, value in kept:
            tensor.data.copy_(value)


def tensors_of(model: nn.Module, state: State, which: str, called: str) -> Tensors:
    """A network's tensors by the model's names, on the model's devices; none is one that ``model`` holds itself.

    What a state dict has beside parameters and buffers is left out.

    Args:
        which: what the state is called in errors, ``"a"`` or ``"b"``.
        called: the measure, for errors.

    Raises:
        MeasureError: when a name or a shape is another than the model's, or a weight is not finite.
    """
    if isinstance(state, TrainState):
        state = state.model
    given = state.state_dict() if isinstance(state, nn.Module) else state
    slots = _slots(model)
    own = {slot.untyped_storage().data_ptr() for slot in slots.values()}
    found: Tensors = {}
    for name, slot in slots.items():
        value = given.get(name)
        if not isinstance(value, Tensor):
            raise MeasureError(
                f"{called}: {which} has no {name!r}: another architecture than the model's{did_you_mean(name, given)}"
            )
        if value.shape != slot.shape:
            raise MeasureError(
                f"{called}: {name!r} has shape {tuple(value.shape)} in {which}, but {tuple(slot.shape)} in the model: "
                "they are different architectures"
            )
        if not all_finite(value):
            raise MeasureError(
                f"{called}: {name!r} is not finite in {which}: a network that diverged has no place here"
            )
        value = value.detach()
        found[name] = (value.clone() if value.untyped_storage().data_ptr() in own else value).to(slot.device)
    foreign = next((name for name, value in given.items() if name not in slots and isinstance(value, Tensor)), None)
    if foreign is not None:
        raise MeasureError(f"{called}: the model has no {foreign!r}, which {which} has{did_you_mean(foreign, slots)}")
    return found


def check_masks(a: State, b: State, tensors_a: Tensors, tensors_b: Tensors, called: str) -> None:
    """Whether two networks have the same mask.

    Training states say what theirs is. Otherwise the weights do: the masks are different where
    weights are 0 in only one of the two, more than ten of them and more than one in a hundred of
    those that are not 0 in both. (A few may be by chance; a layer that is 0 as a whole is not begun yet.)

    Raises:
        MeasureError: naming a weight that they mask differently.
    """
    if isinstance(a, TrainState) and isinstance(b, TrainState):
        masks = [each.mask or {} for each in (a, b)]
        for name in {**masks[0], **masks[1]}:
            one, other = (mask.get(name) for mask in masks)
            if one is None or other is None or not torch.equal(one.cpu(), other.cpu()):
                raise MeasureError(f"{called}: {name!r} is masked differently in a and b: {_REMEDY}")
        return
    differing: dict[str, int] = {}
    kept = 0
    for name, weight in tensors_a.items():
        alive, other_alive = weight != 0, tensors_b[name] != 0
        if weight.ndim > 1 and alive.any() and other_alive.any():
            differing[name] = int((alive ^ other_alive).sum())
            kept += int((alive | other_alive).sum())
    if sum(differing.values()) > max(_BY_CHANCE, kept / 100):
        name = max(differing, key=lambda each: differing[each])
        raise MeasureError(
            f"{called}: {name!r} is masked differently in a and b: {differing[name]} of its weights are 0 in only one "
            f"of them; {_REMEDY}"
        )


def write(slots: Tensors, values: Mapping[str, Tensor]) -> None:
    """Put values into the model that ``slots`` is borrowed from."""
    for name, value in values.items():
        slots[name].copy_(value)


def between(a: Tensors, b: Tensors, alpha: float) -> Tensors:
    """The network alpha * a + (1 - alpha) * b: exactly ``a`` at 1, exactly ``b`` at 0, exactly both where they agree.

    Buffers go along: running means and variances are interpolated as weights are. What is no
    floating-point number (counts of batches) is that of the nearer end, in the middle that of ``a``.

    >>> one, other = {"w": torch.tensor([1.0, 3.0])}, {"w": torch.tensor([2.0, 3.0])}
    >>> between(one, other, 0.25)["w"].tolist()
    [1.75, 3.0]
    """
    return {name: _between(a[name], b[name], alpha) for name in a}


def _between(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    if alpha in (0.0, 1.0) or not (a.is_floating_point() and b.is_floating_point()):
        return a if alpha >= 0.5 else b
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return torch.lerp(b.to(dtype), a.to(dtype), alpha)


def _slots(model: nn.Module) -> Tensors:
    """What ``model.state_dict()`` is made of: parameters and persistent buffers, each to be written to."""
    stored = model.state_dict().keys()
    every = chain(model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False))
    return {name: tensor.data for name, tensor in every if name in stored}
