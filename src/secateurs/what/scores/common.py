"""What all scores share: whose weights, where a mask says zero, and where randomness comes from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from secateurs.core import PruningError
from secateurs.what.weights import weights_of

__all__ = ["explicit", "masked", "weights_of"]


def masked(scores: Tensor, name: str, mask: Mapping[str, Tensor] | None) -> Tensor:
    if mask is None or name not in mask:
        return scores.clone()
    return scores.masked_fill(~mask[name].to(scores.device), 0)


def explicit(generator: torch.Generator | None, name: str) -> torch.Generator:
    if generator is None:
        raise PruningError(f"{name}: pass generator=torch.Generator().manual_seed(...); randomness is explicit here")
    return generator
