"""secateurs: prune neural networks early in training.

The rooms are named after the questions they answer: ``when`` is a network ready to be pruned,
``what`` may go, ``how`` does it go, and was it worth it (``measure``, ``report``). ``train`` and
``procedures`` put them together; ``jobs`` and ``studies`` run them many times; ``papers`` draw
the papers' figures. This file is the map of what most people need.
"""

from secateurs.core import Batch, Moment, SecateursError, Spec, TrainState, prunable
from secateurs.how import Mask, apply, enforce, keep_top
from secateurs.procedures import (
    ChannelSettings,
    MaskSettings,
    PruneChannelSettings,
    PruneSettings,
    automatic_pruning,
    early_pruning,
    find_channels,
    find_mask,
    imp,
    lrr,
    prune,
    prune_step,
)
from secateurs.pruner import Channels, EarlyPruner, Flops, Latency, Size, Unstructured
from secateurs.train import Seeds, TrainSettings, begin, observe, train
from secateurs.what import SCORES, fisher, grasp, magnitude, random, score, snip, synflow
from secateurs.when import (
    At,
    Below,
    FisherTrace,
    GradientNorms,
    KLUniform,
    MaskDistance,
    Peak,
    Settled,
    Watch,
    WeightChange,
    fine_tuning_trigger,
    no_later_than,
    replay,
)

__all__ = [
    "SCORES",
    "At",
    "Batch",
    "Below",
    "ChannelSettings",
    "Channels",
    "EarlyPruner",
    "FisherTrace",
    "Flops",
    "GradientNorms",
    "KLUniform",
    "Latency",
    "Mask",
    "MaskDistance",
    "MaskSettings",
    "Moment",
    "Peak",
    "PruneChannelSettings",
    "PruneSettings",
    "SecateursError",
    "Seeds",
    "Settled",
    "Size",
    "Spec",
    "TrainSettings",
    "TrainState",
    "Unstructured",
    "Watch",
    "WeightChange",
    "apply",
    "automatic_pruning",
    "begin",
    "early_pruning",
    "enforce",
    "find_channels",
    "find_mask",
    "fine_tuning_trigger",
    "fisher",
    "grasp",
    "imp",
    "keep_top",
    "lrr",
    "magnitude",
    "no_later_than",
    "observe",
    "prunable",
    "prune",
    "prune_step",
    "random",
    "replay",
    "score",
    "snip",
    "synflow",
    "train",
]
