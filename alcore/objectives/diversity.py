"""Diversity: distance to the nearest labeled or chosen sample (k-center greedy)."""

from typing import Any

import numpy as np
import torch

from ..geometry.distances import nearest_exactly, nearest_squared, squared_distances, squared_lengths
from .objective import Objective

# The relative error of distances from float32 products.
ROUNDED = 1e-5
# Fewer rows than this share a matrix product with others.
ENOUGH_ROWS = 1024


class DiversityBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, values: np.ndarray, distances: np.ndarray) -> None:
        self.values = values
        self._distances = distances

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        self.values = np.minimum(self.values, self._distances[position])


class Diversity(Objective):
    """Distance of each candidate to its nearest center, not squared; higher = more different.

    Centers are the labeled and chosen samples. Alone it is farthest-first traversal, whose largest
    remaining distance is at most twice the optimum (Gonzalez 1985; Sener and Savarese, Core-Set, 2018).
    While there is no center, the value is the closeness to the mean of the pool,
    ``1 / (1 + d / mean d)`` in (0, 1]. Cosine distance is ``1 - cos``, in [0, 2].

    A row is compared with new centers only when its value is needed.

    Args:
        vectors: (n, d) candidates, centered; for the cosine metric of length 1.
        centers: (L, d) labeled samples, prepared likewise.
        closeness: (n,) the values while there is no center.
        picks: the most samples that will be added.
        metric: "euclidean" or "cosine".
        minimum_distance: candidates nearer than this to a center cannot be chosen.
    """

    update_cost = 1

    def __init__(
        self,
        vectors: torch.Tensor,
        centers: torch.Tensor,
        closeness: torch.Tensor,
        *,
        picks: int,
        metric: str = "euclidean",
        minimum_distance: float | None = None,
    ) -> None:
        self._vectors = vectors
        self._lengths = squared_lengths(vectors)
        self._metric = metric
        self._minimum_distance = minimum_distance
        self._closeness = closeness
        self._centers = vectors.new_empty((len(centers) + picks, vectors.shape[1]))
        self._centers[: len(centers)] = centers
        self._center_lengths = squared_lengths(self._centers)
        self._count = len(centers)
        self._seen = torch.zeros(len(vectors), dtype=torch.int64, device=vectors.device)
        self._nearest = torch.full_like(self._lengths, torch.inf)
        self.scale = 1.0

    @property
    def needs_first_pick(self) -> bool:
        """Whether there is no center yet, so that values are the closeness to the mean."""
        return self._count == 0

    @property
    def rounding_error(self) -> float:
        """The largest relative error of ``values``; 0 where they are exact."""
        return ROUNDED if self._vectors.dtype != torch.float64 else 0.0

    @property
    def minimum(self) -> float | None:
        """The least distance to a center of a candidate that may be chosen; None without a limit."""
        return None if self.needs_first_pick else self._minimum_distance

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        if self.needs_first_pick:
            return self._closeness if rows is None else self._closeness[rows]
        self._catch_up(rows)
        nearest = self._nearest if rows is None else self._nearest[rows]
        return self._distance(nearest.to(torch.float64))

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> DiversityBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        vectors = self._vectors[rows]
        distances = self._distance(squared_distances(vectors, vectors))
        if vectors.dtype != torch.float64 and not self.needs_first_pick:
            known = slice(self._count)
            nearest = nearest_exactly(vectors, self._centers[known], self._center_lengths[known])
            values = self._distance(nearest)
        return DiversityBlock(values.cpu().numpy(), distances.cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        new = slice(self._count, self._count + len(rows))
        self._centers[new] = self._vectors[rows]
        self._center_lengths[new] = self._lengths[rows]
        self._count += len(rows)

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        return {"radius": None if self.needs_first_pick or len(self._nearest) == 0 else self._radius()}

    def _radius(self) -> float:
        """The largest distance of a candidate; only rows that may have it are brought up to date."""
        step = 1024
        while True:
            top = self._nearest.topk(min(step, len(self._nearest))).indices
            self._catch_up(top)
            largest = self._nearest[top].max()
            stale = self._nearest[self._seen < self._count]
            if len(stale) == 0 or stale.max() <= largest:
                return float(self._distance(largest.to(torch.float64)))
            step *= 2

    def _distance(self, squared: torch.Tensor) -> torch.Tensor:
        return squared.sqrt() if self._metric == "euclidean" else squared / 2

    def _catch_up(self, rows: torch.Tensor | None) -> None:
        seen = self._seen if rows is None else self._seen[rows]
        levels, counts = torch.unique(seen, return_counts=True)
        behind = levels < self._count
        if rows is None and len(levels) == 1 and bool(behind):
            self._compare(slice(None), int(levels[0]))
            return
        low, together = -1, 0
        for level, count in zip(levels[behind].tolist(), counts[behind].tolist(), strict=True):
            # Rows that were last compared at similar times go together: comparing a row with a center
            # twice does no harm.
            low = level if together == 0 else low
            together += count
            if together >= ENOUGH_ROWS or level == int(levels[behind][-1]):
                mine = (seen >= low) & (seen <= level)
                late = mine.nonzero().flatten() if rows is None else rows[mine]
                self._compare(late, low)
                together = 0

    def _compare(self, rows: torch.Tensor | slice, level: int) -> None:
        """Compare ``rows`` with the centers from number ``level`` on."""
        new = slice(level, self._count)
        nearest = self._nearest[rows]
        nearest_squared(
            self._vectors[rows] if isinstance(rows, slice) else self._vectors.index_select(0, rows),
            self._lengths[rows],
            self._centers[new],
            self._center_lengths[new],
            nearest,
        )
        self._nearest[rows] = nearest
        self._seen[rows] = self._count
