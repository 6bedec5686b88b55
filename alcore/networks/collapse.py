"""Detect collapsed vectors: all equal, or all on a line."""

import math
from dataclasses import dataclass

import numpy as np
import torch

# The spread is 1 for unit vectors in uniformly random directions, and 0 for equal vectors.
LEAST_SPREAD = 0.1
LEAST_RANK = 2.0
# The singular values of 1,024 x 2,048 numbers take about a second; of 4,096 x 2,048, minutes.
ROWS = 1024


@dataclass(frozen=True)
class Spread:
    """How much of their space vectors fill.

    Attributes:
        spread: the mean standard deviation of the L2-normalized vectors' dimensions, divided by
            1 / sqrt(d), the value for uniformly random directions; in [0, 1].
        effective_rank: exp of the entropy of the centered vectors' singular values, divided by their
            sum; between 1 and d, and below the number of vectors.
        dimensions: d.
    """

    spread: float
    effective_rank: float
    dimensions: int

    @property
    def collapsed(self) -> bool:
        """Whether spread or effective rank is too low, or NaN."""
        return not (self.spread >= LEAST_SPREAD and self.effective_rank >= LEAST_RANK)  # NaN too

    def __str__(self) -> str:
        return (
            f"spread {self.spread:.2f} (0: all the same, 1: everywhere), effective rank "
            f"{self.effective_rank:.1f} of {self.dimensions}"
        )


def step_of(count: int, rows: int = ROWS) -> int:
    """Every how many of ``count`` vectors ``spread_of`` takes one."""
    return max(1, math.ceil(count / rows))


def spread_of(vectors: np.ndarray | torch.Tensor, rows: int = ROWS) -> Spread:
    """The spread of (N, d) vectors, N at least 2; of more than ``rows`` vectors, rows at equal steps.

    Its values are NaN where a vector is not finite.

    Source: Chen and He, Exploring Simple Siamese Representation Learning (2021), on the standard
    deviation; Roy and Vetterli, The Effective Rank (2007).
    """
    x = torch.as_tensor(vectors)
    x = x[:: step_of(len(x), rows)].to(torch.float64)
    d = x.shape[1]
    if not x.isfinite().all():
        return Spread(math.nan, math.nan, d)
    unit = torch.nn.functional.normalize(x, dim=1)
    spread = float(unit.std(0, correction=0).mean()) * math.sqrt(d)
    centered = unit - unit.mean(0)
    values = torch.linalg.svdvals(centered)
    total = float(values.sum())
    if total < 1e-9 * math.sqrt(len(x)):
        return Spread(spread, 1.0, d)
    shares = values / total
    return Spread(spread, float(torch.special.entr(shares).sum().exp()), d)
