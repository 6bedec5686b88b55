"""Uncertainty of single predictions. N samples, C classes.

Each measure takes ``probabilities`` (N, C), renormalises its rows, works in float64, and returns
(N,) float64 in [0, 1]: 0 where the row is one-hot, 1 where it is uniform. One class: 0 everywhere.
Source: Settles, Active Learning Literature Survey (2010), section 3.1.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

ROWS_A_CHUNK = 1 << 21  # numbers, not rows: a chunk of float64 takes 16 MiB


def entropy(probabilities: Any) -> np.ndarray:
    """Shannon entropy over its greatest value, ``-sum_c p_c log p_c / log C``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        return torch.special.entr(p).sum(1) / math.log(p.shape[1])

    return _by_chunks(probabilities, measure)


def margin(probabilities: Any) -> np.ndarray:
    """One minus the lead of the best class over the second best, ``1 - (p_(1) - p_(2))``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        best = p.topk(2, dim=1).values
        return 1 - (best[:, 0] - best[:, 1])

    return _by_chunks(probabilities, measure)


def least_confidence(probabilities: Any) -> np.ndarray:
    """What the best class lacks to certainty, over its greatest value, ``(1 - p_(1)) C / (C - 1)``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        classes = p.shape[1]
        return (1 - p.amax(1)) * (classes / (classes - 1))

    return _by_chunks(probabilities, measure)


def ratio(probabilities: Any) -> np.ndarray:
    """The second best class over the best, ``p_(2) / p_(1)``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        best = p.topk(2, dim=1).values
        return best[:, 1] / best[:, 0]

    return _by_chunks(probabilities, measure)


def _by_chunks(probabilities: Any, measure: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    if not isinstance(probabilities, torch.Tensor):
        probabilities = np.require(probabilities, requirements=["C", "W"])  # torch takes no other
    p = torch.as_tensor(probabilities)
    if p.ndim != 2:
        raise ValueError(f"probabilities must be (N, C), not {tuple(p.shape)}")
    out = np.zeros(len(p))
    if p.shape[1] < 2:
        return out
    step = max(1, ROWS_A_CHUNK // p.shape[1])
    for start in range(0, len(p), step):
        chunk = p[start : start + step].to(torch.float64)
        value = measure(chunk / chunk.sum(1, keepdim=True))
        out[start : start + step] = value.clamp_(0, 1).cpu().numpy()
    return out
