"""How pruning is done: how many weights stay, exactly which, and how the others remain at zero.

Scores come in (name -> tensor, higher = keep), a :class:`Mask` goes out; ``apply`` and
``enforce`` put it on a model, and the density schedules say how far each pruning step goes.
"""

from secateurs.how.density import (
    DENSITIES,
    cubic,
    early_crop,
    exponential,
    harmonic,
    imp,
    linear,
    one_shot,
    rounds,
    survivors,
)
from secateurs.how.enforce import Enforcement, apply, enforce
from secateurs.how.keep import keep_top
from secateurs.how.mask import Mask

__all__ = [
    "DENSITIES",
    "Enforcement",
    "Mask",
    "apply",
    "cubic",
    "early_crop",
    "enforce",
    "exponential",
    "harmonic",
    "imp",
    "keep_top",
    "linear",
    "one_shot",
    "rounds",
    "survivors",
]
