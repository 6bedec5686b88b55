"""Measures how well a field of vectors separates known classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...alcore.geometry.neighbor_accuracy import neighbor_accuracy

MOST_SAMPLES = 20_000
LEAST_SAMPLES = 10


def accuracy_of(view: Any, field: str, label_field: str) -> float | None:
    """Return the share of labeled samples whose label is the most frequent one of their neighbors.

    Only the first 20,000 samples with a vector and a label are used.

    Returns:
        The share, from 0 to 1. It is None if fewer than 10 samples have both, or if all labels are
        equal.
    """
    if view.get_field(label_field) is None or view.get_field(field) is None:
        return None
    both = view.exists(field).exists(f"{label_field}.label").limit(MOST_SAMPLES)
    vectors, labels = both.values([field, f"{label_field}.label"])
    if len(labels) < LEAST_SAMPLES or len(set(labels)) < 2:
        return None
    return round(neighbor_accuracy(np.stack(vectors), labels), 4)
