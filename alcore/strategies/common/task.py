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
from ...geometry.graph_part import GraphPart, part_of_graph, tiles_of
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

    def graph_part(self, column: str, metric: str, t: int | None = None) -> GraphPart:
        """The lists of the graph for the vectors of this part of the pool; made once.

        Args:
            column: a column of vectors.
            metric: "euclidean" or "cosine".
            t: how many entries a list has, at most; by default as in ``graph``.
        """

        def make() -> GraphPart:
            here = np.flatnonzero(~self.pool.missing[column])
            counts = self.parts.gathered(len(here))
            n, prepare = sum(counts), self.vectors(column, metric)
            return part_of_graph(
                prepare(here),
                tiles_of(self.parts, column, prepare) if len(here) else iter(()),
                sum(counts[: self.parts.number]),
                n,
                min(n, t) if t else list_length(n),
            )

        found: GraphPart = self.found((Task.graph_part, column, metric, t), make)
        return found

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
        """(at most ``most``,) int64, ascending: some of the rows, drawn at random by their ids.

        At most so many are drawn from all parts of the pool together.
        """
        if self.parts.total(len(rows)) <= most:
            return rows
        first, draws = self._first_drawn(rows, most)
        before = sum(map(len, draws[: self.parts.number]))
        kept = np.argsort(np.concatenate(draws), kind="stable")[:most] - before
        return np.sort(first[kept[(kept >= 0) & (kept < len(first))]])

    def drawn_vectors(self, prepare: Vectors, rows: np.ndarray, most: int) -> torch.Tensor:
        """(at most ``most``, d) the vectors of rows that are drawn likewise, in random order."""
        if not self.parts.several:
            return prepare(self.shuffled(rows)[:most])
        first, draws = self._first_drawn(rows, most)
        order = np.argsort(np.concatenate(draws), kind="stable")[:most]
        return prepare.everywhere(first)[torch.from_numpy(order).to(self.device)]

    def _first_drawn(self, rows: np.ndarray, most: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """The first of the rows in random order, and what these have drawn in every part."""
        first = self.shuffled(rows)[:most]
        return first, self.parts.gathered(self.pool.drawn(self.seed, SHUFFLE)[first])

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
