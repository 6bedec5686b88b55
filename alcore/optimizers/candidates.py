"""The candidates of a pool, or of a part of it: their values so far, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..data.settings import settings
from ..objectives.objective import Block
from .budget import Limits, LimitsBlock
from .combining import Term, combined, scales_of, scales_of_inverted

# Rows with always equal values are grouped, where there are at most this many groups.
MOST_KINDS = 256


@dataclass(frozen=True)
class Top:
    """The candidate with the highest combined value.

    Attributes:
        row: its row.
        gain: its combined value.
        values: (terms,) float64, its value by each term.
        handle: by which ``choose`` knows it.
    """

    row: int
    gain: float
    values: np.ndarray
    handle: Any


@dataclass(frozen=True)
class Proposal:
    """The best candidates, and what bounds all others.

    Attributes:
        rows: (B,) int64 rows, ascending.
        blocks: for each term the values of these rows.
        limit: a bound of the combined value of any other row; -inf where there is none.
        limit_row: of the other rows that reach the limit the lowest.
        stand_ins: positions of rows that represent others of always equal value.
        limits: what these rows cost; None without limits.
        handle: by which ``choose`` knows them.
    """

    rows: np.ndarray
    blocks: Sequence[Block]
    limit: float
    limit_row: int
    stand_ins: frozenset[int] = field(default_factory=frozenset)
    limits: LimitsBlock | None = None
    handle: Any = None


@dataclass(frozen=True)
class Best:
    """The best candidates of one process; the attributes are those of ``Proposal``."""

    rows: torch.Tensor
    limit: float
    limit_row: int
    stand_ins: frozenset[int]


class Candidates:
    """The candidates that one process holds.

    Args:
        terms: what to choose by.
        n: how many candidates each objective has rows for.
        combine: as in ``greedy``.
        device: of the objectives' values.
        limits: what samples cost and how many of a group may be chosen.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        n: int,
        combine: str,
        device: torch.device,
        limits: Limits | None = None,
    ) -> None:
        self._terms = terms
        self._combine = combine
        self._device = device
        self._limits = limits
        self._evaluated = 0
        self._chosen = torch.zeros(n, dtype=torch.bool, device=device)
        self._bounds = [term.objective.values(None).clone() for term in terms]
        self._fresh = torch.ones(n, dtype=torch.bool, device=device)
        # With limits, a row may be excluded, and could then not represent the rows of its group.
        self._group_ids = _kinds(terms) if limits is None else None

    def highest(self) -> list[float]:
        """The highest bound by each term, of candidates chosen and not chosen; -inf without any."""
        return [float(bound.max()) if len(bound) else -np.inf for bound in self._bounds]

    def rescale(self, which: Sequence[bool]) -> None:
        """Set the scales of these terms to their highest values, where picks change them."""
        self.scale(scales_of(self._terms, self.highest(), which))

    def scale_inverted(self) -> None:
        """Raise the scale of each term of negative strength to its highest value, if that is higher."""
        self.scale(scales_of_inverted(self._terms, self.highest()))

    def scale(self, scales: Sequence[float | None]) -> None:
        """Set the scales of the terms; None leaves one as it is."""
        for term, scale in zip(self._terms, scales, strict=True):
            if scale is not None:
                term.objective.scale = scale

    def top(self) -> Top | None:
        """The best candidate by the present bounds, which must be exact; None where there is none."""
        total = self._total()
        if len(total) == 0:
            return None
        if self._renewed(total):
            total = self._total()
        value = total.max()
        if value == -torch.inf:
            return None
        row = (total == value).nonzero().flatten()[:1]
        values = np.array([float(bound[row]) for bound in self._bounds])
        return Top(int(row), float(value), values, row)

    def propose(self, size: int) -> Proposal | None:
        """The best ``size`` candidates or about as many; None where no candidate is left.

        Their values are exact. The values of others are evaluated as far as needed to find them.
        """
        best = self.best(size, settings.kinds_a_block)
        if best is None:
            return None
        rows = best.rows
        blocks = [
            term.objective.block(rows, bound[rows])
            for term, bound in zip(self._terms, self._bounds, strict=True)
        ]
        self.correct(rows, [torch.from_numpy(block.values) for block in blocks])
        limits = None if self._limits is None else self._limits.block(rows)
        return Proposal(
            rows.cpu().numpy(),
            blocks,
            best.limit,
            best.limit_row,
            best.stand_ins,
            limits,
            rows,
        )

    def best(self, size: int, of_kinds: int) -> Best | None:
        """The rows of ``propose``.

        Args:
            size: about how many.
            of_kinds: about how many where there are groups of rows of always equal value.
        """
        if len(self._chosen) == 0:
            return None
        upper = self._refresh(size)
        while self._renewed(upper):
            upper = self._refresh(size)
        rows, limit, limit_row, stand_ins = self._apart(upper, size, of_kinds)
        return Best(rows, limit, limit_row, frozenset(stand_ins)) if len(rows) else None

    def values(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """For each term (R,) float64, the present bounds of ``rows``."""
        return [bound[rows] for bound in self._bounds]

    def correct(self, rows: torch.Tensor, values: Sequence[torch.Tensor]) -> None:
        """Set the bounds of ``rows`` to more precise ones. What these exclude stays excluded."""
        for bound, exact in zip(self._bounds, values, strict=True):
            bound[rows] = exact.to(bound)

    def choose(self, best: Top | Proposal, taken: Sequence[int] = (0,)) -> None:
        """Choose some of the proposed rows, by their positions, in that order."""
        rows = best.handle[list(taken)]
        for term in self._terms:
            term.objective.add(rows)
        self.mark(rows)

    def mark(self, rows: torch.Tensor) -> None:
        """Record that samples were chosen, the candidates at ``rows`` among them."""
        self._chosen[rows] = True
        if self._limits is not None:
            self._limits.add(rows)
        if any(t.objective.update_cost > 0 for t in self._terms):
            self._fresh.fill_(False)

    def stale(self, size: int, most: int) -> torch.Tensor:
        """(at most ``most``,) rows not evaluated since the last picks that may be of the best ``size``.

        Empty where the best ``size + 1`` are exact.
        """
        for term, bound in zip(self._terms, self._bounds, strict=True):
            if term.objective.depends_on_picks and term.objective.update_cost == 0:
                bound.copy_(term.objective.values(None))
        upper = self._total()
        return self._stale(upper, _kth(upper[self._fresh], size + 1), most)

    def evaluate(self, rows: torch.Tensor) -> None:
        """Evaluate these rows by all terms."""
        for term, bound in zip(self._terms, self._bounds, strict=True):
            if term.objective.update_cost > 0:
                bound[rows] = term.objective.values(rows)
        self._fresh[rows] = True

    def _stale(self, upper: torch.Tensor, least: float, most: int) -> torch.Tensor:
        """The rows of ``stale``: those whose combined bounds are at least ``least``."""
        rows = ((upper >= least) & (upper > -torch.inf) & ~self._fresh).nonzero().flatten()
        return rows if len(rows) <= most else rows[_top(upper[rows], most)]

    def renew(self, which: Sequence[bool]) -> None:
        """Evaluate these terms for all rows."""
        for term, bound, wanted in zip(self._terms, self._bounds, which, strict=True):
            if wanted:
                bound.copy_(term.objective.values(None))
        lazy = [term.objective.update_cost > 0 for term in self._terms]
        self._fresh.fill_(all(w or not z for w, z in zip(which, lazy, strict=True)))

    def _renewed(self, total: torch.Tensor) -> bool:
        """Switch objectives whose values are all 0 to their fallback; whether any was switched."""
        if all(term.objective.fallback is None for term in self._terms):
            return False
        left, best = ~self._chosen, int(total.argmax())
        spent = []
        for term, bound in zip(self._terms, self._bounds, strict=True):
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
        self.rescale(spent)
        return any(spent)

    def _total(self) -> torch.Tensor:
        """(n,) the combined bounds of all candidates; -inf where one cannot be chosen."""
        total = combined(self._terms, self._bounds, self._combine)
        total = total if self._limits is None else self._limits.apply(total)
        total[self._chosen] = -torch.inf
        return total

    def _apart(
        self, upper: torch.Tensor, size: int, of_kinds: int
    ) -> tuple[torch.Tensor, float, int, set[int]]:
        """The rows of the next block, the bound of the best row outside, that row, and the stand-ins.

        Among rows whose values are always equal the order never changes. A few rows of each such kind
        are put into the block. The last of them represents the rows of its kind outside the block: the
        stand-ins are the positions of these last rows, and a round ends when one would be chosen.
        """
        if self._group_ids is None or not bool(upper.max() > 0):
            return *_best(upper, size), set()
        rows, stands = _best_of_each(upper, self._group_ids, of_kinds)
        return rows, -np.inf, -1, set(stands.nonzero().flatten().tolist())

    def _refresh(self, size: int) -> torch.Tensor:
        """Evaluate until the best ``size + 1`` candidates are exact; return all combined bounds."""
        for term, bound in zip(self._terms, self._bounds, strict=True):
            if term.objective.depends_on_picks and term.objective.update_cost == 0:
                bound.copy_(term.objective.values(None))
        upper = self._total()
        lazy = sorted(
            (k for k, t in enumerate(self._terms) if t.objective.update_cost > 0),
            key=lambda k: self._terms[k].objective.update_cost,
        )
        if not lazy:
            return upper
        # Start with half as many as the last round needed; where values are costly, with few. On a GPU
        # few cost as much as many.
        costly = any(self._terms[k].objective.update_cost > 1 for k in lazy)
        costly &= self._device.type == "cpu"
        step = 2 * size if costly else max(2 * size, self._evaluated // 2)
        self._evaluated = 0
        exact = upper[self._fresh]
        while True:
            kth = _kth(exact, size + 1)
            exact = exact[exact >= kth]
            rows = self._stale(upper, kth, step)
            if len(rows) == 0:
                return upper
            self._evaluated += len(rows)
            for k in lazy:
                self._bounds[k][rows] = self._terms[k].objective.values(rows)
                values = [bound[rows] for bound in self._bounds]
                found = combined(self._terms, values, self._combine)
                upper[rows] = found if self._limits is None else self._limits.apply(found, rows)
                if k != lazy[-1]:
                    rows = rows[upper[rows] >= kth]
            self._fresh[rows] = True
            exact = torch.cat([exact, upper[rows]])
            step *= 2


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
