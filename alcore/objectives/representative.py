"""Representative and informative: keeps the labeled samples similar to the pool (Du et al. 2019)."""

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.distances import squared_distances
from .objective import Objective

ROWS_A_CHUNK = 1 << 14


class RepresentativeBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, values: np.ndarray, kernel: np.ndarray) -> None:
        self.values = values
        self._kernel = kernel

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        self.values = self.values - self._kernel[position]


class Representative(Objective):
    """A candidate's fixed value minus its similarity to the chosen; higher = more worth labeling.

    It is the greedy form of the quadratic program of Du et al. 2019: ``fixed_i - sum_{s chosen}
    exp(-gamma |p_i - p_s|^2)``, plus a constant that keeps it at 0 or above.

    Args:
        predictions: (n, C) float64 probabilities of the candidates.
        fixed: (n,) float64, the part of the value that does not depend on the picks.
        gamma: the parameter of the kernel, above 0.
        picks: the most samples that will be added.
    """

    def __init__(
        self, predictions: torch.Tensor, fixed: torch.Tensor, gamma: float, picks: int
    ) -> None:
        self._predictions = predictions
        self._values = fixed - (fixed.min() if len(fixed) else 0.0) + picks
        self._gamma = gamma
        self.scale = 1.0

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        return self._values if rows is None else self._values[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> RepresentativeBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        mine = self._predictions[rows]
        return RepresentativeBlock(values.cpu().numpy(), similar(mine, mine, self._gamma).cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        new = self._predictions[rows]
        for chunk in chunks(len(self._predictions), ROWS_A_CHUNK):
            self._values[chunk] -= similar(self._predictions[chunk], new, self._gamma).sum(1)


def similar(a: torch.Tensor, b: torch.Tensor, gamma: float) -> torch.Tensor:
    """(len(a), len(b)) similarities ``exp(-gamma |a - b|^2)`` in (0, 1]."""
    return squared_distances(a, b).mul_(-gamma).exp_()
