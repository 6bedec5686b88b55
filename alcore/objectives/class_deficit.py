"""How much a sample reduces the absolute differences between class counts and their targets."""

import numpy as np
import torch

from ..data.settings import chunk_size
from .objective import Objective

NUMBERS_A_CHUNK = 1 << 22


class ClassDeficitBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, classes: np.ndarray, lacking: np.ndarray) -> None:
        self._classes = classes
        self._lacking = lacking.copy()
        self.values = self._evaluate()

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        self._lacking -= self._classes[position]
        self.values = self._evaluate()

    def _evaluate(self) -> np.ndarray:
        apart: np.ndarray = np.abs(self._lacking - self._classes).sum(1)
        return 1 + np.abs(self._lacking).sum() - apart


class ClassDeficit(Objective):
    """One plus the gain of ``-||omega - sum of chosen p||_1``, in [0, 2]; higher = more balanced.

    It is the regularizer of class-balanced active learning (Bengar et al. 2022), a term of a sum. For
    one class the gain is p while the class lacks at least p, and -p once it lacks nothing; it never
    rises as samples are added.

    Args:
        classes: (n, C) class probabilities of the candidates.
        lacking: (C,) omega, how many samples each class still lacks.
    """

    scale = 1.0

    def __init__(self, classes: torch.Tensor, lacking: torch.Tensor) -> None:
        self._classes = classes
        self._lacking = lacking.to(torch.float64).clone()

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        classes = self._classes if rows is None else self._classes[rows]
        now = self._lacking.abs().sum()
        lacking = self._lacking.to(classes.dtype)
        step = max(1, chunk_size(NUMBERS_A_CHUNK) // classes.shape[1])
        apart = [(lacking - some).abs_().sum(1, dtype=torch.float64) for some in classes.split(step)]
        return 1 + now - torch.cat(apart)

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> ClassDeficitBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        classes = self._classes[rows].to(torch.float64).cpu().numpy()
        return ClassDeficitBlock(classes, self._lacking.cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        self._lacking -= self._classes[rows].sum(0, dtype=torch.float64)
