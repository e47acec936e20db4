"""Regimes of pruning as jobs: the plan, retraining, and pairs of copies (P4)."""
