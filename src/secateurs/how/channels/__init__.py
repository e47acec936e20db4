"""Channels: which go together, which are kept, and their removal in mid-training."""

from secateurs.how.channels.choice import keep_top_channels
from secateurs.how.channels.counting import keep_density
from secateurs.how.channels.cutting import cut_in_place, remove_channels
from secateurs.how.channels.groups import channel_groups
from secateurs.how.channels.masking import channel_mask, mask_channels

__all__ = [
    "channel_groups",
    "channel_mask",
    "cut_in_place",
    "keep_density",
    "keep_top_channels",
    "mask_channels",
    "remove_channels",
]
