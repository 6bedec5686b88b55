"""Scores: pure functions from predictions to one number per sample, higher = more worth labeling."""

from .calibration import calibrated_confidences, fit_temperature
from .cost import business_value, cost_margin, cost_matrix, expected_cost
from .disagreement import detection_disagreement
from .members import (
    bald,
    consensus_entropy,
    expected_entropy,
    kl_to_consensus,
    max_disagreement,
    mean_std,
    predictive_entropy,
    variance,
    variation_ratio,
    vote_entropy,
)
from .multi_label import multi_label
from .objects import aggregate, object_scores
from .pixels import aggregate_pixels, class_weighted_scores, member_pixel_scores, pixel_scores
from .probabilities import entropy, least_confidence, margin, ratio
from .typicality import typicality

__all__ = [
    "aggregate",
    "aggregate_pixels",
    "bald",
    "business_value",
    "calibrated_confidences",
    "class_weighted_scores",
    "consensus_entropy",
    "cost_margin",
    "cost_matrix",
    "detection_disagreement",
    "entropy",
    "expected_cost",
    "expected_entropy",
    "fit_temperature",
    "kl_to_consensus",
    "least_confidence",
    "margin",
    "max_disagreement",
    "mean_std",
    "member_pixel_scores",
    "multi_label",
    "object_scores",
    "pixel_scores",
    "predictive_entropy",
    "ratio",
    "typicality",
    "variance",
    "variation_ratio",
    "vote_entropy",
]
