"""How well a field of vectors tells the known classes apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...alcore.geometry.neighbor_accuracy import neighbor_accuracy

MOST_SAMPLES = 20_000
LEAST_SAMPLES = 10


def accuracy_of(view: Any, field: str, label_field: str) -> float | None:
    """The share of labeled samples that have the label of most of their nearest neighbors.

    Returns:
        None where fewer than 10 samples have both, or all the same label; of more than 20,000 the
        first are looked at.
    """
    if view.get_field(label_field) is None or view.get_field(field) is None:
        return None
    both = view.exists(field).exists(f"{label_field}.label").limit(MOST_SAMPLES)
    vectors, labels = both.values([field, f"{label_field}.label"])
    if len(labels) < LEAST_SAMPLES or len(set(labels)) < 2:
        return None
    return round(neighbor_accuracy(np.stack(vectors), labels), 4)
