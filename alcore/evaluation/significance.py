"""Compare sets of samples by their outcomes: p-values and intervals of many sets at once.

Outcomes that are all 0 or 1 are ``exact``: they are tested by Fisher's test, with Wilson's interval
(1927) and Newcombe's interval of a difference (1998, method 10). Others are tested by Welch's test
(1947), with intervals of Student's t. Higher outcomes are better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit
from scipy.stats import hypergeom, ttest_ind_from_stats

ROUNDING = 1e-12


class Sums(NamedTuple):
    """For S sets of samples, each (S,): the count, the sum of outcomes and the sum of their squares."""

    n: np.ndarray
    sum: np.ndarray
    squares: np.ndarray

    @staticmethod
    def join(parts: list[Sums]) -> Sums:
        """The sums of several groups of sets, one after another."""
        return Sums(*map(np.concatenate, zip(*parts, strict=True)))

    def less(self, other: Sums) -> Sums:
        """The sums of these sets without the samples of ``other``."""
        return Sums(*(mine - its for mine, its in zip(self, other, strict=True)))

    def take(self, which: np.ndarray) -> Sums:
        """The sums of the sets at ``which``."""
        return Sums(*(one[which] for one in self))

    @property
    def mean(self) -> np.ndarray:
        """(S,) the mean outcome of each set."""
        return np.asarray(self.sum / self.n)

    @property
    def variance(self) -> np.ndarray:
        """(S,) the unbiased variance of the outcomes."""
        off = np.maximum(self.squares - self.sum**2 / self.n, 0)
        return np.asarray(off / np.maximum(self.n - 1, 1))


def p_worse(mine: Sums, others: Sums, exact: bool) -> np.ndarray:
    """(S,) one-sided p-values that the means of ``mine`` are below those of ``others``.

    1 where a mean is not below.
    """
    p = np.ones(len(mine.n))
    below = np.flatnonzero(mine.mean < others.mean)
    mine, others = mine.take(below), others.take(below)
    p[below] = _fisher(mine, others) if exact else _welch(mine, others)
    return p


def _fisher(mine: Sums, others: Sums) -> np.ndarray:
    """(S,) Fisher's exact test: the lower tail of the hypergeometric distribution."""
    total, right = mine.n + others.n, mine.sum + others.sum
    return np.asarray(hypergeom.cdf(mine.sum.round(), total, right.round(), mine.n))


def _welch(mine: Sums, others: Sums) -> np.ndarray:
    """(S,) Welch's test."""
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.sqrt(mine.variance), np.sqrt(others.variance)
        p = ttest_ind_from_stats(
            *(mine.mean, deviations[0], mine.n, others.mean, deviations[1], others.n),
            equal_var=False,
            alternative="less",
        ).pvalue
    # Where outcomes are constant, the means differ with certainty, or only by rounding.
    off = np.abs(mine.mean - others.mean)
    same = off <= ROUNDING * np.maximum(np.abs(mine.mean), np.abs(others.mean))
    constant = (deviations[0] == 0) & (deviations[1] == 0)
    return np.where(same, 1.0, np.where(constant, 0.0, p))


def _standard_error(mine: Sums, others: Sums) -> tuple[np.ndarray, np.ndarray]:
    """(S,) of the difference of means, and its degrees of freedom (Welch 1947)."""
    a, b = mine.variance / mine.n, others.variance / others.n
    among = a**2 / (mine.n - 1) + b**2 / (others.n - 1)
    freedom = np.divide((a + b) ** 2, among, out=np.ones(len(a)), where=among > 0)
    return np.sqrt(a + b), freedom


def difference_high(mine: Sums, others: Sums, exact: bool, confidence: float) -> np.ndarray:
    """(S,) the upper end of the interval of ``mine.mean - others.mean``."""
    off = mine.mean - others.mean
    if exact:
        _, high = interval(mine, exact, confidence)
        low, _ = interval(others, exact, confidence)
        return np.asarray(off + np.hypot(high - mine.mean, others.mean - low))
    error, freedom = _standard_error(mine, others)
    return np.asarray(off + stdtrit(freedom, (1 + confidence) / 2) * error)


def interval(of: Sums, exact: bool, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """(S,) lower and (S,) upper ends of the means' intervals: Wilson's if exact, else Student's."""
    n, mean = of.n, of.mean
    if exact:
        z = float(ndtri((1 + confidence) / 2))
        middle = (mean + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
        return np.asarray(middle - half), np.asarray(middle + half)
    half = stdtrit(n - 1, (1 + confidence) / 2) * np.sqrt(of.variance / n)
    return mean - half, mean + half
