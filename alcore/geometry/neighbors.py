"""The nearest neighbors of every vector, their distances computed from differences."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..data.settings import chunk_size
from .neighbor_graph import NeighborGraph, how_found, neighbor_graph

# float32 products may confuse neighbors of similar distance, so this many more are compared exactly.
RIVALS = 4
NUMBERS_A_CHUNK = 1 << 20


@dataclass(frozen=True)
class Neighbors:
    """The nearest neighbors of each vector: not the vector itself, but copies of it are included.

    Attributes:
        rows: (n, k) int64, nearest first.
        distances: (n, k) float64.
        recall: the share of true neighbors found, 1 where every pair was compared.
    """

    rows: np.ndarray
    distances: np.ndarray
    recall: float

    @property
    def how(self) -> str:
        """The method of search, for a report."""
        return how_found(self.recall)


def nearest_neighbors(
    vectors: torch.Tensor, k: int, tick: Callable[[], None] = lambda: None
) -> Neighbors:
    """The ``k`` nearest other vectors of each, or all others where there are fewer.

    Distances are computed from differences, in the vectors' precision. Up to
    ``settings.exact_neighbors_up_to`` multiplications all pairs are compared, beyond that those of near
    cells (see ``neighbor_graph``).

    Args:
        vectors: (n, d), centered or of length 1 where they are float32.
        k: at least 1.
        tick: called after each block; an exception that it raises stops the search.
    """
    n = len(vectors)
    if n < 2:
        return Neighbors(np.zeros((n, 0), dtype=np.int64), np.zeros((n, 0)), 1.0)

    def read(numbers: np.ndarray) -> torch.Tensor:
        whole = len(numbers) == n and bool((numbers == np.arange(n)).all())
        return vectors if whole else vectors[torch.from_numpy(numbers).to(vectors.device)]

    drawn = np.random.default_rng(0).permutation(n)
    t = min(n, k + 1 + RIVALS)
    return nearest_in(neighbor_graph(read, vectors.shape[1], drawn, t, tick), vectors, k)


def nearest_in(graph: NeighborGraph, vectors: torch.Tensor, k: int) -> Neighbors:
    """The ``k`` nearest of each list of a graph, or all where there are fewer.

    Args:
        graph: of ``vectors``.
        vectors: (n, d).
        k: at least 1.
    """
    n, t = graph.neighbors.shape
    k = min(k, t - 1)
    near = min(k + RIVALS, t - 1)
    kept = torch.empty((n, k), dtype=torch.int64, device=vectors.device)
    distances = torch.empty((n, k), dtype=torch.float64, device=vectors.device)
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // (near * vectors.shape[1]))
    for start in range(0, n, step):
        chunk = slice(start, start + step)
        places = graph.squared[chunk, 1:].topk(near, dim=1, largest=False).indices + 1
        others = graph.neighbors[chunk].gather(1, places).to(torch.int64)
        others = others.sort(dim=1).values  # among equals the lower row comes first
        apart = torch.linalg.vector_norm(vectors[others] - vectors[chunk, None], dim=2)
        order = apart.sort(dim=1, stable=True)
        kept[chunk] = others.gather(1, order.indices[:, :k])
        distances[chunk] = order.values[:, :k]
    return Neighbors(kept.cpu().numpy(), distances.cpu().numpy(), graph.recall)
