"""The neighbor graph: for every vector a list of those nearest to it.

A small graph is exact. A large one is approximate, by an inverted file: k-means divides the vectors
into cells, and the vectors of a cell are compared with those of the cells nearest to it. How many cells
is decided by 1,000 random vectors whose true neighbors are known, and their recall is reported. All
vectors of a cell are compared in one matrix product, which is several times as fast as one query at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
import torch

from ..data.keeping import Form
from ..data.settings import chunks, settings
from .distances import squared_distances, squared_lengths

# Lists grow no longer than this; in a large graph they are shorter, so that it has about 2^27 entries.
LONGEST, SHORTEST, ENTRIES = 128, 64, 1 << 27
# Cells to a square root of the number of vectors, and vectors a cell that k-means is trained on.
CELLS_A_ROOT, TRAINED_A_CELL, STEPS = 2, 32, 6
# The recall that is aimed at, and the largest share of all pairs that is compared for it. Where there
# are no clusters it would be nearly all; the neighbors then differ little from other vectors.
RECALL, LARGEST_SHARE, TRIED = 0.97, 0.45, 1_000
# For short vectors the cost is that of finding the smallest distances, not of the products.
LEAST_WORK = 100
ROWS_A_TILE, COLUMNS_A_TILE = 512, 16_384
# How many entries of lists are sorted by name at once.
ENTRIES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class NeighborGraph:
    """Lists of neighbors; each begins with the vector itself, the others are in no order.

    Attributes:
        neighbors: (n, t) int32 numbers of vectors, from 0 to n - 1.
        squared: (n, t) their squared distances, in the vectors' precision, up to its rounding.
        recall: the share of true neighbors found, of 1,000 random vectors; 1 where all were compared.
    """

    neighbors: torch.Tensor
    squared: torch.Tensor
    recall: float

    @property
    def complete(self) -> bool:
        """Whether every list holds all vectors."""
        return self.neighbors.shape[0] == self.neighbors.shape[1]

    @property
    def how(self) -> str:
        """The method of search, for a report."""
        return how_found(self.recall)

    @cached_property
    def listing(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The entries that name each vector.

        Returns:
            (n + 1,) int64 starts and (n * t,) int32 or int64 positions in the flattened lists: vector i
            is named at ``positions[starts[i] : starts[i + 1]]``, ascending.
        """
        return listing_of(self.neighbors, len(self.neighbors))


