"""When to prune: signals that are followed during training, and triggers that decide on them."""

from secateurs.when.mask_distance import MaskDistance
from secateurs.when.published import early_bird_trigger, early_crop_trigger
from secateurs.when.replay import replay
from secateurs.when.signals import (
    SIGNALS,
    GradientNorms,
    KLUniform,
    TrainLoss,
    kl_uniform,
    signal_of,
)
from secateurs.when.traces import EmpiricalFisherTrace, FisherTrace
from secateurs.when.triggers import (
    TRIGGERS,
    At,
    Below,
    Peak,
    Settled,
    all_of,
    any_of,
    no_earlier_than,
    no_later_than,
    trigger_of,
)
from secateurs.when.watch import Watch
from secateurs.when.weight_change import WeightChange

__all__ = [
    "SIGNALS",
    "TRIGGERS",
    "At",
    "Below",
    "EmpiricalFisherTrace",
    "FisherTrace",
    "GradientNorms",
    "KLUniform",
    "MaskDistance",
    "Peak",
    "Settled",
    "TrainLoss",
    "Watch",
    "WeightChange",
    "all_of",
    "any_of",
    "early_bird_trigger",
    "early_crop_trigger",
    "kl_uniform",
    "no_earlier_than",
    "no_later_than",
    "replay",
    "signal_of",
    "trigger_of",
]
