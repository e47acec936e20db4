"""How pruning is done: how many weights stay, exactly which, and how the others remain at zero.

Scores come in (name -> tensor, higher = keep), a :class:`Mask` goes out; ``apply`` and
``enforce`` put it on a model, and the density schedules say how far each pruning step goes.
"""

from secateurs.how.channels import (
    between,
    channel_groups,
    channel_mask,
    composed,
    cut_in_place,
    expanded,
    groups_left,
    in_units_of,
    keep_density,
    keep_top_channels,
    limited,
    mask_channels,
    remove_channels,
)
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
from secateurs.how.exchange import best_in_layers, best_overall, exchange, union
from secateurs.how.keep import keep_top, layer_counts
from secateurs.how.mask import Mask
from secateurs.how.steps import keep_in_steps

__all__ = [
    "DENSITIES",
    "Enforcement",
    "Mask",
    "apply",
    "best_in_layers",
    "best_overall",
    "between",
    "channel_groups",
    "channel_mask",
    "composed",
    "cubic",
    "cut_in_place",
    "early_crop",
    "enforce",
    "exchange",
    "expanded",
    "exponential",
    "groups_left",
    "harmonic",
    "imp",
    "in_units_of",
    "keep_density",
    "keep_in_steps",
    "keep_top",
    "keep_top_channels",
    "layer_counts",
    "limited",
    "linear",
    "mask_channels",
    "one_shot",
    "remove_channels",
    "rounds",
    "survivors",
    "union",
]
