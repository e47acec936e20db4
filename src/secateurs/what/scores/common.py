"""What all scores share: whose weights, where a mask says zero, and where randomness comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import PruningError, did_you_mean, prunable


def weights_of(model: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Parameter]:
    if names is None:
        return prunable(model)
    parameters = dict(model.named_parameters())
    for name in names:
        if name not in parameters:
            raise PruningError(f"the model has no parameter {name!r}{did_you_mean(name, parameters)}")
    return {name: parameters[name] for name in names}


def masked(scores: Tensor, name: str, mask: Mapping[str, Tensor] | None) -> Tensor:
    if mask is None or name not in mask:
        return scores.clone()
    return scores.masked_fill(~mask[name].to(scores.device), 0)


def explicit(generator: torch.Generator | None, name: str) -> torch.Generator:
    if generator is None:
        raise PruningError(f"{name}: pass generator=torch.Generator().manual_seed(...); randomness is explicit here")
    return generator
