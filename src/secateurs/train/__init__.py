"""Training: one loop over segments, its settings, its checkpoints."""

from secateurs.train.checkpoint import pack, unpack
from secateurs.train.loop import begin, observe, train
from secateurs.train.settings import Seeds, Settings, TrainSettings

__all__ = ["Seeds", "Settings", "TrainSettings", "begin", "observe", "pack", "train", "unpack"]
