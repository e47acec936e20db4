"""Masked instead of removed: the same function in the dense model's shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from secateurs.core import Keep
from secateurs.how.channels.surgery import Places, surgery
from secateurs.how.enforce import apply
from secateurs.how.mask import Mask


def channel_mask(model: nn.Module, keep: Keep) -> Mask:
    """The parameter entries that are left when the channels that ``keep`` drops are removed, as a mask.

    It covers whatever goes with a channel: weights and bias that make it, scale and shift that normalise it,
    weights that read it. :func:`enforce` trains the masked model with it as the cut one would be trained.

    Raises:
        PruningError: when ``keep`` does not fit the model, or a layer would vanish.

    >>> from secateurs.how import channel_groups
    >>> net = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    >>> keep = Keep(channel_groups(net, torch.zeros(1, 1)), {"0": torch.tensor([True, False])})
    >>> {name: flags.flatten().tolist() for name, flags in channel_mask(net, keep).items()}
    {'0.weight': [True, False], '0.bias': [True, False], '1.weight': [True, False]}
    """
    places = surgery(model, keep).places
    cut = {member.name for group in keep.groups for member in group.members}
    return Mask({name: left(p, places.get(name, {})) for name, p in model.named_parameters() if name in cut})


def left(tensor: Tensor, places: Places) -> Tensor:
    """Bools of the tensor's shape: which of its entries stay."""
    flags = torch.ones(tensor.shape, dtype=torch.bool)
    for dim, kept in places.items():
        gone = torch.ones(tensor.shape[dim], dtype=torch.bool)
        gone[kept] = False
        flags.movedim(dim, 0)[gone] = False
    return flags


@torch.no_grad()
def mask_channels(model: nn.Module, keep: Keep) -> None:
    """Set to 0, in place, whatever the channels that ``keep`` drops have in the model; shapes stay.

    Weights, biases, scale and shift go to 0, running means to 0 and variances to 1: masking filters alone would let
    the shift of the batch normalisation through. In evaluation mode the output is then that of the
    model without them (:func:`remove_channels`), to rounding.

    Raises:
        PruningError: when ``keep`` does not fit the model, or a layer would vanish; nothing was changed then.

    >>> from secateurs.how import channel_groups
    >>> net = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    >>> mask_channels(net, Keep(channel_groups(net, torch.zeros(1, 1)), {"0": torch.tensor([True, False])}))
    >>> net[1].weight.tolist()
    [1.0, 0.0]
    """
    places = surgery(model, keep).places
    apply(model, channel_mask(model, keep))
    for name, buffer in model.named_buffers():
        if name in places:
            neutral = 1 if name.rpartition(".")[2] == "running_var" else 0
            buffer.masked_fill_(~left(buffer, places[name]).to(buffer.device), neutral)
