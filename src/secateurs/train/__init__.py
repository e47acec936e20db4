"""Training: one loop over segments, its settings, its checkpoints."""

from secateurs.train.checkpoint import pack, unpack
from secateurs.train.frozen import Settings
from secateurs.train.loop import begin, observe, train
from secateurs.train.optimizers import Adam, AdamW, SamSettings, Sgd
from secateurs.train.precision import check_precision
from secateurs.train.sam import SAM
from secateurs.train.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Step
from secateurs.train.settings import Seeds, TrainSettings

__all__ = [
    "SAM",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "OneCycle",
    "SamSettings",
    "Seeds",
    "Settings",
    "Sgd",
    "Step",
    "TrainSettings",
    "begin",
    "check_precision",
    "observe",
    "pack",
    "train",
    "unpack",
]
