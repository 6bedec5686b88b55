"""The linear program of class-balanced active learning, by column generation, and its rounding."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linprog

from ..data.errors import InvalidInput

TOLERANCE = 1e-9
# Per sample to choose: how many samples the first program has, and how many are added at a time.
FIRST, MORE = 2, 1
LEAST_ADDED = 500
MOST_ROUNDS = 100


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

    Args:
        worth: (n,) float64.
        p: (n, C) float64, at least 0.
        lacking: (C,) float64, at least 0.
        budget: how many rows, at most n.
        strength: above 0.
        tick: called after each round; an exception that it raises stops the work.

    Returns:
        (budget,) int64 ascending rows, and the upper bound of the maximum.

    Raises:
        InvalidInput: the linear program was not solved.
    """
    n, width = p.shape
    if budget >= n:
        rows = np.arange(n)
        return rows, value_of(rows, worth, p, lacking, strength)
    inside = np.zeros(n, dtype=bool)
    inside[_best(worth, FIRST * budget)] = True
    for c in range(width):
        inside[_best(p[:, c], int(np.ceil(lacking[c])) + 1)] = True
    shares, bound = np.zeros(n), np.inf
    for _ in range(MOST_ROUNDS):
        rows = np.flatnonzero(inside)
        found, reduced, value = _relaxed(worth, p, lacking, budget, strength, rows)
        outside = np.where(inside, np.inf, reduced)
        # Choosing all samples that would help is an upper bound of choosing some of them.
        bound = min(bound, value - float(outside[outside < 0].sum()))
        helping = np.flatnonzero(outside < -TOLERANCE)
        shares = np.zeros(n)
        shares[rows] = found
        tick()
        if len(helping) == 0:
            break
        added = max(LEAST_ADDED, MORE * budget)
        inside[helping[_best(-outside[helping], added)]] = True
    chosen = _rounded(shares, worth, p, lacking, budget, strength)
    return chosen, bound


def value_of(
    rows: np.ndarray, worth: np.ndarray, p: np.ndarray, lacking: np.ndarray, strength: float
) -> float:
    """The value that ``solve`` maximizes, for the choice of ``rows``."""
    return float(worth[rows].sum() - strength * np.abs(lacking - p[rows].sum(0)).sum())


def _relaxed(
    worth: np.ndarray,
    p: np.ndarray,
    lacking: np.ndarray,
    budget: int,
    strength: float,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float]:
    """The optimal shares of ``rows``, all samples' reduced costs (below 0: would help), the optimum."""
    width = p.shape[1]
    count = len(rows)
    mine = p[rows].T
    minus = -np.eye(width)
    answer = linprog(
        np.r_[-worth[rows], np.full(width, strength)],
        A_ub=np.block([[-mine, minus], [mine, minus]]),
        b_ub=np.r_[-lacking, lacking],
        A_eq=np.r_[np.ones(count), np.zeros(width)][None],
        b_eq=[budget],
        bounds=[(0, 1)] * count + [(0, None)] * width,
        method="highs-ds",
    )
    if answer.status != 0:
        raise InvalidInput(f"class_balanced: the linear program was not solved: {answer.message}")
    prices = answer.ineqlin.marginals
    reduced = -worth + p @ (prices[:width] - prices[width:]) - answer.eqlin.marginals[0]
    return answer.x[:count], reduced, -float(answer.fun)


def _rounded(
    shares: np.ndarray,
    worth: np.ndarray,
    p: np.ndarray,
    lacking: np.ndarray,
    budget: int,
    strength: float,
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
    either = [np.sort(np.r_[whole, some].astype(np.int64)) for some in (largest, greedily)]
    return max(either, key=lambda rows: value_of(rows, worth, p, lacking, strength))


def _best(values: np.ndarray, count: int) -> np.ndarray:
    """The rows of the highest values, ties to the lower row."""
    return np.argsort(-values, kind="stable")[:count]
