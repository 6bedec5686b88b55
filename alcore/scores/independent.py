"""Uncertainty of classes that do not exclude each other: each is a question of yes or no."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr

from ..errors import InvalidInput
from .probabilities import entropy, least_confidence, margin, ratio

MEASURES: dict[str, Callable[[Any], np.ndarray]] = {
    "entropy": entropy,
    "margin": margin,
    "least_confidence": least_confidence,
    "ratio": ratio,
}


def measure_named(name: str) -> Callable[[Any], np.ndarray]:
    """The measure of that name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in MEASURES:
        raise InvalidInput(f"measure: there is no {name!r}; choose one of {', '.join(MEASURES)}")
    return MEASURES[name]


def independent(probabilities: np.ndarray, measure: str) -> np.ndarray:
    """Uncertainty of the least certain class, each judged as the two classes [p, 1 - p].

    Every measure falls with a class's distance from 1/2, so that only the class nearest to it is
    judged.

    Args:
        probabilities: (N, C) each number in [0, 1]; what rounding put outside is cut off.
        measure: its name, see ``MEASURES``.

    Returns:
        (N,) float64 in [0, 1], higher = more worth labelling: 0 where every class is certain, 1
        where one is at 1/2.
    """
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 0, 1)
    nearest = np.abs(p - 0.5).argmin(1)
    return two_class(np.take_along_axis(p, nearest[:, None], axis=1)[:, 0], measure)


def two_class(probabilities: np.ndarray, measure: str) -> np.ndarray:
    """(N,) probabilities of "yes" in [0, 1], each judged as [p, 1 - p]: (N,) float64 in [0, 1].

    The measures of ``alcore.scores`` written out for two classes, many times as fast.
    """
    measure_named(measure)
    p = np.asarray(probabilities, dtype=np.float64)
    if measure == "entropy":
        return (entr(p) + entr(1 - p)) / math.log(2)
    other = np.minimum(p, 1 - p)
    return other / (1 - other) if measure == "ratio" else 2 * other
