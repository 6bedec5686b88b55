"""Kernel herding: each pick brings the chosen samples as near to the target as possible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..data.settings import chunk_size, chunks
from ..geometry.distances import squared_lengths
from ..geometry.kernels import LOWEST_EXPONENT
from ..objectives import Kernel
from .stratified import Units

ROWS_A_BLOCK, PICKS_A_BLOCK = 1 << 13, 256
# Values that agree to 30 binary places are ties.
PLACES = 2.0**30


def herd(
    vectors: torch.Tensor,
    mean_similarity: np.ndarray,
    width: float,
    units: Units,
    tick: Callable[[int], None] = lambda taken: None,
) -> np.ndarray:
    """(k,) int64 rows in the order taken, chosen greedily to minimize the discrepancy from the target.

    For chosen samples S the squared maximum mean discrepancy is ``mean k(S, S) - 2 mean s(S)`` plus a
    constant. The next unit is the one, of those that may be taken, with which it is least; ties go to
    the first. For single samples that is the sample i with the highest
    ``mean_similarity_i - sum_{s in S} k(i, s) / (|S| + 1)``.

    Source: Chen, Welling and Smola, Super-Samples from Kernel Herding (2010).

    Args:
        vectors: (n, d) candidates; float64 is compared pair by pair, float32 by matrix products.
        mean_similarity: (n,) mean similarity of each candidate to the target.
        width: of the kernel ``exp(-d^2 / width^2)``.
        units: the units of the n candidates, and the quotas.
        tick: called with the number of samples taken, after each pick; an exception that it raises
            stops the work.
    """
    similar = _Similar(vectors, width)
    mean = units.sums(mean_similarity)
    inside = np.ones(len(mean)) if units.single else similar.inside(units)
    to_chosen = np.zeros(len(vectors))
    pairs = total = 0.0
    taken: list[np.ndarray] = []
    count = 0
    while True:
        open_ = units.open()
        if not open_.any():
            return np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64)
        across = units.sums(to_chosen)
        after = count + units.sizes
        value = (pairs + 2 * across + inside) / after**2 - 2 * (total + mean) / after
        value = np.where(open_, np.round(value * PLACES), np.inf)
        best = int(value.argmin())
        pairs += 2 * across[best] + inside[best]
        total += mean[best]
        rows = units.take(best)
        to_chosen += similar.to(rows)
        taken.append(rows)
        count += len(rows)
        tick(count)


class _Similar:
    """Sums of similarities; the vectors' lengths are computed only once."""

    def __init__(self, vectors: torch.Tensor, width: float) -> None:
        self._vectors = vectors
        self._kernel = Kernel("gaussian", width, unit=False)
        self._lengths = squared_lengths(vectors)
        self._scale = -1 / width**2

    def to(self, rows: np.ndarray) -> np.ndarray:
        """(n,) float64, the sum of each vector's similarities to those at ``rows``."""
        x = self._vectors
        found = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for start in range(0, len(rows), PICKS_A_BLOCK):
            block = rows[start : start + PICKS_A_BLOCK]
            if len(block) == 1 and x.dtype != torch.float64:
                row = int(block[0])
                squared = torch.mv(x, x[row]).mul_(-2).add_(self._lengths)
                found += self._exp(squared.add_(self._lengths[row]))
                continue
            some = torch.from_numpy(block).to(x.device)
            if x.dtype == torch.float64:
                for part in chunks(len(x), ROWS_A_BLOCK):
                    found[part] += self._kernel(x[part], x[some]).sum(1)
            else:
                for part in chunks(len(x), ROWS_A_BLOCK):
                    squared = torch.addmm(self._lengths[some], x[part], x[some].T, alpha=-2)
                    squared += self._lengths[part][:, None]
                    found[part] += self._exp(squared).sum(1)
        return np.asarray(found.cpu().numpy())

    def inside(self, units: Units) -> np.ndarray:
        """(U,) float64, the sum over all pairs within each unit; infinite for units that are closed."""
        found = np.full(len(units.sizes), np.inf)
        for unit in np.flatnonzero(units.open()).tolist():
            mine = units.rows(unit)
            if len(mine) == 1:
                found[unit] = 1.0
                continue
            some = self._vectors[torch.from_numpy(mine).to(self._vectors.device)]
            pairs = sum(
                float(
                    self._kernel(some[first : first + chunk_size(ROWS_A_BLOCK)], some).sum(
                        dtype=torch.float64
                    )
                )
                for first in range(0, len(some), chunk_size(ROWS_A_BLOCK))
            )
            found[unit] = pairs
        return found

    def _exp(self, squared: torch.Tensor) -> torch.Tensor:
        return squared.mul_(self._scale).clamp_(LOWEST_EXPONENT, 0).exp_()
