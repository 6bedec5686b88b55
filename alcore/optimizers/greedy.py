"""The main optimizer: exact lazy greedy in batches.

The next pick is always the candidate with the highest combined value, ties to the lower row. The result
is exactly that of a plain greedy, which evaluates every candidate at every pick. It needs less work
because values never rise, so that an earlier value is an upper bound (Minoux 1978). A round evaluates
the candidates whose bounds are among the highest and puts the best few into a block. It then chooses
from the block as long as the best value in it is above the bound of every candidate outside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..data.settings import settings
from ..objectives.objective import Objective
from .budget import Limits

# Rows with always equal values are grouped, where there are at most this many groups.
MOST_KINDS = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Term:
    """An objective and its strength."""

    objective: Objective
    strength: float


@dataclass(frozen=True)
class Picks:
    """The picks, in the order chosen.

    Attributes:
        rows: (k,) int64 rows of the candidates.
        gains: (k,) float64, the combined value of each when it was chosen.
        values: (k, terms) float64, the value of each by each term.
    """

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
        budget: how many to choose; fewer are chosen where no other candidate may be chosen.
        combine: "product" of ``value ** strength``, where a negative strength inverts the value to
            ``(1 - value / scale) ** -strength``; "sum" of ``strength * value / scale``; or "plain_sum"
            of ``strength * value``.
        device: the device of the objectives' values; the CPU by default.
        progress: called with (chosen, budget) after each round; an exception that it raises stops the
            run.
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
        # With limits, a row may be excluded, and could then not represent the rows of its group.
        self.group_ids = _kinds(terms) if limits is None else None
        self._set_scales([not term.objective.needs_first_pick for term in terms])
        scale_inverted(terms, self.bounds)

    def run(self) -> Picks:
        changing = [t.objective.depends_on_picks for t in self.terms]
        # With a negative strength a falling value raises the product, so that bounds do not hold.
        inverted = any(t.strength < 0 for t, c in zip(self.terms, changing, strict=True) if c)
        exhausted = False
        while len(self.rows) < self.budget and not exhausted:
            first = [t.objective.needs_first_pick for t in self.terms]
            if inverted:
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
        """Choose one candidate by exact values; then evaluate the terms in ``renew`` for all rows."""
        total = self._total()
        if self._renewed(total):
            total = self._total()
        value = total.max()
        if value == -torch.inf:
            return False
        row = (total == value).nonzero().flatten()[:1]
        reasons = np.array([float(bound[row]) for bound in self.bounds])
        self._commit(row, row.tolist(), [float(value)], [reasons])
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
        # The values of a block are more precise. Where they exclude a row, the row stays excluded.
        for bound, block in zip(self.bounds, blocks, strict=True):
            bound[rows] = torch.from_numpy(block.values).to(bound)
        # Because of rounding, a bound just below a value may belong to a row just above it.
        limit *= 1 + sum(abs(t.strength) * t.objective.rounding_error for t in self.terms) * (limit > 0)
        where = rows.cpu().numpy()
        limits = None if self.limits is None else self.limits.block(rows)
        taken: list[int] = []
        closed = np.zeros(len(where), dtype=bool)
        gains: list[float] = []
        reasons: list[np.ndarray] = []
        while len(self.rows) + len(taken) < self.budget:
            values = [block.values for block in blocks]
            total = combined(self.terms, values, self.combine)
            total = total if limits is None else limits.apply(total)
            np.putmask(total, closed, -np.inf)
            best = int(total.argmax())
            value = float(total[best])
            # The first pick is the best of all by construction; a later one must exceed the limit.
            if taken and (value < limit or (value == limit and where[best] > limit_row)):
                break
            if best in stand_ins or (taken and stand_ins and value <= 0):
                break
            if value == -np.inf or (taken and self._spent(values, best)):
                break
            gains.append(value)
            reasons.append(np.array([v[best] for v in values]))
            taken.append(best)
            closed[best] = True
            for block in blocks:
                block.pick(best)
            if limits is not None:
                limits.pick(best)
        if taken:
            self._commit(rows[taken], where[taken].tolist(), gains, reasons)
        return True

    def _apart(self, upper: torch.Tensor, size: int) -> tuple[torch.Tensor, float, int, set[int]]:
        """The rows of the next block, the bound of the best row outside, that row, and the stand-ins.

        Among rows whose values are always equal the order never changes. A few rows of each such kind
        are put into the block. The last of them represents the rows of its kind outside the block: the
        stand-ins are the positions of these last rows, and a round ends when one would be chosen.
        """
        if self.group_ids is None or not bool(upper.max() > 0):
            return *_best(upper, size), set()
        rows, stands = _best_of_each(upper, self.group_ids, settings.kinds_a_block)
        return rows, -np.inf, -1, set(stands.nonzero().flatten().tolist())

    def _renewed(self, total: torch.Tensor) -> bool:
        """Switch objectives whose values are all 0 to their fallback; whether any was switched."""
        if all(term.objective.fallback is None for term in self.terms):
            return False
        left, best = ~self.chosen, int(total.argmax())
        spent = []
        for term, bound in zip(self.terms, self.bounds, strict=True):
            objective = term.objective
            spent.append(False)
            # Where the best row's value is above 0, not all are 0. Where it is 0, the values of other
            # rows may be out of date, and are computed again.
            if objective.fallback is not None and bound[best] <= 0:
                bound.copy_(objective.values(None))
                if bool((bound[left] <= 0).all()):
                    objective.fallback()
                    bound.copy_(objective.values(None))
                    spent[-1] = True
        self._set_scales(spent)
        return any(spent)

    def _spent(self, values: list[np.ndarray], best: int) -> bool:
        """Whether the best candidate's value is 0 for an objective that has a fallback."""
        return any(
            term.objective.fallback is not None and value[best] <= 0
            for term, value in zip(self.terms, values, strict=True)
        )

    def _commit(
        self,
        rows: torch.Tensor,
        numbers: list[int],
        gains: list[float],
        reasons: list[np.ndarray],
    ) -> None:
        """Choose ``rows``, which are also given as ``numbers``, so that a GPU need not send them."""
        self.rows += numbers
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
        """(n,) the combined bounds of all candidates; -inf where one cannot be chosen."""
        total = combined(self.terms, self.bounds, self.combine)
        total = total if self.limits is None else self.limits.apply(total)
        total[self.chosen] = -torch.inf
        return total

    def _refresh(self, size: int) -> torch.Tensor:
        """Evaluate until the best ``size + 1`` candidates are exact; return all combined bounds."""
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
        # Start with half as many as the last round needed; where values are costly, with few. On a GPU
        # few cost as much as many.
        costly = any(self.terms[k].objective.update_cost > 1 for k in lazy)
        costly &= self.device.type == "cpu"
        step = 2 * size if costly else max(2 * size, self.evaluated // 2)
        self.evaluated = 0
        exact = upper[self.fresh]
        while True:
            kth = _kth(exact, size + 1)
            exact = exact[exact >= kth]
            rows = ((upper >= kth) & (upper > -torch.inf) & ~self.fresh).nonzero().flatten()
            if len(rows) == 0:
                return upper
            if len(rows) > step:
                rows = rows[_top(upper[rows], step)]
            self.evaluated += len(rows)
            for k in lazy:
                self.bounds[k][rows] = self.terms[k].objective.values(rows)
                values = [bound[rows] for bound in self.bounds]
                found = combined(self.terms, values, self.combine)
                upper[rows] = found if self.limits is None else self.limits.apply(found, rows)
                if k != lazy[-1]:
                    rows = rows[upper[rows] >= kth]
            self.fresh[rows] = True
            exact = torch.cat([exact, upper[rows]])
            step *= 2


def scale_inverted(terms: Sequence[Term], values: Sequence[Any]) -> None:
    """Raise the scale of each term of negative strength to its highest value, if that is higher.

    A score without an upper bound has a scale of 1. Inverted by it, all higher values would be 0.
    """
    for term, value in zip(terms, values, strict=True):
        if term.strength < 0 and len(value):
            term.objective.scale = max(term.objective.scale, float(value.max()))


def combined(terms: Sequence[Term], values: Sequence[Any], combine: str) -> Any:
    """Combine the values of several terms, and round them so that rounding errors break no ties.

    Args:
        terms: the objectives and their strengths.
        values: for each term its values, all numpy or all torch, of equal length.
        combine: as in ``greedy``.

    Returns:
        the combined values, of the same kind; -inf where a value is below its objective's minimum.
    """
    total: Any = None
    refused: Any = None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for term, value in zip(terms, values, strict=True):
            objective = term.objective
            if combine == "product":
                if term.strength < 0:
                    # Stays finite where a value is 0, so that the other strategies count too.
                    # Rounded first: differences of nearly equal values would break ties.
                    part = (1 - rounded(value / objective.scale)).clip(0) ** -term.strength
                else:
                    part = value if term.strength == 1 else value**term.strength
                total = part if total is None else total * part
            else:
                scale = objective.scale if combine == "sum" else 1.0
                part = value * (term.strength / scale)
                total = part if total is None else total + part
            if objective.minimum is not None:
                near = value < objective.minimum
                refused = near if refused is None else refused | near
    total = rounded(total)
    if refused is not None:
        total[refused] = -np.inf
    return total


def rounded(values: Any) -> Any:
    """Round float64 to 30 of its 52 binary places, so that sums that differ by rounding are equal.

    The rounding is monotone: it never reverses the order of two values.
    """
    integer = torch.int64 if isinstance(values, torch.Tensor) else np.int64
    bits = values.view(integer)
    return ((bits + (1 << 21)) & ~((1 << 22) - 1)).view(values.dtype)


def _kinds(terms: Sequence[Term]) -> torch.Tensor | None:
    """(n,) int64, equal for rows whose values are always equal in every term that depends on picks.

    None where a term does not have such groups, or where there are too many.
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
    """About ``size`` rows, ascending, equally many best rows of each kind; and which are the last.

    Among equals the lower row is better. A kind whose rows are all taken has no last one.
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
    """The k-th highest value; -inf where there are fewer."""
    if len(values) < k:
        return -np.inf
    return float(values.topk(k).values[-1])


def _top(values: torch.Tensor, k: int) -> torch.Tensor:
    """(k,) the rows of the k highest values, in no particular order."""
    if values.device.type == "cpu":  # a tenth of the time of topk, which sorts
        return torch.from_numpy(np.argpartition(values.numpy(), -k)[-k:])
    return values.topk(k, sorted=False).indices


def _best(upper: torch.Tensor, size: int) -> tuple[torch.Tensor, float, int]:
    """The best ``size`` rows, ascending; the bound of the best row outside; and that row.

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
