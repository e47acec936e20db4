"""The tensors of a network, ready for a file: each of its own memory, in order of memory, tied ones once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from secateurs.core import ExportError
from secateurs.how import Mask
from secateurs.pruner.wrappers import plain


def state_of(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The state by plain names, and which of its names mean a tensor that has another name before.

    Raises:
        ExportError: when something in the state is no dense tensor.
    """
    state = {plain(name): value for name, value in model.state_dict().items()}
    for name, value in state.items():
        if not isinstance(value, Tensor) or value.layout is not torch.strided or value.is_meta:
            raise ExportError(
                f"{name!r} in the state is {type(value).__name__}, no dense tensor with memory: only those can be saved"
            )
        if "/" in name:
            raise ExportError(f"{name!r}: a name with a slash cannot be told from a mask's: rename the module")
    return state, ties(model)


def ties(model: nn.Module) -> dict[str, str]:
    """Names in the state of tensors that stand under an earlier name already, each with that name.

    >>> one, other = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    >>> other.weight = one.weight
    >>> ties(nn.Sequential(one, other))
    {'1.weight': '0.weight'}
    """
    first: dict[int, str] = {}
    tied = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        known = first.setdefault(id(tensor), plain(name))
        if known != plain(name):
            tied[plain(name)] = known
    return tied


def owned(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors on the CPU, none of which shares memory with another: what safetensors takes."""
    seen: set[int] = set()
    own = {}
    for name, tensor in state.items():
        held = tensor.detach().cpu().contiguous()
        if held.untyped_storage().nbytes() != held.nbytes or held.untyped_storage().data_ptr() in seen:
            held = held.clone()
        seen.add(held.untyped_storage().data_ptr())
        own[name] = held
    return own


def checked_mask(mask: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The mask as tensors, if it fits the state.

    Raises:
        ExportError: when it is of another network, or weights that it drops are not 0.
    """
    for name, kept in mask.items():
        if name not in state or state[name].shape != kept.shape:
            found = list(state[name].shape) if name in state else "none"
            raise ExportError(f"mask: {name!r} is {list(kept.shape)}, in the model {found}: it is of another network")
        if state[name].masked_select(~kept.to(state[name].device)).count_nonzero():
            raise ExportError(f"mask: weights of {name!r} that it drops are not 0: apply(model, mask) first")
    return Mask(mask).to_tensors()


def digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of a text and of names, types, shapes and bits of tensors, in any order of names."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        sha.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
