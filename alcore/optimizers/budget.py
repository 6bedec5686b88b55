"""Limits of a selection besides the count: the cost of samples, and how many of a group to choose."""

from dataclasses import dataclass, field

import numpy as np
import torch

# Costs whose sum exceeds the budget only by rounding are within it.
ROUNDING = 1e-9


@dataclass
class Limits:
    """The costs and groups of n candidates, and what remains of the budget and of each group.

    With costs, the next pick is the affordable candidate with the highest value per cost. This is the
    cost-benefit greedy of Leskovec et al. 2007 without its comparison with the best single sample,
    because values of a product cannot be added up and compared.

    Attributes:
        costs: (n,) float64 above 0, or None.
        spend: how much the picks may still cost together.
        groups: (n,) int64, the group of each, or None.
        at_most: how many of a group may be chosen.
    """

    costs: torch.Tensor | None = None
    spend: float = np.inf
    groups: torch.Tensor | None = None
    at_most: int = 0
    _taken: torch.Tensor | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.spend *= 1 + ROUNDING
        if self.groups is not None:
            count = int(self.groups.max()) + 1 if len(self.groups) else 0
            self._taken = torch.zeros(count, dtype=torch.int64, device=self.groups.device)

    def apply(self, total: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Divide combined values by costs, and set those that may not be chosen to -inf.

        Args:
            total: (R,) combined values.
            rows: (R,) the candidates they belong to; None for all.
        """
        if self.costs is not None:
            costs = self.costs if rows is None else self.costs[rows]
            total = torch.where(total > 0, total / costs, total * costs)
            total[costs > self.spend] = -torch.inf
        if self.groups is not None and self._taken is not None:
            groups = self.groups if rows is None else self.groups[rows]
            total[self._taken[groups] >= self.at_most] = -torch.inf
        return total

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        if self.costs is not None:
            self.spend -= float(self.costs[rows].sum())
        if self.groups is not None and self._taken is not None:
            self._taken += torch.bincount(self.groups[rows], minlength=len(self._taken))

    def block(self, rows: torch.Tensor) -> "LimitsBlock":
        """The present limits for the candidates at ``rows``."""
        return LimitsBlock(
            None if self.costs is None else self.costs[rows].cpu().numpy(),
            self.spend,
            None if self.groups is None else self.groups[rows].cpu().numpy(),
            None if self.groups is None or self._taken is None else self._taken.cpu().numpy().copy(),
            self.at_most,
        )


@dataclass
class LimitsBlock:
    """The limits for the candidates of a block, in numpy; the attributes are those of ``Limits``."""

    costs: np.ndarray | None
    spend: float
    groups: np.ndarray | None
    taken: np.ndarray | None
    at_most: int

    def apply(self, total: np.ndarray) -> np.ndarray:
        """(B,) combined values per cost; -inf where a candidate may not be chosen."""
        if self.costs is not None:
            total = np.where(total > 0, total / self.costs, total * self.costs)
            total[self.costs > self.spend] = -np.inf
        if self.groups is not None and self.taken is not None:
            total[self.taken[self.groups] >= self.at_most] = -np.inf
        return total

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        if self.costs is not None:
            self.spend -= float(self.costs[position])
        if self.groups is not None and self.taken is not None:
            self.taken[self.groups[position]] += 1
