"""The accumulated value of the chosen samples by one strategy, for LightlyOne's ``lightly/greedy``.

An objective gives the value of one further sample. These classes give the value of all chosen samples
together with one candidate, which never decreases as samples are added.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..data.errors import InvalidInput, name_samples
from ..data.settings import chunk_size

ROWS_A_CHUNK = 1 << 10
EPSILON = 1e-10


class Accumulated(Protocol):
    """The accumulated value of the labeled and chosen samples, and its value with each candidate."""

    def potentials(self) -> np.ndarray | None:
        """(n,) the accumulated value with each candidate, at least 0; None while all are equal."""
        ...

    def add(self, row: int) -> None:
        """Record that the candidate at ``row`` is chosen."""
        ...

    def stops(self, row: int) -> bool:
        """Whether the selection must stop before it chooses the candidate at ``row``."""
        ...


class Sum:
    """The sum of one number per sample.

    Args:
        values: (n,) the numbers of the candidates, at least 0.
        labeled: the sum of the numbers of the labeled samples.

    Attributes:
        most: the selection stops before the sum exceeds it.
        least: the selection stops before a candidate whose own number is below it.
    """

    def __init__(self, values: np.ndarray, labeled: float) -> None:
        self._values, self._sum = values, labeled
        self.most, self.least = np.inf, 0.0

    @classmethod
    def of(
        cls, weights: np.ndarray, candidates: np.ndarray, labeled: np.ndarray, ids: Any, user: str
    ) -> Sum:
        """The sum for (N,) weights of a pool.

        Args:
            weights: (N,) the number of each sample.
            candidates: (n,) the candidates' rows.
            labeled: (L,) the labeled samples' rows.
            ids: the samples' ids, for errors.
            user: what uses the weights; error messages start with it.

        Raises:
            InvalidInput: weights below 0.
        """
        negative = np.flatnonzero(weights < 0)
        if len(negative):
            raise InvalidInput(
                f"{user}: {name_samples(ids, negative)} with a weight below 0; combine: 'lightly' "
                "adds weights up, which must be 0 or more"
            )
        return cls(weights[candidates], float(weights[labeled].sum()))

    def potentials(self) -> np.ndarray | None:
        """(n,) the accumulated value with each candidate, at least 0; None while all are equal."""
        return self._values + self._sum

    def add(self, row: int) -> None:
        """Record that the candidate at ``row`` is chosen."""
        self._sum += float(self._values[row])

    def stops(self, row: int) -> bool:
        """Whether the selection must stop before it chooses the candidate at ``row``."""
        return bool(self._sum + self._values[row] > self.most or self._values[row] < self.least)


class Distances:
    """The sum of squared distances from each labeled or chosen sample to the nearest other one.

    Args:
        vectors: (n, d) the candidates.
        labeled: (L, d) the labeled samples.
        minimum: the selection stops before a candidate that is nearer than this.
    """

    def __init__(self, vectors: np.ndarray, labeled: np.ndarray, minimum: float | None) -> None:
        self._vectors = vectors
        self._chosen = list(labeled)
        self._minimum = minimum or 0.0
        self._nearest = np.full(len(vectors), np.inf)
        self._of_chosen = np.full(len(labeled), np.inf)
        for number, one in enumerate(labeled):
            self._nearest = np.minimum(self._nearest, squared_to(vectors, one))
            others = squared_to(labeled, one)
            others[number] = np.inf
            self._of_chosen[number] = others.min(initial=np.inf)

    def potentials(self) -> np.ndarray | None:
        """(n,) the accumulated value with each candidate, at least 0; None while all are equal."""
        if not self._chosen:
            return None
        known = self._of_chosen[np.isfinite(self._of_chosen)]
        together: np.ndarray = self._nearest + known.sum()
        return together

    def add(self, row: int) -> None:
        """Record that the candidate at ``row`` is chosen."""
        now = self._vectors[row]
        if self._chosen:
            apart = squared_to(np.asarray(self._chosen), now)
            self._of_chosen = np.append(np.minimum(self._of_chosen, apart), apart.min())
        else:
            self._of_chosen = np.array([np.inf])
        self._chosen.append(now)
        self._nearest = np.minimum(self._nearest, squared_to(self._vectors, now))

    def stops(self, row: int) -> bool:
        """Whether the selection must stop before it chooses the candidate at ``row``."""
        return bool(self._chosen) and bool(np.sqrt(self._nearest[row]) < self._minimum)


class Shares:
    """How near the class shares are to a target: ``1 / (1 + KL(target || shares) / H)`` in (0, 1].

    Args:
        kinds: (U, C) distinct rows of counts per class.
        codes: (n,) int64, the row of ``kinds`` of each candidate.
        labeled: (C,) the counts of the labeled samples.
        target: (C,) shares that sum to 1; H is their entropy in bits.
    """

    def __init__(
        self, kinds: np.ndarray, codes: np.ndarray, labeled: np.ndarray, target: np.ndarray
    ) -> None:
        self._kinds, self._codes, self._counts = kinds, codes, labeled.astype(np.float64)
        self._target = target
        known = target[target > 0]
        self._entropy = float(-(known * np.log2(known)).sum()) + EPSILON

    def potentials(self) -> np.ndarray | None:
        """(n,) the accumulated value with each candidate, at least 0; None while all are equal."""
        together = self._kinds + self._counts
        total = together.sum(1, keepdims=True)
        shares = np.divide(together, total, out=np.zeros_like(together), where=total > 0)
        apart = (np.log2(self._target + EPSILON) - np.log2(shares + EPSILON)) @ self._target
        return np.asarray(1 / (1 + np.maximum(apart, 0) / self._entropy))[self._codes]

    def add(self, row: int) -> None:
        """Record that the candidate at ``row`` is chosen."""
        self._counts += self._kinds[self._codes[row]]

    def stops(self, row: int) -> bool:
        """Whether the selection must stop before it chooses the candidate at ``row``."""
        return False


def squared_to(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(n,) float64 squared distances to one vector, from differences (not products), in chunks."""
    out = np.empty(len(vectors))
    for start in range(0, len(vectors), chunk_size(ROWS_A_CHUNK)):
        off = vectors[start : start + chunk_size(ROWS_A_CHUNK)] - one
        out[start : start + chunk_size(ROWS_A_CHUNK)] = np.einsum("nd,nd->n", off, off)
    return out
