"""What scores share: zero where a mask says so, and where randomness comes from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from secateurs.core import PruningError


def masked(scores: Tensor, p: Tensor, kept: Mapping[int, Tensor]) -> Tensor:
    """Scores of a parameter, 0 where ``kept`` (by the parameter's id, as of ``kept_by``) does not keep it."""
    return scores.masked_fill(~kept[id(p)], 0) if id(p) in kept else scores.clone()


def explicit(generator: torch.Generator | None, name: str) -> torch.Generator:
    if generator is None:
        raise PruningError(f"{name}: pass generator=torch.Generator().manual_seed(...); randomness is explicit here")
    return generator
