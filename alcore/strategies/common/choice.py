"""What a strategy that stands alone has chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Choice:
    """Candidates in the order chosen.

    Attributes:
        rows: (k,) int64 positions among the task's candidates.
        values: (k,) float64, what the strategy says for each.
        report: what it has reached.
        before: the same before anything was chosen, where there is something to compare.
    """

    rows: np.ndarray
    values: np.ndarray
    report: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
