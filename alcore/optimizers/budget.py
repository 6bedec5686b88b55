"""What limits a selection beside the count: what samples cost, and how many of a group it may take."""

from dataclasses import dataclass, field

import numpy as np
import torch

# Costs whose sum is the budget but for rounding are paid for.
ROUNDING = 1e-9


@dataclass
class Limits:
    """The costs and groups of n candidates, and what is left of the budget and of each group.

    With costs, the next pick is the one with the highest value per cost among those that what is left
    pays for (the cost-benefit greedy of Leskovec et al. 2007, without its comparison with the best
    single sample: values of a product do not add up, so that there is nothing to compare).

    Attributes:
        costs: (n,) float64 above 0, or None.
        spend: how much they may cost together.
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
        """Combined values of all candidates or some: per cost, and -inf for those that are barred."""
        if self.costs is not None:
            costs = self.costs if rows is None else self.costs[rows]
            total = torch.where(total > 0, total / costs, total * costs)
            total[costs > self.spend] = -torch.inf
        if self.groups is not None and self._taken is not None:
            groups = self.groups if rows is None else self.groups[rows]
            total[self._taken[groups] >= self.at_most] = -torch.inf
        return total

    def add(self, rows: torch.Tensor) -> None:
        """``rows`` are chosen."""
        if self.costs is not None:
            self.spend -= float(self.costs[rows].sum())
        if self.groups is not None and self._taken is not None:
            self._taken += torch.bincount(self.groups[rows], minlength=len(self._taken))

    def block(self, rows: torch.Tensor) -> "LimitsBlock":
        """The same for a few candidates."""
        return LimitsBlock(
            None if self.costs is None else self.costs[rows].cpu().numpy(),
            self.spend,
            None if self.groups is None else self.groups[rows].cpu().numpy(),
            None if self.groups is None or self._taken is None else self._taken.cpu().numpy().copy(),
            self.at_most,
        )


@dataclass
class LimitsBlock:
    """The limits as they bear on the rows of a block, in numpy."""

    costs: np.ndarray | None
    spend: float
    groups: np.ndarray | None
    taken: np.ndarray | None
    at_most: int

    def apply(self, total: np.ndarray) -> np.ndarray:
        if self.costs is not None:
            total = np.where(total > 0, total / self.costs, total * self.costs)
            total[self.costs > self.spend] = -np.inf
        if self.groups is not None and self.taken is not None:
            total[self.taken[self.groups] >= self.at_most] = -np.inf
        return total

    def pick(self, position: int) -> None:
        if self.costs is not None:
            self.spend -= float(self.costs[position])
        if self.groups is not None and self.taken is not None:
            self.taken[self.groups[position]] += 1
