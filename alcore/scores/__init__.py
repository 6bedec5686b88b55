"""Scores: pure functions from predictions to one number a sample, higher = more worth labelling."""

from .probabilities import entropy, least_confidence, margin, ratio

__all__ = ["entropy", "least_confidence", "margin", "ratio"]
