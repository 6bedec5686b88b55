"""Diversity: distance to the nearest labeled or chosen sample (k-center greedy)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..geometry.distances import nearest_exactly, squared_distances
from ..geometry.groups import groups_around
from ..geometry.leading_directions import leading_directions
from ..geometry.vectors import AnyVectors, FileVectors
from .divisible import Divisible, Traits
from .nearest_center import Centers, RowDistances

# The relative error of distances from float32 products.
ROUNDED = 1e-5
# So many rows are worth a way to spare comparisons.
ENOUGH_ROWS = 4096
# Directions are looked for once there are so many centers; groups, around so many.
CENTERS, SEEDS = 64, 256
# Rows are grouped where at most this share of the comparisons is left.
MOST_COMPARED = 0.25


class DiversityBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, values: np.ndarray, distances: np.ndarray) -> None:
        self.values = values
        self._distances = distances

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        self.values = np.minimum(self.values, self._distances[position])


class Diversity(Divisible):
    """Distance of each candidate to its nearest center, not squared; higher = more different.

    Centers are the labeled and chosen samples. Alone it is farthest-first traversal, whose largest
    remaining distance is at most twice the optimum (Gonzalez 1985; Sener and Savarese, Core-Set, 2018).
    While there is no center, the value is the closeness to the mean of the pool,
    ``1 / (1 + d / mean d)`` in (0, 1]. Cosine distance is ``1 - cos``, in [0, 2].

    A row is compared with new centers only when its value is needed; where rows form clusters, or lie
    along few directions, only with centers that may be the nearest.

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
        vectors: AnyVectors,
        centers: torch.Tensor,
        closeness: torch.Tensor,
        *,
        picks: int,
        metric: str = "euclidean",
        minimum_distance: float | None = None,
    ) -> None:
        self._metric = metric
        self._minimum_distance = minimum_distance
        self._closeness = closeness
        self._exact = vectors.dtype == torch.float64
        self._centers = Centers(centers, picks)
        self._distances = RowDistances(vectors, self._centers)
        # Ways to spare comparisons, each tried once there are so many centers. On a GPU products are
        # cheap, and small steps are not.
        self._ways: list[tuple[int, Callable[[], None]]] = []
        if not self._exact and vectors.device.type == "cpu" and len(vectors) >= ENOUGH_ROWS:
            self._ways = [(CENTERS, self._find_directions), (SEEDS, self._find_groups)]
            if isinstance(vectors, FileVectors):
                del self._ways[0]  # it holds a part of every vector in memory
        self.scale = 1.0

    @property
    def needs_first_pick(self) -> bool:
        """Whether there is no center yet, so that values are the closeness to the mean."""
        return self._centers.count == 0

    @property
    def rounding_error(self) -> float:
        """The largest relative error of ``values``; 0 where they are exact."""
        return 0.0 if self._exact else ROUNDED

    @property
    def minimum(self) -> float | None:
        """The least distance to a center of a candidate that may be chosen; None without a limit."""
        return None if self.needs_first_pick else self._minimum_distance

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        if self.needs_first_pick:
            return self._closeness if rows is None else self._closeness[rows]
        while self._ways and self._centers.count >= self._ways[0][0]:
            self._ways.pop(0)[1]()
        return self._distance(self._distances.squared(rows).to(torch.float64))

    def traits(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """The vectors of candidates; see ``Divisible``."""
        return {"vectors": self._distances.vectors_of(rows)}

    def exact(self, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """(R,) float64 distances to the nearest center, from differences; see ``Divisible``."""
        if self._exact or self.needs_first_pick:
            return values
        vectors = self._distances.vectors_of(rows)
        return self._distance(nearest_exactly(vectors, *self._centers[: self._centers.count]))

    def block_of(self, traits: Traits, values: torch.Tensor) -> DiversityBlock:
        """A block of candidates with these vectors; see ``Divisible``."""
        distances = self._distance(squared_distances(traits["vectors"], traits["vectors"]))
        return DiversityBlock(values.cpu().numpy(), distances.cpu().numpy())

    def add_traits(self, traits: Traits) -> None:
        """Record that candidates with these vectors are chosen; see ``Divisible``."""
        self._closeness = self._closeness.new_empty(0)  # of no more use, and as large as the pool
        self._centers.add(traits["vectors"])

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        if self.needs_first_pick or len(self._distances.vectors) == 0:
            return {"radius": None}
        largest = torch.tensor(self._distances.largest(), dtype=torch.float64)
        return {"radius": float(self._distance(largest))}

    def merged(self, reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One report from those of the processes; see ``Divisible``."""
        found = [one["radius"] for one in reports if one["radius"] is not None]
        return {"radius": max(found, default=None)}

    def _find_directions(self) -> None:
        assert isinstance(self._distances.vectors, torch.Tensor)
        self._distances.directions = leading_directions(self._distances.vectors)
        if self._distances.directions is not None:
            self._ways.clear()

    def _find_groups(self) -> None:
        step = self._centers.count // SEEDS
        seeds = self._centers[slice(0, step * SEEDS, step)][0]
        self._distances.groups = groups_around(self._distances.vectors, seeds, MOST_COMPARED)

    def _distance(self, squared: torch.Tensor) -> torch.Tensor:
        return squared.sqrt() if self._metric == "euclidean" else squared / 2
