"""Stratification: how many of each stratum, and which, drawn by chance."""

from __future__ import annotations

import numpy as np
from scipy import sparse

# Of so many units drawn, the best is taken.
LOOKED_AT = 32


def allocate(shares: np.ndarray, available: np.ndarray, size: int) -> np.ndarray:
    """(S,) int64 how many to take of each stratum: its share of ``size``, by largest remainder.

    A stratum with fewer samples than that gives all it has, and the others share what is left, in
    proportion; those of share 0 give none. So the sum is ``size``, or all that those strata have.
    Equal remainders go to the larger share, then to the earlier stratum.

    Args:
        shares: (S,) of the target, sum 1.
        available: (S,) int64 samples that may be chosen.
    """
    taken = np.where(shares > 0, available, 0).astype(np.int64)
    free = (shares > 0) & (available > 0)
    while free.any():
        left = size - taken[~free].sum()
        ideal = np.where(free, left * shares / shares[free].sum(), 0.0)
        short = free & (available <= ideal)
        if not short.any():
            break
        free &= ~short
    if not free.any():
        return taken
    # What is whole but for rounding is whole.
    counts = np.floor(ideal + 1e-9).astype(np.int64)
    remainders = np.where(free & (counts < available), (ideal - counts).round(9), -np.inf)
    order = np.lexsort((-shares, -remainders))
    counts[order[: int(left - counts[free].sum())]] += 1
    return np.where(free, counts, taken)


def draw(strata: np.ndarray, quotas: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(sum of quotas,) int64 rows: of each stratum those with the lowest keys, all in order of keys.

    Args:
        strata: (n,) int64.
        quotas: (S,) int64, at most what there is.
        keys: (n,) drawn by chance.
    """
    order = np.lexsort((keys, strata))
    counts = np.bincount(strata, minlength=len(quotas))
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(strata), dtype=np.int64)
    rank[order] = np.arange(len(strata)) - np.repeat(starts, counts)
    rows = np.flatnonzero(rank < quotas[strata])
    return rows[np.argsort(keys[rows], kind="stable")]


class Units:
    """What is taken or left as a whole, and how near the counts are to the quotas.

    A unit may be taken while that brings the counts of the strata nearer to their quotas, by the sum of
    ``(count - quota)^2 / quota``. Of single samples these are those of strata that are not full; of one
    stratum alone, units that bring the size nearer to the one wanted. Once a unit may not be taken it
    never may again, for counts only grow.

    Args:
        units: (n,) int64 unit of each candidate, numbered 0 to U - 1 as they first appear.
        strata: (n,) int64.
        quotas: (S,) int64.
    """

    def __init__(self, units: np.ndarray, strata: np.ndarray, quotas: np.ndarray) -> None:
        count = int(units.max(initial=-1)) + 1
        self.of = units
        self.single = count == len(units)
        self.sizes = np.bincount(units, minlength=count)
        self._rows = np.argsort(units, kind="stable")
        self._starts = np.cumsum(self.sizes) - self.sizes
        ones = np.ones(len(units))
        self._has = sparse.csr_matrix((ones, (units, strata)), shape=(count, len(quotas)))
        self._has.sum_duplicates()
        self._quotas = quotas.astype(np.float64)
        self._scale = 1 / np.maximum(self._quotas, 1)
        self._alone = self._has.multiply(self._has) @ self._scale
        self._counts = np.zeros(len(quotas))
        self._taken = np.zeros(count, dtype=bool)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(U,) the sum of the candidates' values in each unit."""
        return values if self.single else np.bincount(self.of, weights=values)

    def rows(self, unit: int) -> np.ndarray:
        """The candidates of a unit, ascending."""
        start = self._starts[unit]
        return np.asarray(self._rows[start : start + self.sizes[unit]])

    def open(self) -> np.ndarray:
        """(U,) bool, those that may be taken."""
        over = (self._counts - self._quotas) * self._scale
        return np.asarray((self._alone + 2 * (self._has @ over) < -1e-9) & ~self._taken)

    def imbalance(self, some: np.ndarray) -> np.ndarray:
        """(len(some),) how far the strata's shares are from the quotas' once one of some is taken."""
        after = self._counts + self._has[some].toarray()
        shares = after / after.sum(1, keepdims=True)
        return np.asarray(((shares - self._quotas / self._quotas.sum()) ** 2 * self._scale).sum(1))

    def take(self, unit: int) -> np.ndarray:
        """Take one; gives its rows, ascending."""
        self._taken[unit] = True
        self._counts += self._has[unit].toarray()[0]
        return self.rows(unit)


def draw_units(units: Units, order: np.ndarray) -> np.ndarray:
    """Rows of units that may be taken: each time, of the next 32 in a given order, the best.

    That is the one after which the shares of the strata are nearest to those of the quotas; of a single
    stratum all are as good, and units come in the order given. So that units are drawn by chance, yet
    fit together, not the best of all is taken.
    """
    rows = [np.zeros(0, dtype=np.int64)]
    while True:
        order = order[units.open()[order]]
        if len(order) == 0:
            return np.concatenate(rows)
        best = int(units.imbalance(order[:LOOKED_AT]).round(12).argmin())
        rows.append(units.take(int(order[best])))
        order = np.delete(order, best)
