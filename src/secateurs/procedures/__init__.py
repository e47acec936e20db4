"""Procedures: each reads as its paper's algorithm."""

from secateurs.procedures.early_pruning import PruneSettings, early_pruning, mask_facts, prune, shuffled
from secateurs.procedures.masks import ITERATED, MaskSettings, find_mask

__all__ = ["ITERATED", "MaskSettings", "PruneSettings", "early_pruning", "find_mask", "mask_facts", "prune", "shuffled"]
