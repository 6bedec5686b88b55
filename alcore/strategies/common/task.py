"""The candidates that a strategy judges, and what it needs to judge them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...data.device import to_tensor
from ...data.keeping import Keeping, key_of
from ...data.parts import WHOLE, Parts
from ...data.pool import Pool
from ...geometry.neighbor_graph import (
    GRAPH_FORM,
    GRAPH_VERSION,
    NeighborGraph,
    is_exact,
    list_length,
    neighbor_graph,
    on_device,
)
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
        keeping: keeps results for later selections; None keeps none.
        parts: the parts of the pool, of which this one has the rows at hand.
    """

    pool: Pool
    candidates: np.ndarray
    picks: int
    seed: int
    device: torch.device
    user: str = ""
    tick: Callable[[], None] = lambda: None
    cache: dict[Any, Any] = field(default_factory=dict)
    keeping: Keeping | None = None
    parts: Parts = WHOLE

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
            self.cache[key] = vectors_of(self.pool, column, metric, self.user, self.device, self.parts)
        prepared: Vectors = self.cache[key]
        return prepared

    def graph(self, column: str, metric: str) -> NeighborGraph:
        """The neighbor graph of all samples with a vector, labeled ones included; made once.

        Vector i of the graph is the i-th row of the pool that has a vector.
        """
        found: NeighborGraph = self.found(
            (Task.graph, column, metric), lambda: self._kept_graph(column, metric)
        )
        return found

    def _kept_graph(self, column: str, metric: str) -> NeighborGraph:
        here = np.flatnonzero(~self.pool.missing[column])
        # The seed of the recipe makes no difference, so that the graph serves every selection.
        drawn = np.searchsorted(here, replace(self, seed=0).shuffled(here))
        prepare = self.vectors(column, metric)
        t = list_length(len(here))

        def make() -> NeighborGraph:
            return neighbor_graph(
                lambda numbers: prepare(here[numbers]), prepare.width, drawn, t, self.tick
            )

        if self.keeping is None or is_exact(len(here), prepare.width):
            return make()
        key = key_of("graph", GRAPH_VERSION, self.pool.columns[column], here, drawn, metric, t)
        return on_device(self.keeping.kept(key, GRAPH_FORM, make), self.device)

    def found(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """A costly result that another strategy or stage may use again; made once."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

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
