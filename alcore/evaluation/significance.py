"""Sets of samples compared by their outcomes: p-values and intervals, of many sets at once.

Outcomes of 0 and 1 alone are ``exact``: tested by Fisher's test, with Wilson's interval (1927) and
Newcombe's of a difference (1998, method 10). Others are tested by Welch's test (1947), with intervals
of Student's t. Higher is better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, ndtri, stdtr, stdtrit

# Terms of a tail below this share of it change no digit.
LEAST_TERM = 1e-17
ROUNDING = 1e-12


class Sums(NamedTuple):
    """Of S sets of samples: how many, and the sums of their outcomes and of the squares."""

    n: np.ndarray
    sum: np.ndarray
    squares: np.ndarray

    @staticmethod
    def join(parts: list[Sums]) -> Sums:
        return Sums(*map(np.concatenate, zip(*parts, strict=True)))

    def less(self, other: Sums) -> Sums:
        return Sums(*(mine - its for mine, its in zip(self, other, strict=True)))

    def take(self, which: np.ndarray) -> Sums:
        return Sums(*(one[which] for one in self))

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.sum / self.n)

    @property
    def variance(self) -> np.ndarray:
        """Unbiased."""
        off = np.maximum(self.squares - self.sum**2 / self.n, 0)
        return np.asarray(off / np.maximum(self.n - 1, 1))


def p_worse(mine: Sums, others: Sums, exact: bool) -> np.ndarray:
    """(S,) how likely means so far below others' are by chance, one-sided; 1 where they are not."""
    p = np.ones(len(mine.n))
    below = np.flatnonzero(mine.mean < others.mean)
    mine, others = mine.take(below), others.take(below)
    p[below] = _fisher(mine, others) if exact else _welch(mine, others)
    return p


def _fisher(mine: Sums, others: Sums) -> np.ndarray:
    """(S,) the lower tail of the hypergeometric distribution, summed downwards from what was found."""
    n, total = mine.n.astype(float), (mine.n + others.n).astype(float)
    k, right = mine.sum.copy(), mine.sum + others.sum
    wrong = total - right

    def choose(among: np.ndarray, some: np.ndarray) -> np.ndarray:
        return np.asarray(gammaln(among + 1) - gammaln(some + 1) - gammaln(among - some + 1))

    found = np.exp(choose(right, k) + choose(wrong, n - k) - choose(total, n))
    tail, term, left = np.ones(len(k)), np.ones(len(k)), np.arange(len(k))
    while len(left):
        term *= k * (wrong - n + k) / ((right - k + 1) * (n - k + 1))
        tail[left] += term
        k = k - 1
        more = term > LEAST_TERM * tail[left]
        left, term = left[more], term[more]
        k, n, right, wrong = k[more], n[more], right[more], wrong[more]
    return np.asarray(np.minimum(found * tail, 1))


def _welch(mine: Sums, others: Sums) -> np.ndarray:
    error, freedom = _standard_error(mine, others)
    off = mine.mean - others.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, off / error, -np.inf)
    # Of constant outcomes the means differ by rounding alone.
    same = np.abs(off) <= ROUNDING * np.maximum(np.abs(mine.mean), np.abs(others.mean))
    return np.where(same, 1.0, stdtr(freedom, t))


def _standard_error(mine: Sums, others: Sums) -> tuple[np.ndarray, np.ndarray]:
    """(S,) of the difference of means, and its degrees of freedom (Welch 1947)."""
    a, b = mine.variance / mine.n, others.variance / others.n
    among = a**2 / (mine.n - 1) + b**2 / (others.n - 1)
    freedom = np.divide((a + b) ** 2, among, out=np.ones(len(a)), where=among > 0)
    return np.sqrt(a + b), freedom


def difference_high(mine: Sums, others: Sums, exact: bool, confidence: float) -> np.ndarray:
    """(S,) the upper end of the difference's interval."""
    off = mine.mean - others.mean
    if exact:
        _, high = interval(mine, exact, confidence)
        low, _ = interval(others, exact, confidence)
        return np.asarray(off + np.hypot(high - mine.mean, others.mean - low))
    error, freedom = _standard_error(mine, others)
    return np.asarray(off + stdtrit(freedom, (1 + confidence) / 2) * error)


def interval(of: Sums, exact: bool, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """(S,) and (S,): Wilson's, or Student's."""
    n, mean = of.n, of.mean
    if exact:
        z = float(ndtri((1 + confidence) / 2))
        middle = (mean + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
        return np.asarray(middle - half), np.asarray(middle + half)
    half = stdtrit(n - 1, (1 + confidence) / 2) * np.sqrt(of.variance / n)
    return mean - half, mean + half
