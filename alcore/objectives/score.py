"""A score: values that do not depend on the picks."""

from typing import Any

import numpy as np
import torch

from .objective import Objective


class ScoreBlock:
    """Values of a block, which no pick changes."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def pick(self, position: int) -> None:
        pass


class Score(Objective):
    """Values computed beforehand.

    Args:
        values: (n,) float64, higher = more worth labeling.
        scale: the highest possible value, by which combine: "sum" divides them.
        report: what the report says about them.
    """

    depends_on_picks = False

    def __init__(
        self, values: torch.Tensor, scale: float = 1.0, report: dict[str, Any] | None = None
    ) -> None:
        self._values = values
        self.scale = scale
        self._report = report or {}

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        return self._values if rows is None else self._values[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> ScoreBlock:
        return ScoreBlock(values.cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        pass

    def report(self) -> dict[str, Any]:
        return self._report