def listing_of(lists: torch.Tensor, names: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The entries of (r, t) lists that name each of the numbers below ``names``.

    Returns:
        (names + 1,) int64 starts and (r * t,) int32 or int64 positions in the flattened lists: number i
        is named at ``positions[starts[i] : starts[i + 1]]``, ascending.
    """
    r, t = lists.shape
    named = lists.cpu().numpy().reshape(-1)
    starts = np.zeros(names + 1, dtype=np.int64)
    rows = chunks(r, max(1, ENTRIES_AT_ONCE // max(1, t)))
    parts = [slice(one.start * t, min(one.stop, r) * t) for one in rows]
    for part in parts:
        starts[1:] += np.bincount(named[part], minlength=names)
    starts = starts.cumsum()
    number = np.int32 if r * t < 2**31 else np.int64
    positions = np.empty(r * t, dtype=number)
    # Part by part, for sorting all entries at once takes three times the memory of the positions.
    filled = starts[:-1].copy()
    for part in parts:
        entries = np.arange(part.start, part.stop, dtype=number)
        ends = np.arange(0, len(entries) + 1, t, dtype=np.int32)
        by_row = scipy.sparse.csr_array((entries, named[part], ends), shape=(len(ends) - 1, names))
        by_name = by_row.tocsc()
        counts = np.diff(by_name.indptr)
        places = np.repeat(filled - by_name.indptr[:-1], counts)
        places += np.arange(len(entries))
        positions[places] = by_name.data
        filled += counts
    return torch.from_numpy(starts).to(lists.device), torch.from_numpy(positions).to(lists.device)


def how_found(recall: float) -> str:
    """ "exact", or "approximate" with the recall."""
    return "exact" if recall == 1 else f"approximate (recall {recall:.3f})"


def is_exact(n: int, width: int) -> bool:
    """Whether all pairs of ``n`` vectors of ``width`` numbers are compared."""
    return n * n * max(width, LEAST_WORK) <= settings.exact_neighbors_up_to


def list_length(n: int) -> int:
    """How many entries the lists of a graph of ``n`` vectors have.

    It depends on nothing else, so that the graph serves every strategy, budget and round.
    """
    return min(n, max(SHORTEST, min(LONGEST, ENTRIES // max(1, n))))


def neighbor_graph(
    read: Callable[[np.ndarray], torch.Tensor],
    width: int,
    drawn: np.ndarray,
    t: int,
    tick: Callable[[], None] = lambda: None,
) -> NeighborGraph:
    """The graph of n vectors.

    Args:
        read: gives the (R, width) vectors of some of the numbers 0 to n - 1.
        width: how many numbers a vector has.
        drawn: (n,) all numbers in random order, which decides what k-means is trained on and what the
            recall is measured on.
        t: how many entries a list has, at least 1 and at most n.
        tick: called after each tile, which takes a fraction of a second; an exception that it raises
            stops the work.
    """
    n = len(drawn)
    if n == t or is_exact(n, width):
        neighbors, squared = _compare(read(np.arange(n)), np.arange(n), t, tick)
        return NeighborGraph(neighbors, squared, 1.0)
    return _by_cells(read, drawn, t, tick)


def _by_cells(
    read: Callable[[np.ndarray], torch.Tensor],
    drawn: np.ndarray,
    t: int,
    tick: Callable[[], None],
) -> NeighborGraph:
    n = len(drawn)
    count = int(CELLS_A_ROOT * n**0.5)
    centers = _kmeans(read(drawn[: TRAINED_A_CELL * count]), count, tick)
    cell_of = torch.empty(n, dtype=torch.int64, device=centers.device)
    for part in chunks(n, COLUMNS_A_TILE):
        cell_of[part] = _nearest(read(np.arange(n)[part]), centers, tick)
    # The vectors of a cell are kept side by side.
    order = cell_of.argsort(stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(n, device=order.device)
    vectors = read(order.cpu().numpy())
    sizes = torch.bincount(cell_of, minlength=count)
    starts = np.r_[0, sizes.cumsum(0).cpu().numpy()]
    nearest_cells = squared_distances(centers, centers).argsort(1)
    within = sizes[nearest_cells].cumsum(1)
    rank = torch.empty_like(nearest_cells)
    rank.scatter_(1, nearest_cells, torch.arange(count, device=rank.device).expand_as(rank))

    tried = np.sort(place.cpu().numpy()[drawn[:TRIED]])
    true, _ = _compare(vectors, tried, t, tick)
    cells = cell_of[order]
    needed = rank[cells[torch.from_numpy(tried).to(cells.device), None], cells[true.long()]]
    recalls = torch.bincount(needed.flatten(), minlength=count).cumsum(0) / needed.numel()
    shares = (sizes[:, None] * within).sum(0) / n**2
    visited = int(torch.minimum((recalls < RECALL).sum() + 1, (shares <= LARGEST_SHARE).sum()).clamp(1))

    neighbors = torch.empty((n, t), dtype=torch.int32, device=centers.device)
    squared = torch.empty((n, t), dtype=vectors.dtype, device=centers.device)
    lengths = squared_lengths(vectors)
    order32 = order.to(torch.int32)
    for cell in sizes.nonzero().flatten().tolist():
        mine = slice(int(starts[cell]), int(starts[cell + 1]))
        # A list needs as many vectors to choose from as it is long.
        enough = max(visited, int((within[cell] < t).sum()) + 1)
        others = torch.cat(
            [
                torch.arange(int(starts[one]), int(starts[one + 1]))
                for one in nearest_cells[cell, :enough].sort().values.tolist()
            ]
        ).to(order.device)
        for chunk in chunks(mine.stop - mine.start, ROWS_A_TILE):
            own = torch.arange(mine.start, mine.stop, device=order.device)[chunk]
            near, apart = _nearest_of(vectors, lengths, own, others, t, tick)
            neighbors[order[own]] = order32[near]
            squared[order[own]] = apart
    # Even where the trial found every neighbor, the search may miss some of other vectors.
    return NeighborGraph(neighbors, squared, min(float(recalls[visited - 1]), 0.9999))


def _compare(
    vectors: torch.Tensor, queried: np.ndarray, t: int, tick: Callable[[], None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(q, t) the numbers and squared distances of the nearest vectors, the vector itself first."""
    everyone = torch.arange(len(vectors), device=vectors.device)
    lengths = squared_lengths(vectors)
    neighbors = torch.empty((len(queried), t), dtype=torch.int32, device=vectors.device)
    squared = torch.empty((len(queried), t), dtype=vectors.dtype, device=vectors.device)
    for part in chunks(len(queried), ROWS_A_TILE):
        own = torch.from_numpy(queried[part]).to(vectors.device)
        near, apart = _nearest_of(vectors, lengths, own, everyone, t, tick)
        neighbors[part], squared[part] = near.to(torch.int32), apart
    return neighbors, squared


def _nearest_of(
    vectors: torch.Tensor,
    lengths: torch.Tensor,
    own: torch.Tensor,
    others: torch.Tensor,
    t: int,
    tick: Callable[[], None],
) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest of some others.

    Args:
        vectors: (n, d).
        lengths: (n,) their squared lengths.
        own: (q,) numbers of vectors.
        others: (m,) ascending numbers of vectors, those of ``own`` among them; m at least ``t``.
        t: how many.
        tick: called after each tile.

    Returns:
        (q, t) numbers, each row beginning with its own, and their squared distances.
    """
    x = vectors[own]
    found: list[torch.Tensor] = []
    far: list[torch.Tensor] = []
    for tile in chunks(len(others), COLUMNS_A_TILE):
        here = others[tile]
        y = vectors[int(here[0]) : int(here[-1]) + 1] if _together(here) else vectors[here]
        if vectors.dtype == torch.float64:
            apart = squared_distances(x, y)
        else:
            apart = torch.addmm(lengths[here], x, y.T, alpha=-2)
        inside = ((own >= here[0]) & (own <= here[-1])).nonzero().flatten()
        # The vector itself comes first.
        apart[inside, torch.searchsorted(here, own[inside])] = -torch.inf
        places, values = smallest(apart, t)
        found.append(here[places])
        far.append(values)
        tick()
    apart, numbers = torch.cat(far, 1), torch.cat(found, 1)
    if len(found) > 1:
        places, apart = smallest(apart, t)
        numbers = numbers.gather(1, places)
    first = apart.argmin(1, keepdim=True)
    numbers.scatter_(1, first, numbers[:, :1].clone())
    apart.scatter_(1, first, apart[:, :1].clone())
    numbers[:, 0] = own
    if vectors.dtype != torch.float64:
        apart += lengths[own, None]
    apart[:, 0] = 0
    return numbers, apart.clamp_(min=0)


def smallest(values: torch.Tensor, t: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(q, t) the places of the smallest values of each row, in any order, and the values."""
    q, m = values.shape
    if m <= t:
        return torch.arange(m, device=values.device).expand(q, m), values
    if values.is_cuda:
        near = values.topk(t, dim=1, largest=False, sorted=False)
        return near.indices, near.values
    # numpy's selection takes a third of the time of torch's on a CPU, and lets other threads run.
    array = values.numpy()
    places = np.empty((q, t), dtype=np.int64)

    def select(part: slice) -> None:
        places[part] = np.argpartition(array[part], t - 1, axis=1)[:, :t]

    threads = torch.get_num_threads()
    parts = [slice(k * q // threads, (k + 1) * q // threads) for k in range(threads)]
    if threads == 1:
        select(slice(None))
    else:
        with ThreadPoolExecutor(threads) as workers:
            list(workers.map(select, parts))
    found = torch.from_numpy(places)
    return found, values.gather(1, found)


def _together(numbers: torch.Tensor) -> bool:
    return int(numbers[-1] - numbers[0]) == len(numbers) - 1


def _kmeans(vectors: torch.Tensor, count: int, tick: Callable[[], None]) -> torch.Tensor:
    """(count, d) centers after a few steps from the first vectors; cells need no better ones."""
    centers = vectors[:count].clone()
    for _ in range(STEPS):
        cells = _nearest(vectors, centers, tick)
        sums = torch.zeros_like(centers).index_add_(0, cells, vectors)
        sizes = torch.bincount(cells, minlength=count)[:, None]
        centers = torch.where(sizes > 0, sums / sizes.clamp(min=1), centers)
    return centers


def _nearest(vectors: torch.Tensor, centers: torch.Tensor, tick: Callable[[], None]) -> torch.Tensor:
    """(n,) the nearest center of each vector."""
    lengths = squared_lengths(centers)
    found = []
    for part in chunks(len(vectors), ROWS_A_TILE):
        found.append(torch.addmm(lengths, vectors[part], centers.T, alpha=-2).argmin(1))
        tick()
    return torch.cat(found)


# Raised where the same vectors would give another graph.
GRAPH_VERSION = 1


def _pack(graph: NeighborGraph) -> dict[str, np.ndarray]:
    return {
        "neighbors": graph.neighbors.cpu().numpy(),
        "squared": graph.squared.cpu().numpy(),
        "recall": np.array([graph.recall]),
    }


def _unpack(arrays: Mapping[str, np.ndarray]) -> NeighborGraph:
    neighbors, squared = (torch.from_numpy(np.array(arrays[name])) for name in ("neighbors", "squared"))
    return NeighborGraph(neighbors, squared, float(arrays["recall"][0]))


def _size(graph: NeighborGraph) -> int:
    # With the listing, which is as large as the neighbors.
    return 2 * graph.neighbors.nbytes + graph.squared.nbytes


GRAPH_FORM = Form(_pack, _unpack, _size)


def on_device(graph: NeighborGraph, device: torch.device) -> NeighborGraph:
    """The graph with its tensors on a device; the graph itself where they are there already."""
    if graph.neighbors.device.type == device.type:
        return graph
    return NeighborGraph(graph.neighbors.to(device), graph.squared.to(device), graph.recall)
