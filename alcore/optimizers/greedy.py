"""The one optimizer: exact lazy greedy in batches.

The next pick is always the candidate with the highest combined value, ties to the lower row, exactly
as a greedy that evaluates every candidate at every pick. The work is less, because values only fall:
one computed earlier is an upper bound (Minoux 1978). A round evaluates the candidates whose bounds
reach the best few, takes those few apart as a block, and chooses among them as long as the best of
the block is above the bound of everything outside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..data.settings import settings
from ..objectives.objective import Objective
from .budget import Limits

# Rows are grouped by what changes them, where there are no more such groups.
MOST_KINDS = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Term:
    """An objective and its strength."""

    objective: Objective
    strength: float


@dataclass(frozen=True)
class Picks:
    """Rows in the order chosen, the combined value and each term's value at each pick."""

    rows: np.ndarray
    gains: np.ndarray
    values: np.ndarray


def greedy(
    terms: Sequence[Term],
    n: int,
    budget: int,
    *,
    combine: str = "product",
    device: torch.device | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Picks:
    """Choose ``budget`` of ``n`` candidates.

    Args:
        terms: what to choose by; strengths are not 0.
        n: how many candidates each objective has rows for.
        budget: how many to choose; fewer are chosen where no candidate is left that may be.
        combine: "product" of ``value ** strength``, "sum" of ``strength * value / scale``, or
            "plain_sum" of ``strength * value``.
        progress: called with (chosen, budget) after each round; what it raises ends the run.
        limits: what samples cost and how many of a group may be chosen.
    """
    device = device or torch.device("cpu")
    return _Greedy(terms, n, budget, combine, device, progress, limits).run()


class _Greedy:
    def __init__(
        self,
        terms: Sequence[Term],
        n: int,
        budget: int,
        combine: str,
        device: torch.device,
        progress: Progress | None,
        limits: Limits | None,
    ) -> None:
        self.terms = terms
        self.n = n
        self.budget = min(budget, n)
        self.combine = combine
        self.device = device
        self.progress = progress
        self.evaluated = 0
        self.rows: list[int] = []
        self.gains: list[float] = []
        self.reasons: list[np.ndarray] = []
        self.chosen = torch.zeros(n, dtype=torch.bool, device=device)
        self.bounds = [term.objective.values(None).clone() for term in terms]
        self.fresh = torch.ones(n, dtype=torch.bool, device=device)
        self.limits = limits
        # A row that is barred cannot stand in for those like it.
        self.group_ids = _kinds(terms) if limits is None else None
        self._set_scales([not term.objective.needs_first_pick for term in terms])

    def run(self) -> Picks:
        changing = [t.objective.depends_on_picks for t in self.terms]
        turned = any(t.strength < 0 for t, c in zip(self.terms, changing, strict=True) if c)
        exhausted = False
        while len(self.rows) < self.budget and not exhausted:
            first = [t.objective.needs_first_pick for t in self.terms]
            if turned:
                exhausted = not self._pick_one(changing)
            elif any(first):
                exhausted = not self._pick_one(first)
            else:
                exhausted = not self._pick_round()
            self._set_scales(first)
            if self.progress is not None:
                self.progress(len(self.rows), self.budget)
        return Picks(
            np.array(self.rows, dtype=np.int64),
            np.array(self.gains),
            np.array(self.reasons).reshape(len(self.rows), len(self.terms)),
        )

    def _set_scales(self, which: list[bool]) -> None:
        for term, values, wanted in zip(self.terms, self.bounds, which, strict=True):
            if wanted and term.objective.depends_on_picks and len(values):
                highest = float(values.max())
                term.objective.scale = highest if highest > 0 else 1.0

    def _pick_one(self, renew: list[bool]) -> bool:
        """Choose one of all, whose values are exact; then evaluate the terms to ``renew`` for all."""
        total = self._total()
        if self._renewed(total):
            total = self._total()
        value = total.max()
        if value == -torch.inf:
            return False
        row = (total == value).nonzero().flatten()[:1]
        self._commit(row, [float(value)], [np.array([float(bound[row]) for bound in self.bounds])])
        for term, bound, wanted in zip(self.terms, self.bounds, renew, strict=True):
            if wanted:
                bound.copy_(term.objective.values(None))
        lazy = [term.objective.update_cost > 0 for term in self.terms]
        self.fresh.fill_(all(w or not z for w, z in zip(renew, lazy, strict=True)))
        return True

    def _pick_round(self) -> bool:
        size = settings.block_sizes[max(t.objective.update_cost for t in self.terms)]
        upper = self._refresh(size)
        if self._renewed(upper):
            return True
        rows, limit, limit_row, stand_ins = self._apart(upper, size)
        if len(rows) == 0:
            return False
        blocks = [
            term.objective.block(rows, bound[rows])
            for term, bound in zip(self.terms, self.bounds, strict=True)
        ]
        # What a block finds is the better rounded: where that rules a row out, the row stays out.
        for bound, block in zip(self.bounds, blocks, strict=True):
            bound[rows] = torch.from_numpy(block.values).to(bound)
        # A bound just below a value may be of a row just above it, but for rounding.
        limit *= 1 + sum(abs(t.strength) * t.objective.rounding_error for t in self.terms) * (limit > 0)
        where = rows.cpu().numpy()
        limits = None if self.limits is None else self.limits.block(rows)
        taken: list[int] = []
        gains: list[float] = []
        reasons: list[np.ndarray] = []
        while len(self.rows) + len(taken) < self.budget:
            values = [block.values for block in blocks]
            total = combined(self.terms, values, self.combine)
            total = total if limits is None else limits.apply(total)
            total[taken] = -np.inf
            best = int(np.argmax(total))
            value = total[best]
            # The first is the best of all by construction; a later one has to beat what is outside.
            if taken and (value < limit or (value == limit and where[best] > limit_row)):
                break
            if best in stand_ins or (taken and stand_ins and value <= 0):
                break
            if value == -np.inf or (taken and self._spent(values, best)):
                break
            gains.append(float(value))
            reasons.append(np.array([v[best] for v in values]))
            taken.append(best)
            for block in blocks:
                block.pick(best)
            if limits is not None:
                limits.pick(best)
        if taken:
            self._commit(rows[taken], gains, reasons)
        return True

    def _apart(self, upper: torch.Tensor, size: int) -> tuple[torch.Tensor, float, int, set[int]]:
        """The rows to take apart, the bound of the best row left out, and that row.

        Among rows that are worth the same whatever is chosen the order never changes: a few of each
        kind are taken, and the next one of each stands in for those left out, at the positions given
        last.
        """
        if self.group_ids is None or not bool(upper.max() > 0):
            return *_best(upper, size), set()
        rows, stands = _best_of_each(upper, self.group_ids, settings.kinds_a_block)
        return rows, -np.inf, -1, set(stands.nonzero().flatten().tolist())

    def _renewed(self, total: torch.Tensor) -> bool:
        """Whether a strategy whose values are all 0 now goes on by others."""
        left, best = ~self.chosen, int(total.argmax())
        spent = []
        for term, bound in zip(self.terms, self.bounds, strict=True):
            objective = term.objective
            spent.append(False)
            # While the best has a value, not all are 0; where it has none, the others' may be stale.
            if objective.fallback is not None and bound[best] <= 0:
                bound.copy_(objective.values(None))
                if bool((bound[left] <= 0).all()):
                    objective.fallback()
                    bound.copy_(objective.values(None))
                    spent[-1] = True
        self._set_scales(spent)
        return any(spent)

    def _spent(self, values: list[np.ndarray], best: int) -> bool:
        """Whether the best has no value for a strategy that has others to go on by."""
        return any(
            term.objective.fallback is not None and value[best] <= 0
            for term, value in zip(self.terms, values, strict=True)
        )

    def _commit(self, rows: torch.Tensor, gains: list[float], reasons: list[np.ndarray]) -> None:
        self.rows += rows.tolist()
        self.gains += gains
        self.reasons += reasons
        self.chosen[rows] = True
        for term in self.terms:
            term.objective.add(rows)
        if self.limits is not None:
            self.limits.add(rows)
        if any(t.objective.update_cost > 0 for t in self.terms):
            self.fresh.fill_(False)

    def _total(self) -> torch.Tensor:
        """Everyone's combined bound, -inf for those that cannot be chosen."""
        total = combined(self.terms, self.bounds, self.combine)
        total = total if self.limits is None else self.limits.apply(total)
        total[self.chosen] = -torch.inf
        return total

    def _refresh(self, size: int) -> torch.Tensor:
        """Evaluate until the best ``size + 1`` candidates are exact; return everyone's bound."""
        for term, bound in zip(self.terms, self.bounds, strict=True):
            if term.objective.depends_on_picks and term.objective.update_cost == 0:
                bound.copy_(term.objective.values(None))
        upper = self._total()
        lazy = sorted(
            (k for k, t in enumerate(self.terms) if t.objective.update_cost > 0),
            key=lambda k: self.terms[k].objective.update_cost,
        )
        if not lazy:
            return upper
        # As many as it took last time, at once; where a value is costly, never more than it takes.
        costly = any(self.terms[k].objective.update_cost > 1 for k in lazy)
        step = 2 * size if costly else max(2 * size, self.evaluated // 2)
        self.evaluated = 0
        while True:
            kth = _kth(torch.where(self.fresh, upper, -torch.inf), size + 1)
            stale = torch.where(self.fresh, -torch.inf, upper)
            rows = ((stale >= kth) & (stale > -torch.inf)).nonzero().flatten()
            if len(rows) == 0:
                return upper
            if len(rows) > step:
                rows = stale.topk(step).indices
            self.evaluated += len(rows)
            for k in lazy:
                self.bounds[k][rows] = self.terms[k].objective.values(rows)
                values = [bound[rows] for bound in self.bounds]
                found = combined(self.terms, values, self.combine)
                upper[rows] = found if self.limits is None else self.limits.apply(found, rows)
                if k != lazy[-1]:
                    rows = rows[upper[rows] >= kth]
            self.fresh[rows] = True
            step *= 2


def combined(terms: Sequence[Term], values: Sequence[Any], combine: str) -> Any:
    """Combined values, numpy or torch, rounded so that what is equal but for rounding is equal."""
    xp: Any = torch if isinstance(values[0], torch.Tensor) else np
    total: Any = None
    refused: Any = None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for term, value in zip(terms, values, strict=True):
            objective = term.objective
            if combine == "product":
                part = value if term.strength == 1 else value**term.strength
                total = part if total is None else total * part
            else:
                scale = objective.scale if combine == "sum" else 1.0
                part = value * (term.strength / scale)
                total = part if total is None else total + part
            if objective.minimum is not None:
                near = value < objective.minimum
                refused = near if refused is None else refused | near
    if any(term.strength < 0 for term in terms):
        # 0 times infinity: one strategy rules the sample out, whatever another says.
        total = xp.where(xp.isnan(total), xp.zeros_like(total), total)
    total = rounded(total)
    if refused is not None:
        total[refused] = -xp.inf
    return total


def rounded(values: Any) -> Any:
    """Round float64 to 30 of its 52 binary places: monotone, and equal sums come out equal."""
    integer = torch.int64 if isinstance(values, torch.Tensor) else np.int64
    bits = values.view(integer)
    return ((bits + (1 << 21)) & ~((1 << 22) - 1)).view(values.dtype)


def _kinds(terms: Sequence[Term]) -> torch.Tensor | None:
    """(n,) int64, equal for rows that every changing term values the same, however it changes.

    None where a term does not tell, or where there are too many kinds.
    """
    together: torch.Tensor | None = None
    for term in terms:
        if not term.objective.depends_on_picks:
            continue
        ids = term.objective.group_ids
        if ids is None:
            return None
        if together is not None:
            ids = together * (int(ids.max()) + 1) + ids
        together = ids.unique(return_inverse=True)[1]
    if together is None or len(together) == 0 or int(together.max()) >= MOST_KINDS:
        return None
    return together


def _best_of_each(
    upper: torch.Tensor, kinds: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Some ``size`` rows, ascending, as many of the best of each kind, and which are the last of them.

    Among equals the lower row is better. A kind of which all are taken has no such last one.
    """
    order = upper.argsort(descending=True, stable=True)
    order = order[: int((upper > -torch.inf).sum())]
    order = order[kinds[order].argsort(stable=True)]
    sizes = torch.bincount(kinds[order], minlength=int(kinds.max()) + 1)
    place = torch.arange(len(order), device=upper.device) - (sizes.cumsum(0) - sizes)[kinds[order]]
    most = max(1, size // max(1, int((sizes > 0).sum())))
    taken = place <= most
    rows, ascending = order[taken].sort()
    return rows, (place[taken] == most)[ascending]


def _kth(values: torch.Tensor, k: int) -> float:
    if len(values) < k:
        return -np.inf
    return float(values.topk(k).values[-1])


def _best(upper: torch.Tensor, size: int) -> tuple[torch.Tensor, float, int]:
    """The best ``size`` rows, ascending; the bound of the best row left out, and that row.

    Among equals the lower row is better.
    """
    limit = _kth(upper, size + 1)
    above = (upper > limit).nonzero().flatten()
    if limit == -np.inf:
        return above, limit, -1
    equal = (upper == limit).nonzero().flatten()
    room = size - len(above)
    rows = torch.cat([above, equal[:room]]).sort().values
    return rows, limit, int(equal[room])
