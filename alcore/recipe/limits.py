"""The costs and groups of a stage's candidates, which limit its selection."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.errors import InvalidInput, name_samples
from ..optimizers.budget import Limits
from ..strategies import Task
from .models import Stage


@dataclass(frozen=True)
class Bounds:
    """Costs and groups of the candidates, where the recipe names them.

    Attributes:
        costs: (n,) float64 above 0.
        spend: how much the chosen may cost together.
        groups: (n,) int64, numbered from 0 in the order of occurrence.
        at_most: how many of a group may be chosen; None where whole groups are chosen.
    """

    costs: torch.Tensor | None = None
    spend: float = np.inf
    groups: torch.Tensor | None = None
    at_most: int | None = None

    def limits(self) -> Limits | None:
        """The limits for picks of single samples; None where there are none."""
        if self.costs is None and self.groups is None:
            return None
        return Limits(self.costs, self.spend, self.groups, self.at_most or 0)

    def report(self, rows: np.ndarray) -> dict[str, Any]:
        """The cost and the number of groups of the chosen ``rows`` (of the candidates)."""
        report: dict[str, Any] = {}
        chosen = torch.from_numpy(rows)
        if self.costs is not None:
            report["cost"] = {"spent": float(self.costs.cpu()[chosen].sum()), "budget": self.spend}
        if self.groups is not None:
            report["groups"] = len(self.groups.cpu()[chosen].unique())
        return report


def bounds_of(stage: Stage, task: Task) -> Bounds:
    """The costs and groups of a task's candidates.

    Raises:
        InvalidInput: costs that are not above 0, or all above the budget; a column of groups that does
            not hold single values; only groups that are larger than the budget.
    """
    costs, spend, groups = None, np.inf, None
    if stage.cost is not None:
        spend = stage.cost.budget
        costs = _costs(stage.cost.column, spend, task)
    if stage.groups is not None:
        groups = _groups(stage.groups.column, task)
        sizes = np.bincount(groups)
        if stage.groups.whole and sizes.min() > task.picks:
            raise InvalidInput(
                f"{task.user}groups: every group of {stage.groups.column!r} is larger than the budget "
                f"of {task.picks}: the smallest has {sizes.min()} samples"
            )
    return Bounds(
        None if costs is None else to_tensor(costs, torch.float64, task.device),
        spend,
        None if groups is None else to_tensor(groups, torch.int64, task.device),
        None if stage.groups is None else stage.groups.at_most,
    )


def _costs(column: str, spend: float, task: Task) -> np.ndarray:
    user = f"{task.user}cost"
    costs = task.pool.numbers(column, user)[task.candidates]
    bad = task.candidates[costs <= 0]
    if len(bad):
        raise InvalidInput(
            f"{user}: column {column!r} has {name_samples(task.pool.ids, bad)} that cost 0 or less; "
            "costs must be above 0"
        )
    if costs.min() > spend:
        raise InvalidInput(
            f"{user}: nothing can be paid for with {spend:g}: the cheapest of {len(costs)} candidates "
            f"costs {costs.min():g} by {column!r}"
        )
    return costs


def _groups(column: str, task: Task) -> np.ndarray:
    values = task.pool.column(column, f"{task.user}groups")
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise InvalidInput(
            f"{task.user}groups: column {column!r} must hold one value a sample: the name of its group"
        )
    missing = task.pool.missing[column][task.candidates].tolist()
    numbers: dict[Any, int] = {}
    # A sample without a group is a group of its own, identified by its row.
    own = object()
    keys = zip(values[task.candidates].tolist(), missing, task.candidates.tolist(), strict=True)
    codes = [numbers.setdefault((own, row) if alone else one, len(numbers)) for one, alone, row in keys]
    return np.array(codes, dtype=np.int64)
