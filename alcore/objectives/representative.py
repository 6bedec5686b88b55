"""Representative and informative: keeps the labeled like the pool, by predictions (Du et al.)."""

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.distances import squared_distances
from .objective import Objective

ROWS_A_CHUNK = 1 << 14


class RepresentativeBlock:
    """Gains of a block; each pick takes off its similarity to the others."""

    def __init__(self, values: np.ndarray, kernel: np.ndarray) -> None:
        self.values = values
        self._kernel = kernel

    def pick(self, position: int) -> None:
        self.values = self.values - self._kernel[position]


class Representative(Objective):
    """What a candidate is worth by itself, less its likeness to those chosen; higher = better.

    The greedy form of the quadratic program: value ``fixed_i - sum_{s chosen} exp(-gamma |p_i -
    p_s|^2)``, raised by a constant so that it is not below 0.

    Args:
        predictions: (n, C) float64.
        fixed: (n,) float64.
        gamma: of the kernel.
        picks: the most that will be added.
    """

    def __init__(
        self, predictions: torch.Tensor, fixed: torch.Tensor, gamma: float, picks: int
    ) -> None:
        self._predictions = predictions
        self._values = fixed - (fixed.min() if len(fixed) else 0.0) + picks
        self._gamma = gamma
        self.scale = 1.0

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        return self._values if rows is None else self._values[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> RepresentativeBlock:
        mine = self._predictions[rows]
        return RepresentativeBlock(values.cpu().numpy(), similar(mine, mine, self._gamma).cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        new = self._predictions[rows]
        for chunk in chunks(len(self._predictions), ROWS_A_CHUNK):
            self._values[chunk] -= similar(self._predictions[chunk], new, self._gamma).sum(1)


def similar(a: torch.Tensor, b: torch.Tensor, gamma: float) -> torch.Tensor:
    """(len(a), len(b)) ``exp(-gamma |a - b|^2)``."""
    return squared_distances(a, b).mul_(-gamma).exp_()
