"""Uncertainty where classes do not exclude each other: each is a yes or no of its own."""

from collections.abc import Callable
from typing import Any

import torch

from .arrays import as_given, at_least_float32, tensor_of
from .probabilities import entropy

CLASSES_A_CHUNK = 1 << 18


def multi_label(
    probabilities: Any,
    measure: Callable[[Any], Any] = entropy,
    aggregate: str = "mean",
) -> Any:
    """A measure of each class's own ``[p, 1 - p]``, brought to one number a sample.

    Args:
        probabilities: (N, C) in [0, 1], numpy or torch; rows need not sum to 1.
        measure: entropy, margin, least_confidence or ratio.
        aggregate: over the classes: "mean", in [0, 1]; "max", the most uncertain of them, in [0, 1]; or
            "sum", in [0, C].

    Returns:
        (N,) float64 of the same kind, higher = more worth labelling; 0 where there is no class.
    """
    p = tensor_of(probabilities)
    if p.ndim != 2:
        raise ValueError(f"probabilities must be (N, C), not {tuple(p.shape)}")
    out = torch.zeros(len(p), dtype=torch.float64, device=p.device)
    step = max(1, CLASSES_A_CHUNK // max(1, p.shape[1]))
    for start in range(0, len(p) if p.shape[1] else 0, step):
        chunk = at_least_float32(p[start : start + step]).to(torch.float64)
        each = measure(torch.stack([chunk, 1 - chunk], -1).flatten(0, 1)).reshape(chunk.shape)
        reduced = each.amax(1) if aggregate == "max" else getattr(each, aggregate)(1)
        out[start : start + step] = reduced
    return as_given(out, probabilities)
