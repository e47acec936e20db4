"""Measures of trained networks; none leaves a trace on what it measures."""

from secateurs.measure.evaluate import evaluate

__all__ = ["evaluate"]
