"""What to prune: pure functions that give every weight a score."""

from secateurs.what.persample import Labels, PerSample
from secateurs.what.scores import SCORES, ScoreSpec, fisher, fisher_empirical, magnitude, random, score

__all__ = [
    "SCORES",
    "Labels",
    "PerSample",
    "ScoreSpec",
    "fisher",
    "fisher_empirical",
    "magnitude",
    "random",
    "score",
]
