"""Procedures: each reads as its paper's algorithm."""

from secateurs.procedures.ablations import shuffled
from secateurs.procedures.automatic import AutomaticRun, automatic_pruning
from secateurs.procedures.channels import ChannelSettings, find_channels
from secateurs.procedures.connection import (
    DIVERGED,
    Comparing,
    Connection,
    Similarity,
    connected,
    passes_of_comparing,
    similarity,
    way_between,
)
from secateurs.procedures.copies import Retraining, two_copies
from secateurs.procedures.dynamic_imp import DynamicImp, DynamicImpSettings, all_grown, dynamic_imp, phase_mask
from secateurs.procedures.early_pruning import early_pruning
from secateurs.procedures.facts import channel_facts, mask_facts
from secateurs.procedures.growth import laid_on
from secateurs.procedures.instability import Instability, Pair, compare_copies, copy_of, instability, throughout
from secateurs.procedures.lottery import Ticket, imp, lrr
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.procedures.pruning import PruneChannelSettings, PruneSettings, prune, prune_step
from secateurs.procedures.regimes import (
    MostSimilar,
    Selected,
    Tuned,
    highest_cka,
    model_selection,
    temperature_tuning,
)
from secateurs.procedures.regrowth import Regrown, RegrowthSettings, regrow, regrowth, sparse_from_the_start
from secateurs.procedures.settings import ITERATED
from secateurs.procedures.soundness import judged, sound, unbroken
from secateurs.procedures.tickets import kept_by_level, next_mask, random_mask, redrawn, replayed, retrained, rewound

__all__ = [
    "DIVERGED",
    "ITERATED",
    "AutomaticRun",
    "ChannelSettings",
    "Comparing",
    "Connection",
    "DynamicImp",
    "DynamicImpSettings",
    "Instability",
    "MaskSettings",
    "MostSimilar",
    "Pair",
    "PruneChannelSettings",
    "PruneSettings",
    "Regrown",
    "RegrowthSettings",
    "Retraining",
    "Selected",
    "Similarity",
    "Ticket",
    "Tuned",
    "all_grown",
    "automatic_pruning",
    "channel_facts",
    "compare_copies",
    "connected",
    "copy_of",
    "dynamic_imp",
    "early_pruning",
    "find_channels",
    "find_mask",
    "highest_cka",
    "imp",
    "instability",
    "judged",
    "kept_by_level",
    "laid_on",
    "lrr",
    "mask_facts",
    "model_selection",
    "next_mask",
    "passes_of_comparing",
    "phase_mask",
    "prune",
    "prune_step",
    "random_mask",
    "redrawn",
    "regrow",
    "regrowth",
    "replayed",
    "retrained",
    "rewound",
    "shuffled",
    "similarity",
    "sound",
    "sparse_from_the_start",
    "temperature_tuning",
    "throughout",
    "two_copies",
    "unbroken",
    "way_between",
]
