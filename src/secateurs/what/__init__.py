"""What to prune: pure functions that give every weight a score."""

from secateurs.what.persample import sampled_gradients
from secateurs.what.scores import SCORES, ScoreSpec, fisher, magnitude, random, score

__all__ = ["SCORES", "ScoreSpec", "fisher", "magnitude", "random", "sampled_gradients", "score"]
