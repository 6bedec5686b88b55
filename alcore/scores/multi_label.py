"""Uncertainty of classes that do not exclude each other: each is a binary decision."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import entr, xlog1py

from ..data.errors import InvalidInput
from ..data.settings import chunk_size
from .arrays import array_of, as_given, at_least_float32, device_of, tensor_of
from .probabilities import entropy, least_confidence, margin, ratio

MEASURES: dict[str, Callable[[Any], Any]] = {
    "entropy": entropy,
    "margin": margin,
    "least_confidence": least_confidence,
    "ratio": ratio,
}
AGGREGATES = ("mean", "max", "sum")
CLASSES_A_CHUNK = 1 << 18


def measure_named(name: str) -> Callable[[Any], Any]:
    """The measure called ``name``.

    Raises:
        InvalidInput: there is no such measure.
    """
    if name not in MEASURES:
        raise InvalidInput(f"measure: there is no {name!r}; choose one of {', '.join(MEASURES)}")
    return MEASURES[name]


def multi_label(probabilities: Any, measure: str = "entropy", aggregate: str = "mean") -> Any:
    """A measure of ``[p, 1 - p]`` for each class, aggregated to one number per sample.

    Args:
        probabilities: (N, C) in [0, 1], numpy or torch; rows need not sum to 1.
        measure: its name, see ``MEASURES``.
        aggregate: over the classes: "mean", in [0, 1]; "max", the most uncertain of them, in [0, 1]; or
            "sum", in [0, C].

    Returns:
        (N,) float64 of the same kind, higher = more worth labeling; 0 where there is no class.
    """
    p = array_of(probabilities)
    if p.ndim != 2:
        raise ValueError(f"probabilities must be (N, C), not {tuple(p.shape)}")
    measure_named(measure)
    if aggregate not in AGGREGATES:
        raise InvalidInput(f"aggregate: there is no {aggregate!r}; use {', '.join(AGGREGATES)}")
    out = torch.zeros(len(p), dtype=torch.float64, device=device_of(p))
    step = max(1, chunk_size(CLASSES_A_CHUNK) // max(1, p.shape[1]))
    for start in range(0, len(p) if p.shape[1] else 0, step):
        chunk = at_least_float32(tensor_of(p[start : start + step])).cpu().to(torch.float64).numpy()
        if aggregate == "max":
            found = most_uncertain(chunk, measure)
        else:
            each = two_class(np.clip(chunk, 0, 1), measure)
            found = each.mean(1) if aggregate == "mean" else each.sum(1)
        out[start : start + step] = torch.from_numpy(found)
    return as_given(out, probabilities)


def most_uncertain(probabilities: np.ndarray, measure: str) -> np.ndarray:
    """(N,) float64 in [0, 1]: the measure of each row's least certain class.

    Every measure falls with the distance of p from 1/2, so that only the class nearest to 1/2 has to be
    measured. Values that rounding put outside [0, 1] are clipped.
    """
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 0, 1)
    nearest = np.abs(p - 0.5).argmin(1)
    return two_class(np.take_along_axis(p, nearest[:, None], axis=1)[:, 0], measure)


def two_class(probabilities: np.ndarray, measure: str) -> np.ndarray:
    """The measure of [p, 1 - p] for each of the probabilities, of any shape: float64 in [0, 1].

    These are the measures of ``alcore.scores``, written out for two classes, and many times faster.
    """
    measure_named(measure)
    p = np.asarray(probabilities, dtype=np.float64)
    if measure == "entropy":
        return (entr(p) - xlog1py(1 - p, -p)) / math.log(2)
    other = np.minimum(p, 1 - p)
    return other / (1 - other) if measure == "ratio" else 2 * other
