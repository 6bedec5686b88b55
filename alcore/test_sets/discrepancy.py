"""Maximum mean discrepancy: how far two sets of vectors lie apart as distributions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.distances import squared_distances
from ..objectives import Kernel

ROWS_A_BLOCK, COLUMNS_A_BLOCK = 1 << 11, 1 << 13
PAIRS_OF = 1000


def squared_mmd(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: Kernel,
    *,
    weights: np.ndarray | None = None,
    unbiased: bool = False,
) -> float:
    """The squared maximum mean discrepancy of two sets of vectors, by blocks of kernel values.

    ``mean k(x, x') - 2 mean k(x, y) + mean k(y, y')``. Biased, as is usual, it is the squared distance
    of the two sets themselves and never below 0; unbiased, pairs of a vector with itself are left out,
    and it estimates that of the distributions they were drawn from, which may come out below 0.

    Source: Gretton et al., A Kernel Two-Sample Test (2012), equations 3 and 5.

    Args:
        x: (n, d), at least 1, or 2 where unbiased.
        y: (m, d), likewise.
        kernel: with ``k(x, x) = 1``.
        weights: (m,) of y, sum 1; even by default. Not together with unbiased.
    """
    within = spread(x, kernel, unbiased=unbiased)
    across = float(likeness(x, y, kernel, weights).mean())
    target = spread(y, kernel, weights, unbiased=unbiased)
    return within - 2 * across + target


def likeness(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: Kernel,
    weights: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(n,) float64 mean similarity of each vector of x to all of y, by weights that sum to 1."""
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
    """The mean similarity of a set's pairs; unbiased: of those of two different vectors."""
    n = len(x)
    alike = likeness(x, x, kernel, weights)
    if weights is not None:
        return float(alike @ weights)
    mean = float(alike.mean())
    return (mean - 1 / n) * n / (n - 1) if unbiased else mean


def median_distance(vectors: torch.Tensor) -> float:
    """The median distance of pairs of different vectors, of up to 1,000 of them evenly taken.

    As the bandwidth of ``exp(-d^2 / bandwidth^2)`` it is the median heuristic (Garreau et al., Large
    sample analysis of the median heuristic, 2018). 1 where all are equal.
    """
    count = min(len(vectors), PAIRS_OF)
    some = vectors[torch.linspace(0, len(vectors) - 1, count).round().to(torch.int64)]
    squared = squared_distances(some, some).cpu().numpy()
    apart = np.sqrt(squared[np.triu_indices(count, 1)])
    apart = apart[apart > 1e-6 * apart.max(initial=0)]
    return float(np.median(apart)) if len(apart) else 1.0
