"""The result of a strategy that chooses by its own rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Choice:
    """The chosen candidates, in the order chosen.

    Attributes:
        rows: (k,) int64 positions among the task's candidates.
        values: (k,) float64, the strategy's value of each.
        report: the state after the choice.
        before: the state before the choice, to compare with; empty where there is none.
    """

    rows: np.ndarray
    values: np.ndarray
    report: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
