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
    """Values computed beforehand.

    Args:
        values: (n,) float64, higher = more worth labeling.
        scale: the highest they can be, by which "sum" divides them.
        told: what the report says of them.
    """

    depends_on_picks = False
    update_cost = 0
    needs_first_pick = False
    minimum = None
    fallback = None
    group_ids = None
    rounding_error = 0.0

    def __init__(
        self, values: torch.Tensor, scale: float = 1.0, told: dict[str, Any] | None = None
    ) -> None:
        self._values = values
        self.scale = scale
        self._told = told or {}

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        return self._values if rows is None else self._values[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> ScoreBlock:
        return ScoreBlock(values.cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        pass

    def report(self) -> dict[str, Any]:
        return self._told
