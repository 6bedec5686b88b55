"""The main optimizer: exact lazy greedy in batches.

The next pick is always the candidate with the highest combined value, ties to the lower row. The result
is exactly that of a plain greedy, which evaluates every candidate at every pick. It needs less work
because values never rise, so that an earlier value is an upper bound (Minoux 1978). A round evaluates
the candidates whose bounds are among the highest and puts the best few into a block. It then chooses
from the block as long as the best value in it is above the bound of every candidate outside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from ..data.settings import settings
from .budget import Limits
from .candidates import Candidates, Proposal, Top
from .combining import Term, combined

Progress = Callable[[int, int], None]


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
    candidates = Candidates(terms, n, combine, device or torch.device("cpu"), limits)
    return choose_from(candidates, terms, min(budget, n), combine, progress)


class Choosable(Protocol):
    """The candidates to choose from, wherever they are: see ``Candidates``."""

    def rescale(self, which: Sequence[bool]) -> None:
        """Set the scales of these terms to their highest values, where picks change them."""

    def scale_inverted(self) -> None:
        """Raise the scale of each term of negative strength to its highest value, if that is higher."""

    def top(self) -> Top | None:
        """The best candidate by the present bounds, which must be exact; None where there is none."""

    def propose(self, size: int) -> Proposal | None:
        """The best ``size`` candidates or about as many; None where no candidate is left."""

    def choose(self, best: Top | Proposal, taken: Sequence[int] = (0,)) -> None:
        """Choose some of the proposed rows, by their positions, in that order."""

    def renew(self, which: Sequence[bool]) -> None:
        """Evaluate these terms for all rows."""


def choose_from(
    candidates: Choosable,
    terms: Sequence[Term],
    budget: int,
    combine: str,
    progress: Progress | None = None,
) -> Picks:
    """Choose by rounds; see ``greedy``.

    Args:
        candidates: what to choose from.
        terms: what to choose by; those of ``candidates`` or, where these are elsewhere, others that
            are kept up to date with them.
        budget: how many to choose, at most as many as there are.
        combine: as in ``greedy``.
        progress: as in ``greedy``.
    """
    return _Greedy(candidates, terms, budget, combine, progress).run()


class _Greedy:
    def __init__(
        self,
        candidates: Choosable,
        terms: Sequence[Term],
        budget: int,
        combine: str,
        progress: Progress | None,
    ) -> None:
        self.candidates = candidates
        self.terms = terms
        self.budget = budget
        self.combine = combine
        self.progress = progress
        self.rows: list[int] = []
        self.gains: list[float] = []
        self.reasons: list[np.ndarray] = []
        candidates.rescale([not term.objective.needs_first_pick for term in terms])
        candidates.scale_inverted()

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
            if any(first):
                self.candidates.rescale(first)
            if self.progress is not None:
                self.progress(len(self.rows), self.budget)
        return Picks(
            np.array(self.rows, dtype=np.int64),
            np.array(self.gains),
            np.array(self.reasons).reshape(len(self.rows), len(self.terms)),
        )

    def _pick_one(self, renew: list[bool]) -> bool:
        """Choose one candidate by exact values; then evaluate the terms in ``renew`` for all rows."""
        top = self.candidates.top()
        if top is None:
            return False
        self.rows.append(top.row)
        self.gains.append(top.gain)
        self.reasons.append(top.values)
        self.candidates.choose(top)
        self.candidates.renew(renew)
        return True

    def _pick_round(self) -> bool:
        best = self.candidates.propose(
            settings.block_sizes[max(t.objective.update_cost for t in self.terms)]
        )
        if best is None:
            return False
        # Because of rounding, a bound just below a value may belong to a row just above it.
        rounding = sum(abs(t.strength) * t.objective.rounding_error for t in self.terms)
        limit = best.limit * (1 + rounding * (best.limit > 0))
        taken: list[int] = []
        closed = np.zeros(len(best.rows), dtype=bool)
        while len(self.rows) < self.budget:
            values = [block.values for block in best.blocks]
            total = combined(self.terms, values, self.combine)
            total = total if best.limits is None else best.limits.apply(total)
            np.putmask(total, closed, -np.inf)
            place = int(total.argmax())
            value = float(total[place])
            # The first pick is the best of all by construction; a later one must exceed the limit.
            if taken and (value < limit or (value == limit and best.rows[place] > best.limit_row)):
                break
            if place in best.stand_ins or (taken and best.stand_ins and value <= 0):
                break
            if value == -np.inf or (taken and self._spent(values, place)):
                break
            self.rows.append(int(best.rows[place]))
            self.gains.append(value)
            self.reasons.append(np.array([v[place] for v in values]))
            taken.append(place)
            closed[place] = True
            for block in best.blocks:
                block.pick(place)
            if best.limits is not None:
                best.limits.pick(place)
        if taken:
            self.candidates.choose(best, taken)
        return True

    def _spent(self, values: list[np.ndarray], best: int) -> bool:
        """Whether the best candidate's value is 0 for an objective that has a fallback."""
        return any(
            term.objective.fallback is not None and value[best] <= 0
            for term, value in zip(self.terms, values, strict=True)
        )
