"""Representative and informative: keeps the labeled samples similar to the pool (Du et al. 2019)."""

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.distances import squared_distances
from ..geometry.kernels import Kernel
from .objective import Objective

ROWS_A_CHUNK = 1 << 14
# So that a tile stays in a core's cache.
COLUMNS_A_TILE = 1 << 10


class RepresentativeBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, differences: np.ndarray, kernel: np.ndarray, spread: float) -> None:
        self._differences = differences
        self._kernel = kernel
        self._spread = spread
        self.values = np.exp(differences / spread)

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        self._differences = self._differences - self._kernel[position]
        self.values = np.exp(self._differences / self._spread)


class Representative(Objective):
    """A candidate's fixed value minus its similarity to the chosen; higher = more worth labeling.

    It is the greedy form of the quadratic program of Du et al. 2019: ``g_i = fixed_i - sum_{s chosen}
    exp(-gamma |p_i - p_s|^2)``. The value is ``exp((g_i - max fixed) / spread)``, where the spread is
    that of ``fixed``: from 1 / e to 1 before the first pick. It orders the candidates as ``g_i`` does,
    and stays above 0, as a product with other strategies needs, whatever the budget.

    Args:
        predictions: (n, C) float64 probabilities of the candidates.
        fixed: (n,) float64, the part of the value that does not depend on the picks.
        gamma: the parameter of the kernel, above 0.
    """

    def __init__(self, predictions: torch.Tensor, fixed: torch.Tensor, gamma: float) -> None:
        self._predictions = predictions
        highest = fixed.max() if len(fixed) else fixed.new_zeros(())
        self._differences = fixed - highest
        self._spread = float(-self._differences.min()) if len(fixed) else 0.0
        self._spread = self._spread or 1.0  # where all are equal
        self._gamma = gamma
        self.scale = 1.0

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        mine = self._differences if rows is None else self._differences[rows]
        return (mine / self._spread).exp()

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> RepresentativeBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        mine = self._predictions[rows]
        kernel = similar(mine, mine, self._gamma).cpu().numpy()
        return RepresentativeBlock(self._differences[rows].cpu().numpy(), kernel, self._spread)

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        new = self._predictions[rows]
        for chunk in chunks(len(self._predictions), ROWS_A_CHUNK):
            self._differences[chunk] -= similar(self._predictions[chunk], new, self._gamma).sum(1)


def summed_similarities(a: torch.Tensor, b: torch.Tensor, gamma: float) -> torch.Tensor:
    """(len(a),) float64, the sum of the similarities of each to all of ``b``."""
    total = torch.zeros(len(a), dtype=torch.float64, device=a.device)
    for tile in chunks(len(b), COLUMNS_A_TILE):
        total += similar(a, b[tile], gamma).sum(1)
    return total


def similar(a: torch.Tensor, b: torch.Tensor, gamma: float) -> torch.Tensor:
    """(len(a), len(b)) similarities ``exp(-gamma |a - b|^2)`` in (0, 1], in the precision of ``a``."""
    if a.dtype == torch.float64:
        return squared_distances(a, b).mul_(-gamma).exp_()
    return Kernel("gaussian", gamma**-0.5, unit=False)(a, b)
