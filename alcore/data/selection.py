"""The result of a selection."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Selection:
    """The chosen samples, in the order chosen, each with the reasons why.

    Attributes:
        indices: (budget,) int64, rows of the pool.
        ids: their ids.
        gains: (budget,) float64, the objective's value at each pick.
        reasons: per pick, each strategy's own value by its name, before strength.
        report: counts, class balance, coverage radius, timings; plain values that JSON takes.
    """

    indices: np.ndarray
    ids: list[Any]
    gains: np.ndarray
    reasons: list[dict[str, float]]
    report: dict[str, Any]

    def __len__(self) -> int:
        return len(self.indices)
