"""Channels: which go together, which are kept, and their removal in mid-training."""

from secateurs.how.channels.choice import keep_top_channels
from secateurs.how.channels.composing import between, composed, expanded, groups_left
from secateurs.how.channels.counting import keep_density
from secateurs.how.channels.cutting import cut_in_place, remove_channels
from secateurs.how.channels.groups import channel_groups
from secateurs.how.channels.limiting import in_units_of, limited
from secateurs.how.channels.masking import channel_mask, mask_channels

__all__ = [
    "between",
    "channel_groups",
    "channel_mask",
    "composed",
    "cut_in_place",
    "expanded",
    "groups_left",
    "in_units_of",
    "keep_density",
    "keep_top_channels",
    "limited",
    "mask_channels",
    "remove_channels",
]
