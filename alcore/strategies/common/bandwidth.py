"""The bandwidth of a Gaussian kernel, from the vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ...data.settings import chunks
from ...geometry.distances import squared_distances, squared_lengths

SAMPLES, OTHERS = 1_000, 10_000
ROWS_A_CHUNK = 1 << 9
SAME = 1e-12
# Below this share of the largest squared distance, those of float32 products are mostly rounding.
ROUGH = 1e-4


def auto_bandwidth(others: torch.Tensor, centers: int) -> float:
    """The typical distance within which a sample has n / centers neighbors.

    It is the median, over 1,000 random samples, of the distance to the neighbor of rank n / centers,
    estimated on up to 10,000 random samples; this is within a few percent of the value for the whole
    pool. On photos and on digits it chose as well as the best fixed bandwidth. It shrinks as more
    samples are labeled.

    Args:
        others: (at most 10,000, d) vectors drawn from the pool, in random order.
        centers: how many samples are labeled or will be chosen.

    Returns:
        a distance above 0.
    """
    few = others[:SAMPLES]
    rank = min(len(others), max(2, round(len(others) / max(1, centers)) + 1))
    if others.dtype != torch.float64:
        rough = torch.addmm(squared_lengths(others), few, others.T, alpha=-2)
        rough += squared_lengths(few)[:, None]
        typical, largest = _typical(rough, rank), float(rough.max())
        if typical > ROUGH * largest:
            return typical**0.5
    squared = squared_distances(few, others)
    typical, largest = _typical(squared, rank), float(squared.max())
    # Where half of the pool are duplicates, the smallest distance above 0 is the only scale left.
    apart = squared[squared > SAME * largest]
    smallest = float(apart.min()) ** 0.5 if len(apart) else 1.0
    return max(typical**0.5, smallest)


def labeled_bandwidth(labeled: torch.Tensor, tick: Callable[[], None]) -> float | None:
    """The smallest distance above 0 between two labeled vectors; None where there is none.

    Copies, which are 0 apart, are left out, because no kernel has a width of 0.

    Source: Bae et al., Uncertainty Herding (2025), section 4.2.

    Args:
        labeled: (L, d) vectors.
        tick: called from time to time.

    Returns:
        a distance above 0, or None.
    """
    nearest, largest = np.inf, 0.0
    for part in chunks(len(labeled), ROWS_A_CHUNK):
        tick()
        squared = squared_distances(labeled[part], labeled).cpu().numpy()
        largest = max(largest, float(squared.max()))
        apart = squared[squared > SAME * largest]
        nearest = min(nearest, float(apart.min(initial=np.inf)))
    return nearest**0.5 if np.isfinite(nearest) else None


def _typical(squared: torch.Tensor, rank: int) -> float:
    """The median over the rows of the value of that rank; of two middle ones the lower."""
    ranked = np.partition(squared.cpu().numpy(), rank - 1, axis=1)[:, rank - 1]
    return max(0.0, float(np.sort(ranked)[(len(ranked) - 1) // 2]))
