"""Which weights matter: scores of one shape, ``name -> tensor``, higher = keep.

Every score is pure: parameters, buffers, gradients, modes and the global random state are as
before. Masked weights act as 0, score 0, and are to be kept out by ``keep_top(within=mask)``.
"""

from secateurs.what.scores.curvature import obd
from secateurs.what.scores.fisher import fisher, fisher_empirical
from secateurs.what.scores.flow import gradient_flow, grasp
from secateurs.what.scores.gradient import loss_preservation, magnitude_loss, movement, snip, taylor
from secateurs.what.scores.simple import magnitude, random
from secateurs.what.scores.synflow import synflow
from secateurs.what.scores.table import SCORES, WITHOUT_EXAMPLES, ScoreSpec, check_score, score

__all__ = [
    "SCORES",
    "WITHOUT_EXAMPLES",
    "ScoreSpec",
    "check_score",
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
