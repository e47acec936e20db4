"""Procedures: each reads as its paper's algorithm."""

from secateurs.procedures.automatic import AutomaticRun, automatic_pruning
from secateurs.procedures.early_pruning import PruneSettings, early_pruning, mask_facts, prune, shuffled
from secateurs.procedures.instability import Instability, Pair, compare_copies, copy_of, instability, throughout
from secateurs.procedures.masks import ITERATED, MaskSettings, find_mask

__all__ = [
    "ITERATED",
    "AutomaticRun",
    "Instability",
    "MaskSettings",
    "Pair",
    "PruneSettings",
    "automatic_pruning",
    "compare_copies",
    "copy_of",
    "early_pruning",
    "find_mask",
    "instability",
    "mask_facts",
    "prune",
    "shuffled",
    "throughout",
]
