"""Procedures: each reads as its paper's algorithm."""

from secateurs.procedures.early_pruning import PruneSettings, early_pruning, mask_facts, prune

__all__ = ["PruneSettings", "early_pruning", "mask_facts", "prune"]
