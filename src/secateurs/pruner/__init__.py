"""Pruning in anybody's training loop: the network is pruned at the right moment of the run that trains it."""

from secateurs.pruner.after import Savings, learning_rate_after, savings
from secateurs.pruner.early import EarlyPruner
from secateurs.pruner.event import PruneEvent
from secateurs.pruner.targets import Flops, Latency, Size
from secateurs.pruner.unstructured import How, Unstructured

__all__ = [
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
