"""When to prune: signals that are followed during training, and triggers that decide on them."""

from secateurs.when.bounds import reached_bound
from secateurs.when.default import default_trigger, fine_tuning_trigger
from secateurs.when.describe import describe
from secateurs.when.explain import explain
from secateurs.when.mask_distance import MaskDistance
from secateurs.when.named import TRIGGERS, trigger_of
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
    At,
    Below,
    Peak,
    Settled,
    all_of,
    any_of,
    no_earlier_than,
    no_later_than,
)
from secateurs.when.watch import Watch, measurements
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
    "default_trigger",
    "describe",
    "early_bird_trigger",
    "early_crop_trigger",
    "explain",
    "fine_tuning_trigger",
    "kl_uniform",
    "measurements",
    "no_earlier_than",
    "no_later_than",
    "reached_bound",
    "replay",
    "signal_of",
    "trigger_of",
]
