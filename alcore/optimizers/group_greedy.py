"""Choosing whole groups, such as sequences, scenes or patients."""

from collections.abc import Sequence

import numpy as np
import torch

from .budget import Limits
from .combining import Term, combined, rounded, scale_inverted
from .greedy import Picks, Progress


def choose_groups(
    terms: Sequence[Term],
    groups: torch.Tensor,
    budget: int,
    *,
    value: str = "mean",
    combine: str = "product",
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Picks:
    """Choose whole groups, one after another, each time the group with the highest value.

    A group's value is the mean (or the maximum) of its candidates' combined values before any of them
    is chosen, per cost where there are costs. Groups that do not fit into the remaining budget are
    skipped. Within a group the candidates are ordered by value. Ties go to the group with the lower
    number.

    It is the same lazy greedy as for samples, because the mean of upper bounds is an upper bound.

    Args:
        terms: what to choose by; strengths are not 0.
        groups: (n,) int64, the group of each candidate, numbered from 0 in the order of occurrence.
        budget: how many candidates at most.
        value: "mean" or "max".
        combine: "product" or "sum".
        limits: what candidates cost.
        progress: called with (chosen, budget) after each group; an exception that it raises stops the
            run.
    """
    return _Groups(terms, groups, budget, value, combine, limits or Limits(), progress).run()


class _Groups:
    """What concerns single groups is in numpy, because each number read from a GPU waits for it."""

    def __init__(
        self,
        terms: Sequence[Term],
        groups: torch.Tensor,
        budget: int,
        value: str,
        combine: str,
        limits: Limits,
        progress: Progress | None,
    ) -> None:
        self.terms, self.groups, self.value, self.combine = terms, groups, value, combine
        self.budget, self.left, self.limits = budget, budget, limits
        self.progress = progress
        codes = groups.cpu().numpy()
        self.sizes = np.bincount(codes)
        self.count = len(self.sizes)
        self.cost_of: np.ndarray | None = None
        if limits.costs is not None:
            self.cost_of = np.bincount(codes, limits.costs.cpu().numpy())
        self.order = groups.argsort(stable=True)
        self.ends = self.sizes.cumsum()
        self.open = np.ones(self.count, dtype=bool)
        self.bounds = [term.objective.values(None).clone() for term in terms]
        self.fresh = np.ones(self.count, dtype=bool)
        self._set_scales([not term.objective.needs_first_pick for term in terms])
        scale_inverted(terms, self.bounds)

    def run(self) -> Picks:
        rows: list[int] = []
        gains: list[float] = []
        reasons: list[np.ndarray] = []
        while (group := self._best()) is not None:
            mine = self._rows(group)
            total = self.limits.apply(
                combined(self.terms, [b[mine] for b in self.bounds], self.combine), mine
            )
            total, order = total.sort(descending=True, stable=True)
            mine = mine[order]
            gains += total.tolist()
            rows += mine.tolist()
            reasons += torch.stack([bound[mine] for bound in self.bounds], 1).cpu().numpy().tolist()
            self._take(group, mine)
            if self.progress is not None:
                self.progress(len(rows), self.budget)
        return Picks(
            np.array(rows, dtype=np.int64),
            np.array(gains),
            np.array(reasons).reshape(len(rows), len(self.terms)),
        )

    def _best(self) -> int | None:
        """The open group with the highest value that fits; its values are exact. None if none fits."""
        may = self.open & self._fit()
        if not may.any():
            return None
        for term, bound in zip(self.terms, self.bounds, strict=True):
            if term.objective.depends_on_picks and term.objective.update_cost == 0:
                bound.copy_(term.objective.values(None))
        upper = self.limits.apply(combined(self.terms, self.bounds, self.combine), None)
        of_groups = np.where(may, self._together(upper).cpu().numpy(), -np.inf)
        while True:
            group = int(of_groups.argmax())
            if of_groups[group] == -np.inf:
                return None
            if self.fresh[group]:
                return group
            mine = self._rows(group)
            for term, bound in zip(self.terms, self.bounds, strict=True):
                if term.objective.depends_on_picks and term.objective.update_cost > 0:
                    bound[mine] = term.objective.values(mine)
            total = combined(self.terms, [b[mine] for b in self.bounds], self.combine)
            total = self.limits.apply(total, mine)
            together = total.mean() if self.value == "mean" else total.max()
            value, least = torch.stack([rounded(together), total.min()]).tolist()
            # Where one sample cannot be chosen, the group cannot.
            of_groups[group] = value if least > -np.inf else -np.inf
            self.fresh[group] = True

    def _take(self, group: int, rows: torch.Tensor) -> None:
        first = [term.objective.needs_first_pick for term in self.terms]
        for term in self.terms:
            term.objective.add(rows)
        self.open[group] = False
        self.left -= int(self.sizes[group])
        self.limits.add(rows)
        lazy = False
        for term, bound, was_first in zip(self.terms, self.bounds, first, strict=True):
            if term.objective.depends_on_picks and (was_first or term.strength < 0):
                bound.copy_(term.objective.values(None))
            elif term.objective.depends_on_picks and term.objective.update_cost > 0:
                lazy = True
        self.fresh[:] = not lazy
        self._set_scales(first)

    def _fit(self) -> np.ndarray:
        fits = self.sizes <= self.left
        return fits if self.cost_of is None else fits & (self.cost_of <= self.limits.spend)

    def _rows(self, group: int) -> torch.Tensor:
        end = int(self.ends[group])
        return self.order[end - int(self.sizes[group]) : end]

    def _together(self, total: torch.Tensor) -> torch.Tensor:
        reduce = "mean" if self.value == "mean" else "amax"
        out = torch.full_like(total[: self.count], -torch.inf)
        together = rounded(out.scatter_reduce(0, self.groups, total, reduce, include_self=False))
        # A group with a sample that cannot be chosen cannot be chosen as a whole.
        least = torch.full_like(out, torch.inf).scatter_reduce(0, self.groups, total, "amin")
        return torch.where(least == -torch.inf, -torch.inf, together)

    def _set_scales(self, which: list[bool]) -> None:
        for term, values, wanted in zip(self.terms, self.bounds, which, strict=True):
            if wanted and term.objective.depends_on_picks and len(values):
                highest = float(values.max())
                term.objective.scale = highest if highest > 0 else 1.0
