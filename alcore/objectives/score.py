"""A score: values that no pick changes."""

from typing import Any

import numpy as np
import torch


class ScoreBlock:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def pick(self, position: int) -> None:
        pass


class Score:
    """Values in [0, 1] computed beforehand.

    Args:
        values: (n,) float64, higher = more worth labelling.
    """

    changes = False
    cost = 0
    cold = False
    minimum = None
    slack = 0.0
    scale = 1.0

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        return self._values if rows is None else self._values[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> ScoreBlock:
        return ScoreBlock(values.cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        pass

    def report(self) -> dict[str, Any]:
        return {}
