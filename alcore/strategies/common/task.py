"""The candidates that a strategy judges, and what it needs to judge them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...data.device import to_tensor
from ...data.pool import Pool
from ...geometry.vectors import Vectors, vectors_of
from ...objectives import Score

# Tells the order of rows apart from what the strategy ``random`` draws with the same seed.
SHUFFLE = 1


@dataclass(frozen=True)
class Task:
    """The input of a strategy: a pool, the candidates, and how many to choose.

    Attributes:
        pool: the samples.
        candidates: (n,) int64, the rows of the pool that may be chosen, ascending.
        picks: how many will be chosen.
        seed: the seed of all random draws.
        device: the device of large arrays.
        user: the strategy's place in the recipe; error messages start with it.
        tick: called from time to time in long work; an exception that it raises stops the work.
        cache: costly results that another strategy or stage may use again.
    """

    pool: Pool
    candidates: np.ndarray
    picks: int
    seed: int
    device: torch.device
    user: str = ""
    tick: Callable[[], None] = lambda: None
    cache: dict[Any, Any] = field(default_factory=dict)

    def of(self, rows: np.ndarray) -> Task:
        """A copy with ``rows`` of the pool as candidates."""
        return replace(self, candidates=rows)

    def vectors(self, column: str, metric: str) -> Vectors:
        """A column of vectors, prepared for a metric ("euclidean" or "cosine").

        Raises:
            InvalidInput: the column does not hold usable vectors.
        """
        key = "vectors", column, metric
        if key not in self.cache:
            self.cache[key] = vectors_of(self.pool, column, metric, self.user, self.device)
        prepared: Vectors = self.cache[key]
        return prepared

    def shuffled(self, rows: np.ndarray) -> np.ndarray:
        """(R,) int64, some rows of the pool in an order that their ids and the seed decide.

        What clusters, or draws by position, takes rows in this order. The order of the pool's rows
        then makes no difference.
        """
        return rows[np.argsort(self.pool.drawn(self.seed, SHUFFLE)[rows], kind="stable")]

    def sampled(self, rows: np.ndarray, most: int) -> np.ndarray:
        """(at most ``most``,) int64, ascending: some of the rows, drawn at random by their ids."""
        return rows if len(rows) <= most else np.sort(self.shuffled(rows)[:most])

    def score(
        self, values: np.ndarray, scale: float = 1.0, report: dict[str, Any] | None = None
    ) -> Score:
        """An objective whose values do not depend on the picks.

        Args:
            values: (n,), one per candidate, higher = more worth labeling.
            scale: the highest possible value, by which combine: "sum" divides; 0 counts as 1.
            report: what the report says about them.
        """
        return Score(to_tensor(values, torch.float64, self.device), scale or 1.0, report or {})
