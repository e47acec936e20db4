"""Which channels matter: one score for each unit of a group, higher = keep.

Every score is pure: parameters, buffers, gradients, modes and the global random state are as
before. A group's channels go together, so that one number has to say what all of them are worth:
how coupled layers are reduced to it, and where the absolute value is taken, are options.
"""

from secateurs.what.channels.common import ChannelScoreFn, ChannelScores
from secateurs.what.channels.crop import crop_gate, crop_gate_eq6
from secateurs.what.channels.gates import gate_decorators, snap
from secateurs.what.channels.reduction import Absolute, GateAbsolute, Reduce
from secateurs.what.channels.simple import bn_scale, filter_norm
from secateurs.what.channels.table import (
    CHANNEL_SCORES,
    CHANNELS_WITHOUT_EXAMPLES,
    channel_score,
    check_channel_score,
)
from secateurs.what.channels.weights import Reduced

__all__ = [
    "CHANNELS_WITHOUT_EXAMPLES",
    "CHANNEL_SCORES",
    "Absolute",
    "ChannelScoreFn",
    "ChannelScores",
    "GateAbsolute",
    "Reduce",
    "Reduced",
    "bn_scale",
    "channel_score",
    "check_channel_score",
    "crop_gate",
    "crop_gate_eq6",
    "filter_norm",
    "gate_decorators",
    "snap",
]
