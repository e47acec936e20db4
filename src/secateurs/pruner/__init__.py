"""Pruning in anybody's training loop: the network is pruned at the right moment of the run that trains it."""

from secateurs.pruner.after import Savings, learning_rate_after, savings
from secateurs.pruner.channels import Channels
from secateurs.pruner.early import EarlyPruner
from secateurs.pruner.event import PruneEvent
from secateurs.pruner.outcome import How
from secateurs.pruner.saved import ChannelSavings
from secateurs.pruner.targets import Flops, Latency, Size
from secateurs.pruner.unstructured import Unstructured

__all__ = [
    "ChannelSavings",
    "Channels",
    "EarlyPruner",
    "Flops",
    "How",
    "Latency",
    "PruneEvent",
    "Savings",
    "Size",
    "Unstructured",
    "learning_rate_after",
    "savings",
]
