"""Which weights a score is about, and where a mask says zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import PruningError, did_you_mean, prunable


def weights_of(model: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Parameter]:
    """The parameters ``names`` in that order, or all that are prunable.

    Raises:
        PruningError: for a name that the model does not have, or two names of one parameter.

    >>> list(weights_of(nn.Linear(2, 1), ["bias"]))
    ['bias']
    """
    if names is None:
        return prunable(model)
    # One parameter may have several names, and prunable() gives that of its Linear or Conv layer.
    parameters = dict(model.named_parameters(remove_duplicate=False))
    found: dict[str, nn.Parameter] = {}
    seen: dict[int, str] = {}
    for name in names:
        if name not in parameters:
            raise PruningError(f"the model has no parameter {name!r}{did_you_mean(name, parameters)}")
        found[name] = parameters[name]
        first = seen.setdefault(id(parameters[name]), name)
        if first != name:
            raise PruningError(f"{first!r} and {name!r} are one parameter, shared by two layers: name it once")
    return found


def kept_by(mask: Mapping[str, Tensor] | None, model: nn.Module, called: str) -> dict[int, Tensor]:
    """Parameter's id -> True where ``mask`` keeps it, on the parameter's device; for the parameters that it covers.

    Raises:
        PruningError: for a name or shape that the model does not have.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    found: dict[int, Tensor] = {}
    for name, each in (mask or {}).items():
        if name not in parameters:
            raise PruningError(f"{called}: mask: the model has no parameter {name!r}{did_you_mean(name, parameters)}")
        p = parameters[name]
        if each.shape != p.shape:
            raise PruningError(
                f"{called}: mask: {name!r} has shape {tuple(p.shape)} in the model but {tuple(each.shape)} in the mask"
            )
        here = each.to(p.device, torch.bool)
        found[id(p)] = here & found[id(p)] if id(p) in found else here
    return found


def zeroed(p: nn.Parameter, kept: Mapping[int, Tensor]) -> Tensor:
    """A copy of the parameter, 0 where it is not kept."""
    return p.detach().masked_fill(~kept[id(p)], 0) if id(p) in kept else p.detach().clone()


def lent(p: nn.Parameter, kept: Mapping[int, Tensor]) -> Tensor:
    """The parameter's own memory, which is not to be written to; a copy where some of it is not kept."""
    plain = type(p) in (nn.Parameter, Tensor) and not p.is_inference() and p.layout is torch.strided
    return p.detach() if plain and id(p) not in kept else zeroed(p, kept)
