"""The parts of the maximum mean discrepancy (MMD), a distance between two sets of vectors.

``MMD^2 = mean k(x, x') - 2 mean k(x, y) + mean k(y, y')`` (Gretton et al., A Kernel Two-Sample Test,
2012, equations 3 and 5). The unbiased form leaves out the pairs of a vector with itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.distances import squared_distances
from ..objectives import Kernel

ROWS_A_BLOCK, COLUMNS_A_BLOCK = 1 << 11, 1 << 13
PAIRS_OF = 1000


def mean_similarity(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: Kernel,
    weights: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(n,) float64 weighted mean similarity of each vector of x to all of y, in [0, 1].

    Args:
        x: (n, d).
        y: (m, d).
        kernel: the similarity of two vectors.
        weights: (m,) that sum to 1; None where all are equal.
        tick: called after each block; an exception that it raises stops the work.
    """
    w = torch.full((len(y),), 1 / max(1, len(y)), dtype=torch.float64)
    if weights is not None:
        w = torch.from_numpy(np.asarray(weights, dtype=np.float64))
    w = w.to(device=y.device, dtype=y.dtype)
    found = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for rows in chunks(len(x), ROWS_A_BLOCK):
        for columns in chunks(len(y), COLUMNS_A_BLOCK):
            found[rows] += (kernel(x[rows], y[columns]) @ w[columns]).to(torch.float64)
        tick()
    return np.asarray(found.cpu().numpy())


def spread(
    x: torch.Tensor,
    kernel: Kernel,
    weights: np.ndarray | None = None,
    *,
    unbiased: bool = False,
) -> float:
    """The mean similarity of all pairs of x; ``unbiased`` leaves out pairs of a vector with itself."""
    n = len(x)
    similarity = mean_similarity(x, x, kernel, weights)
    if weights is not None:
        return float(similarity @ weights)
    mean = float(similarity.mean())
    return (mean - 1 / n) * n / (n - 1) if unbiased else mean


def median_distance(vectors: torch.Tensor) -> float:
    """The median distance between different vectors, over up to 1,000 vectors at equal steps.

    As the bandwidth of ``exp(-d^2 / bandwidth^2)`` it is the median heuristic (Garreau et al., Large
    sample analysis of the median heuristic, 2018). 1 where all are equal.
    """
    count = min(len(vectors), PAIRS_OF)
    some = vectors[torch.linspace(0, len(vectors) - 1, count).round().to(torch.int64)]
    squared = squared_distances(some, some).cpu().numpy()
    apart = np.sqrt(squared[np.triu_indices(count, 1)])
    apart = apart[apart > 1e-6 * apart.max(initial=0)]
    return float(np.median(apart)) if len(apart) else 1.0
