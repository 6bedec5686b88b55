"""Class balance: what the labelled and chosen samples lack to a target distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

# Sainte-Lague's divisor. With hard classes the picks are those by which that method gives out seats
# to parties, and the counts end as near to the target as whole numbers can.
PRIOR = 0.5


class BalanceBlock:
    def __init__(self, classes: np.ndarray, target: np.ndarray, counts: np.ndarray) -> None:
        self._classes = classes
        self._target = target
        self._counts = counts.copy()
        self.values = self._evaluate()

    def pick(self, position: int) -> None:
        self._counts += self._classes[position]
        self.values = self._evaluate()

    def _evaluate(self) -> np.ndarray:
        return self._classes @ (self._target / (self._counts + PRIOR))


class Balance:
    """The gain of ``sum_c t_c log(n_c + 1/2)``, to first order: ``sum_c p_c t_c / (n_c + 1/2)``.

    That sum is greatest, over counts n of a given total, where n is in the target's proportions. The
    value is at least 0 and only falls; it is highest for samples of the class furthest behind.

    Args:
        classes: (n, C) class probabilities of the candidates, or one-hot rows.
        target: (C,) shares wanted.
        counts: (C,) counts of the labelled samples, soft or hard.
        names: the C classes' names.
    """

    changes = True
    cost = 0
    cold = False
    minimum = None
    spare = None
    slack = 0.0

    def __init__(
        self,
        classes: torch.Tensor,
        target: torch.Tensor,
        counts: torch.Tensor,
        names: Sequence[str],
    ) -> None:
        self._names = names
        self._classes = classes
        self._target = target.to(torch.float64)
        self._counts = counts.to(torch.float64)
        self.scale = float((self._target / (self._counts + PRIOR)).max())

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        classes = self._classes if rows is None else self._classes[rows]
        worth = self._target / (self._counts + PRIOR)
        return (classes @ worth.to(classes.dtype)).to(torch.float64)

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> BalanceBlock:
        block = BalanceBlock(
            self._classes[rows].to(torch.float64).cpu().numpy(),
            self._target.cpu().numpy(),
            self._counts.cpu().numpy(),
        )
        block.values = values.cpu().numpy()
        return block

    def add(self, rows: torch.Tensor) -> None:
        self._counts += self._classes[rows].to(torch.float64).sum(0)

    def report(self) -> dict[str, Any]:
        left = self._classes.sum(0, dtype=torch.float64)
        return {
            "counts": dict(zip(self._names, self._counts.tolist(), strict=True)),
            "target": dict(zip(self._names, self._target.tolist(), strict=True)),
            "candidates": dict(zip(self._names, left.tolist(), strict=True)),
        }
