"""The linear program of class-balanced active learning, by column generation, and its rounding."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from ..data.errors import InvalidInput

TOLERANCE = 1e-9
# Per sample to choose: how many samples the first program has, and how many are added at a time.
FIRST, MORE = 2, 1
LEAST_ADDED = 500
MOST_ROUNDS = 100
# While the solver works, tick is called this often, in seconds.
TICK_EVERY = 0.1
# The most seconds of one program, after which the solver gives up.
TIME_LIMIT = 600.0
# The solver's interior-point method is the faster one here; the simplex method is tried if it fails.
METHODS = ("highs-ipm", "highs-ds")


def solve(
    worth: np.ndarray,
    p: np.ndarray,
    lacking: np.ndarray,
    budget: int,
    strength: float,
    tick: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, float]:
    """Rows that nearly maximize ``sum of worth - strength ||lacking - sum of p||_1``, and its bound.

    If each sample may be chosen in part, z in [0, 1], this is a linear program, whose optimum is an
    upper bound. It is solved by column generation: over a few samples at first; then the samples whose
    reduced costs show that they would raise the optimum are added, until there are none. In an optimum
    at most C + 1 samples are chosen in part. To round, either those with the largest shares are chosen,
    or the best ones greedily, whichever gives the higher value.

    The relaxed program is solved exactly, up to the tolerances of the solver (HiGHS); only the rounding
    is approximate, and the bound says by how much at most. The bound holds for any prices of the
    classes, so that it does not depend on the solver's tolerances.

    HiGHS works in a thread of its own, because it cannot be interrupted. If ``tick`` raises, the work
    stops at once, and that thread ends with its present program, after ``TIME_LIMIT`` at the latest.

    Args:
        worth: (n,) float64.
        p: (n, C) float64, at least 0.
        lacking: (C,) float64, at least 0.
        budget: how many rows, at most n.
        strength: above 0.
        tick: called for each class, some ten times a second while HiGHS works, and while rounding; an
            exception that it raises stops the work.

    Returns:
        (budget,) int64 ascending rows, and the upper bound of the maximum.

    Raises:
        InvalidInput: the linear program was not solved, or not in time.
    """
    n = len(p)
    if budget >= n:
        rows = np.arange(n)
        return rows, value_of(rows, worth, p, lacking, strength)
    program, inside = _reduced(worth, p, lacking, budget, strength, tick)
    shares, bound = np.zeros(n), np.inf
    for _ in range(MOST_ROUNDS):
        rows = np.flatnonzero(inside)
        found, prices, threshold = program.optimum(rows, tick)
        worths = program.gains + program.p @ prices
        bound = min(bound, program.bound(worths, prices))
        helping = np.flatnonzero(~inside & (worths > threshold + TOLERANCE))
        shares = np.zeros(n)
        shares[rows] = found
        tick()
        if len(helping) == 0:
            break
        added = max(LEAST_ADDED, MORE * budget)
        inside[helping[_best(worths[helping], added)]] = True
    chosen = _rounded(shares, worth, p, lacking, budget, strength, tick)
    return chosen, bound


def value_of(
    rows: np.ndarray, worth: np.ndarray, p: np.ndarray, lacking: np.ndarray, strength: float
) -> float:
    """The value that ``solve`` maximizes, for the choice of ``rows``."""
    return float(worth[rows].sum() - strength * np.abs(lacking - p[rows].sum(0)).sum())


def _reduced(
    worth: np.ndarray,
    p: np.ndarray,
    lacking: np.ndarray,
    budget: int,
    strength: float,
    tick: Callable[[], None],
) -> tuple[_Program, np.ndarray]:
    """The program without what the choice cannot change, and (n,) bool the samples to begin with.

    ``|l - q|`` is ``q - l + 2 max(l - q, 0)``, which takes one constraint a class instead of two. It
    takes none where no choice is long enough (``q <= l``, as for a class that no candidate can be) or
    every choice is (``q >= l``, as for a class that lacks nothing): there it is linear. Classes in
    which all samples are equal, and which lack the same, share one constraint.
    """
    gains = worth - strength * p.sum(1)
    constant = strength * float(lacking.sum())
    inside = np.zeros(len(p), dtype=bool)
    inside[_best(worth, FIRST * budget)] = True
    weights: dict[tuple[bytes, float], float] = {}
    kept: list[int] = []
    for c in range(p.shape[1]):
        tick()
        of_class = np.ascontiguousarray(p[:, c])
        order = _best(of_class, len(p))
        if of_class[order[:budget]].sum() <= lacking[c]:
            gains += 2 * strength * of_class
            constant -= 2 * strength * float(lacking[c])
        elif of_class[order[-budget:]].sum() < lacking[c]:
            same = (blake2b(of_class.tobytes(), digest_size=16).digest(), float(lacking[c]))
            if same not in weights:
                kept.append(c)
                inside[order[: int(np.ceil(lacking[c])) + 1]] = True
            weights[same] = weights.get(same, 0.0) + 2 * strength
    some = p if len(kept) == p.shape[1] else p[:, kept]
    costs = np.fromiter(weights.values(), dtype=np.float64)
    inside[_best(gains, FIRST * budget)] = True
    return _Program(gains, some, lacking[kept], costs, budget, constant), inside


def _rounded(
    shares: np.ndarray,
    worth: np.ndarray,
    p: np.ndarray,
    lacking: np.ndarray,
    budget: int,
    strength: float,
    tick: Callable[[], None],
) -> np.ndarray:
    whole = np.flatnonzero(shares > 1 - TOLERANCE)
    parts = np.flatnonzero((shares > TOLERANCE) & (shares <= 1 - TOLERANCE))
    room = budget - len(whole)
    largest = parts[np.lexsort((parts, -shares[parts]))][:room]
    left, greedily = parts.tolist(), []
    off = lacking - p[whole].sum(0)
    for _ in range(room):
        gains = worth[left] - strength * np.abs(off - p[left]).sum(1)
        best = left.pop(int(gains.argmax()))
        greedily.append(best)
        off = off - p[best]
        tick()
    either = [np.sort(np.r_[whole, some].astype(np.int64)) for some in (largest, greedily)]
    return max(either, key=lambda rows: value_of(rows, worth, p, lacking, strength))


def _best(values: np.ndarray, count: int) -> np.ndarray:
    """The rows of the highest values, ties to the lower row."""
    return np.argsort(-values, kind="stable")[:count]


def _while_ticking(work: Callable[[], Any], tick: Callable[[], None]) -> Any:
    """The result of ``work``, done in a thread of its own while ``tick`` is called.

    Raises:
        BaseException: what ``tick`` or ``work`` raises.
    """
    answers: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # it is raised again below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="linear program", daemon=True)
    thread.start()
    thread.join(TICK_EVERY)
    while thread.is_alive():
        tick()
        thread.join(TICK_EVERY)
    if errors:
        raise errors[0]
    return answers[0]


def _answer(costs: np.ndarray, **program: Any) -> Any:
    """The answer of HiGHS.

    Raises:
        InvalidInput: the program was not solved, or not in time.
    """
    answer = None
    for method in METHODS:
        answer = linprog(costs, method=method, options={"time_limit": TIME_LIMIT}, **program)
        if answer.status in (0, 1):
            break
    assert answer is not None
    if answer.status != 0:
        raise InvalidInput(
            f"class_balanced: the linear program was not solved ({answer.message.rstrip('.')}); "
            "choose the solver 'greedy'"
        )
    return answer


@dataclass(frozen=True)
class _Program:
    """``sum of gains - sum of costs max(lacking - sum of p, 0) + constant``, to be maximized.

    Attributes:
        gains: (n,) of each sample.
        p: (n, K) of each sample and kept class.
        lacking: (K,) of each kept class.
        costs: (K,) above 0, of lacking one of a class.
        budget: how many samples are chosen.
        constant: a part of the value that no choice changes.
    """

    gains: np.ndarray
    p: np.ndarray
    lacking: np.ndarray
    costs: np.ndarray
    budget: int
    constant: float

    def bound(self, worths: np.ndarray, prices: np.ndarray) -> float:
        """An upper bound of the value of any choice.

        ``cost max(x, 0)`` is at least ``price x`` for any price in [0, cost]; with that in its place,
        the best choice is that of the samples of the highest worths. At the optimal prices the bound
        is the optimum of the relaxed program.

        Args:
            worths: (n,) ``gains + p @ prices``.
            prices: (K,) in [0, costs].
        """
        best = np.partition(worths, len(worths) - self.budget)[len(worths) - self.budget :]
        return float(best.sum() - prices @ self.lacking) + self.constant

    def optimum(
        self, rows: np.ndarray, tick: Callable[[], None]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """The optimum if only ``rows`` may be chosen, in shares.

        Returns:
            the shares of ``rows`` in [0, 1]; the prices of the classes, (K,) in [0, costs]; and the
            worth that a sample must exceed to raise the optimum.

        Raises:
            InvalidInput: the program was not solved, or not in time.
        """
        if len(self.costs) == 0:
            shares = np.zeros(len(rows))
            best = _best(self.gains[rows], self.budget)
            shares[best] = 1
            return shares, self.costs, float(self.gains[rows[best[-1]]])
        # HiGHS takes the longer the more constraints there are, of which the dual program has one a
        # sample, and the other one a class.
        ask = self._dual if len(rows) < len(self.costs) else self._primal
        shares, prices, threshold = _while_ticking(lambda: ask(rows), tick)
        return np.clip(shares, 0, 1), np.clip(prices, 0, self.costs), threshold

    def _primal(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Shares of the samples, then how much of each class is lacking."""
        count, width = len(rows), len(self.costs)
        answer = _answer(
            np.r_[-self.gains[rows], self.costs],
            A_ub=sparse.hstack([sparse.csc_array(-self.p[rows].T), -sparse.eye_array(width)]),
            b_ub=-self.lacking,
            A_eq=sparse.csc_array(np.r_[np.ones(count), np.zeros(width)][None]),
            b_eq=[self.budget],
            bounds=np.c_[np.zeros(count + width), np.r_[np.ones(count), np.full(width, np.inf)]],
        )
        return answer.x[:count], -answer.ineqlin.marginals, -float(answer.eqlin.marginals[0])

    def _dual(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Prices of the classes, then the threshold, then by how much each sample exceeds it."""
        count, width = len(rows), len(self.costs)
        upper = np.r_[self.costs, np.inf, np.full(count, np.inf)]
        answer = _answer(
            np.r_[-self.lacking, self.budget, np.ones(count)],
            A_ub=sparse.hstack(
                [sparse.csc_array(self.p[rows]), -np.ones((count, 1)), -sparse.eye_array(count)]
            ),
            b_ub=-self.gains[rows],
            bounds=np.c_[np.r_[np.zeros(width), -np.inf, np.zeros(count)], upper],
        )
        return -answer.ineqlin.marginals, answer.x[:width], float(answer.x[width])
