"""Stratification: how many samples of each stratum, and which, drawn at random."""

from __future__ import annotations

import numpy as np
from scipy import sparse

# How many units in random order are compared; the best of them is taken.
LOOKED_AT = 32


def allocate(shares: np.ndarray, available: np.ndarray, size: int) -> np.ndarray:
    """(S,) int64 how many to take of each stratum: its share of ``size``, by largest remainder.

    A stratum with fewer samples gives all of them, and the others divide the rest in proportion. Strata
    of share 0 give none. So the sum is ``size``, or all samples of the other strata if there are fewer.
    Equal remainders go to the larger share, then to the earlier stratum.

    Args:
        shares: (S,) of the target, which sum to 1.
        available: (S,) int64 samples that may be chosen.
        size: how many to choose in all.
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
    # Numbers that are whole up to rounding count as whole.
    counts = np.floor(ideal + 1e-9).astype(np.int64)
    remainders = np.where(free & (counts < available), (ideal - counts).round(9), -np.inf)
    order = np.lexsort((-shares, -remainders))
    counts[order[: int(left - counts[free].sum())]] += 1
    return np.where(free, counts, taken)


def draw(strata: np.ndarray, quotas: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(sum of quotas,) int64 rows: in each stratum those with the lowest keys, all sorted by key.

    Args:
        strata: (n,) int64 stratum of each row.
        quotas: (S,) int64, at most the size of each stratum.
        keys: (n,) random numbers.
    """
    order = np.lexsort((keys, strata))
    counts = np.bincount(strata, minlength=len(quotas))
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(strata), dtype=np.int64)
    rank[order] = np.arange(len(strata)) - np.repeat(starts, counts)
    rows = np.flatnonzero(rank < quotas[strata])
    return rows[np.argsort(keys[rows], kind="stable")]


class Units:
    """Units, which are taken or left as a whole, and the counts of the strata against their quotas.

    A unit is open while taking it brings the counts of the strata nearer to their quotas, by the sum of
    ``(count - quota)^2 / quota``. For single samples, those of strata that are not full are open. For a
    single stratum, units are open that bring the size nearer to the quota. A closed unit never opens
    again, because counts only grow.

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
        """(U,) bool, true for units that may be taken."""
        over = (self._counts - self._quotas) * self._scale
        return np.asarray((self._alone + 2 * (self._has @ over) < -1e-9) & ~self._taken)

    def imbalance(self, some: np.ndarray) -> np.ndarray:
        """(len(some),) how far the strata's shares would be from the quotas' after taking each unit."""
        after = self._counts + self._has[some].toarray()
        shares = after / after.sum(1, keepdims=True)
        return np.asarray(((shares - self._quotas / self._quotas.sum()) ** 2 * self._scale).sum(1))

    def take(self, unit: int) -> np.ndarray:
        """Take a unit, and return its rows, ascending."""
        self._taken[unit] = True
        self._counts += self._has[unit].toarray()[0]
        return self.rows(unit)


def draw_units(units: Units, order: np.ndarray) -> np.ndarray:
    """Rows of the units that are taken: each time the best of the next 32 open units in ``order``.

    The best is the one after which the shares of the strata are nearest to those of the quotas. With a
    single stratum all are equal, and units are taken in ``order``. Only 32 are compared, so that the
    units are random and yet fit the quotas.
    """
    rows = [np.zeros(0, dtype=np.int64)]
    while True:
        order = order[units.open()[order]]
        if len(order) == 0:
            return np.concatenate(rows)
        best = int(units.imbalance(order[:LOOKED_AT]).round(12).argmin())
        rows.append(units.take(int(order[best])))
        order = np.delete(order, best)
