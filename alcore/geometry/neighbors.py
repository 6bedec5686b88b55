"""Nearest neighbors: exact, by matrix products; approximate, by faiss, where that takes too long."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..data.settings import chunk_size, settings
from .distances import squared_distances, squared_lengths
from .neighbor_tiles import nearest_rows

# For short vectors the cost is that of finding the smallest distances, not of the products.
LEAST_WORK = 100
ROWS_A_BLOCK, COLUMNS_A_BLOCK = 512, 16_384
# float32 products may confuse neighbors of similar distance, so this many more are compared exactly.
RIVALS = 4
NUMBERS_A_CHUNK = 1 << 20
# The approximate search reads more cells until it finds this share of the true neighbors of the rows
# that it is tried on.
RECALL, TRIED = 0.95, 256


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
        """ "exact", or "approximate" with the recall, for a report."""
        return "exact" if self.recall == 1 else f"approximate (faiss, recall {self.recall:.3f})"


def nearest_neighbors(
    vectors: torch.Tensor, k: int, tick: Callable[[], None] = lambda: None
) -> Neighbors:
    """The ``k`` nearest other vectors of each, or all others where there are fewer.

    Distances are computed from differences, in the vectors' precision. Up to
    ``settings.exact_neighbors_up_to`` multiplications all pairs are compared. Beyond that, faiss
    searches cells of an inverted file, as many as find 95% of the neighbors of 256 random rows.

    Args:
        vectors: (n, d), centered or of length 1 where they are float32.
        k: at least 1.
        tick: called after each block; an exception that it raises stops the search.
    """
    n = len(vectors)
    k = min(k, n - 1)
    if k < 1:
        return Neighbors(np.zeros((n, 0), dtype=np.int64), np.zeros((n, 0)), 1.0)
    wanted = min(k + RIVALS, n - 1)
    everyone = torch.arange(n, device=vectors.device)
    if n * n * max(vectors.shape[1], LEAST_WORK) <= settings.exact_neighbors_up_to:
        plain = vectors.dtype == torch.float64
        rows = (
            _by_blocks(vectors, everyone, wanted, tick)
            if plain
            else nearest_rows(vectors, wanted, tick)
        )
        recall = 1.0
    else:
        rows, recall = _by_cells(vectors, wanted, k, tick)
    rows, distances = _judged(vectors, everyone, rows, k)
    return Neighbors(rows.cpu().numpy(), distances.cpu().numpy(), recall)


def _by_blocks(
    vectors: torch.Tensor, queried: torch.Tensor, k: int, tick: Callable[[], None]
) -> torch.Tensor:
    """(len(queried), k) rows of the nearest neighbors, in any order."""
    lengths = squared_lengths(vectors)
    found = torch.empty((len(queried), k), dtype=torch.int64, device=vectors.device)
    for start in range(0, len(queried), chunk_size(ROWS_A_BLOCK)):
        mine = queried[start : start + chunk_size(ROWS_A_BLOCK)]
        x = vectors[mine]
        best: list[torch.Tensor] = []
        rows: list[torch.Tensor] = []
        for first in range(0, len(vectors), chunk_size(COLUMNS_A_BLOCK)):
            columns = slice(first, first + chunk_size(COLUMNS_A_BLOCK))
            if vectors.dtype == torch.float64:
                apart = squared_distances(x, vectors[columns])
            else:
                apart = torch.addmm(lengths[columns], x, vectors[columns].T, alpha=-2)
            here = (mine >= first) & (mine < first + apart.shape[1])
            apart[here.nonzero().flatten(), mine[here] - first] = torch.inf
            near = apart.topk(min(k, apart.shape[1]), dim=1, largest=False)
            best.append(near.values)
            rows.append(near.indices + first)
        nearest = torch.cat(best, 1).topk(k, dim=1, largest=False).indices
        found[start : start + chunk_size(ROWS_A_BLOCK)] = torch.cat(rows, 1).gather(1, nearest)
        tick()
    return found


def _by_cells(
    vectors: torch.Tensor, wanted: int, k: int, tick: Callable[[], None]
) -> tuple[torch.Tensor, float]:
    import faiss

    n, d = vectors.shape
    x = vectors.to(torch.float32).cpu().numpy()
    cells = int(4 * n**0.5)
    generator = np.random.default_rng(0)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, cells)
    index.train(x[np.sort(generator.permutation(n)[: 64 * cells])])
    for start in range(0, n, 1 << 16):
        index.add(x[start : start + (1 << 16)])
        tick()
    tried = np.sort(generator.permutation(n)[:TRIED])
    truth = _by_blocks(vectors, torch.from_numpy(tried).to(vectors.device), wanted, tick)
    true, _ = _judged(vectors, torch.from_numpy(tried).to(vectors.device), truth, k)
    known = true.cpu().numpy()
    index.nprobe, recall = 8, 0.0
    while True:
        rows = _without_itself(index.search(x[tried], wanted + 1)[1], tried)
        hits = [len(np.intersect1d(a, b)) for a, b in zip(rows, known, strict=True)]
        recall = sum(hits) / known.size
        tick()
        if recall >= RECALL or index.nprobe >= cells:
            break
        index.nprobe *= 2
    found = np.empty((n, wanted), dtype=np.int64)
    for start in range(0, n, 1 << 13):
        some = np.arange(start, min(n, start + (1 << 13)))
        found[some] = _without_itself(index.search(x[some], wanted + 1)[1], some)
        tick()
    # Even where the trial found every neighbor, the search may miss some of other rows.
    return torch.from_numpy(found).to(vectors.device), min(recall, 0.999)


def _without_itself(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Remove each row itself, or the last where it was not found; -1 (none found) becomes the first."""
    own = found == rows[:, None]
    own[~own.any(1), -1] = True
    left = found[~own].reshape(len(found), -1)
    return np.where(left < 0, left[:, :1], left)


def _judged(
    vectors: torch.Tensor, queried: torch.Tensor, rows: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``k`` nearest of the found rows by exact differences, nearest first, and their distances."""
    kept = torch.empty((len(queried), k), dtype=torch.int64, device=vectors.device)
    distances = torch.empty((len(queried), k), dtype=torch.float64, device=vectors.device)
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // (rows.shape[1] * vectors.shape[1]))
    for start in range(0, len(queried), step):
        chunk = slice(start, start + step)
        others = rows[chunk].sort(dim=1).values  # among equals the lower row comes first
        apart = torch.linalg.vector_norm(vectors[others] - vectors[queried[chunk], None], dim=2)
        order = apart.sort(dim=1, stable=True)
        kept[chunk] = others.gather(1, order.indices[:, :k])
        distances[chunk] = order.values[:, :k]
    return kept, distances
