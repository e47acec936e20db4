"""What to prune: pure functions that give every weight a score."""

from secateurs.what.loss import MeanLoss
from secateurs.what.persample import Labels, PerSample
from secateurs.what.scores import (
    SCORES,
    WITHOUT_EXAMPLES,
    ScoreSpec,
    fisher,
    fisher_empirical,
    gradient_flow,
    grasp,
    loss_preservation,
    magnitude,
    magnitude_loss,
    movement,
    obd,
    random,
    score,
    snip,
    synflow,
    taylor,
)

__all__ = [
    "SCORES",
    "WITHOUT_EXAMPLES",
    "Labels",
    "MeanLoss",
    "PerSample",
    "ScoreSpec",
    "fisher",
    "fisher_empirical",
    "gradient_flow",
    "grasp",
    "loss_preservation",
    "magnitude",
    "magnitude_loss",
    "movement",
    "obd",
    "random",
    "score",
    "snip",
    "synflow",
    "taylor",
]
