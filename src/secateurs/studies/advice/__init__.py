"""Advice on a network that is to be pruned: from a recipe, a study or checkpoints to jobs."""
