"""When to prune: signals that are followed during training, and triggers that decide on them."""

from secateurs.when.replay import replay
from secateurs.when.signals import (
    SIGNALS,
    EmpiricalFisherTrace,
    FisherTrace,
    GradientNorms,
    KLUniform,
    TrainLoss,
    kl_uniform,
    signal_of,
)
from secateurs.when.triggers import (
    TRIGGERS,
    At,
    Below,
    Peak,
    all_of,
    any_of,
    no_earlier_than,
    no_later_than,
    trigger_of,
)
from secateurs.when.watch import Watch

__all__ = [
    "SIGNALS",
    "TRIGGERS",
    "At",
    "Below",
    "EmpiricalFisherTrace",
    "FisherTrace",
    "GradientNorms",
    "KLUniform",
    "Peak",
    "TrainLoss",
    "Watch",
    "all_of",
    "any_of",
    "kl_uniform",
    "no_earlier_than",
    "no_later_than",
    "replay",
    "signal_of",
    "trigger_of",
]
