"""The result of a selection."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Selection:
    """The chosen samples, in the order chosen, each with the reasons why.

    Attributes:
        indices: (chosen,) int64 rows of the pool; at most as many as the budget.
        ids: their ids.
        gains: (chosen,) float64, the combined value of each pick when it was chosen.
        reasons: for each pick a dict from each strategy's name to its value, before strength.
        report: counts, class balance, coverage radius and timings; plain values that JSON can hold.
    """

    indices: np.ndarray
    ids: list[Any]
    gains: np.ndarray
    reasons: list[dict[str, float]]
    report: dict[str, Any]

    def __len__(self) -> int:
        return len(self.indices)
