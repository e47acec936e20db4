"""Procedures: each reads as its paper's algorithm."""

from secateurs.procedures.ablations import shuffled
from secateurs.procedures.automatic import AutomaticRun, automatic_pruning
from secateurs.procedures.channels import ChannelSettings, find_channels
from secateurs.procedures.early_pruning import early_pruning
from secateurs.procedures.facts import channel_facts, mask_facts
from secateurs.procedures.instability import Instability, Pair, compare_copies, copy_of, instability, throughout
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.procedures.pruning import PruneChannelSettings, PruneSettings, prune, prune_step
from secateurs.procedures.settings import ITERATED

__all__ = [
    "ITERATED",
    "AutomaticRun",
    "ChannelSettings",
    "Instability",
    "MaskSettings",
    "Pair",
    "PruneChannelSettings",
    "PruneSettings",
    "automatic_pruning",
    "channel_facts",
    "compare_copies",
    "copy_of",
    "early_pruning",
    "find_channels",
    "find_mask",
    "instability",
    "mask_facts",
    "prune",
    "prune_step",
    "shuffled",
    "throughout",
]
