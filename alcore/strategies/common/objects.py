"""What is known of predicted objects: their classes, and the chance that each is right."""

from __future__ import annotations

import numpy as np

from ...data.errors import InvalidInput
from ...data.objects import Objects
from ...scores.calibration import calibrated_confidences


def predicted_classes(objects: Objects) -> np.ndarray | None:
    """(M,) int64 the class of each object, -1 where not known; None where no object has one."""
    if objects.labels is not None or objects.probabilities is None:
        return objects.labels
    bare = np.isnan(objects.probabilities[:, 0])
    return np.where(bare, -1, objects.probabilities.argmax(1))


def is_evaluated(objects: Objects, labeled: np.ndarray) -> bool:
    """Whether it is known of an object of a labeled sample, (N,) bool, if it is right."""
    return bool(np.isfinite(_correct(objects, labeled)).any())


def chances(objects: Objects, labeled: np.ndarray, user: str) -> np.ndarray:
    """(M,) float64 in [0, 1], the chance that each object is right; see ``calibrated_confidences``.

    An object without a confidence has that of its most probable class.

    Args:
        objects: M objects of N samples.
        labeled: (N,) bool, the samples whose evaluated objects count. Elsewhere an object may be called
            wrong only because nobody has labeled the sample.
        user: what uses them; error messages start with it.

    Raises:
        InvalidInput: objects with neither a confidence nor a class vector.
    """
    s = np.full(objects.total, np.nan)
    if objects.confidences is not None:
        s = objects.confidences.astype(np.float64)
    if objects.probabilities is not None:
        s = np.where(np.isnan(s), objects.probabilities.max(1, initial=0), s)
    unknown = np.flatnonzero(np.isnan(s))
    if len(unknown):
        raise InvalidInput(
            f"{user}: {objects.name(unknown)} with neither a confidence nor a class vector; leave them "
            "out"
        )
    labels = predicted_classes(objects)
    if labels is None:
        labels = np.full(objects.total, -1)
    return calibrated_confidences(s, labels, _correct(objects, labeled))


def _correct(objects: Objects, labeled: np.ndarray) -> np.ndarray:
    """(M,) 1 right, 0 wrong, NaN not known: of the objects of labeled samples."""
    if objects.correct is None:
        return np.full(objects.total, np.nan)
    return np.where(np.repeat(labeled, objects.counts), objects.correct, np.nan)
