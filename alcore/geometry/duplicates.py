"""Near-duplicates: groups of samples nearer to each other than a distance."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..data.settings import chunk_size
from .distances import squared_distances, squared_lengths

ROWS_A_CHUNK = 1 << 10
COLUMNS_A_TILE = 1 << 14
# The error of float32 products, in epsilons of the squared lengths.
ROUNDINGS = 64

Tile = tuple[torch.Tensor, torch.Tensor]


def near_duplicates(
    vectors: torch.Tensor,
    distance: float,
    first: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(n,) int64, the representative of each vector: its own row, or that of a near vector.

    The vectors are taken in order. A vector that is nearer than ``distance`` to an earlier
    representative is represented by the nearest one; otherwise it becomes a representative. So
    representatives are at least ``distance`` apart, and every other vector is near its own. Each vector
    is compared with all representatives, of which a copy is kept; distances near the limit are computed
    in float64.

    Args:
        vectors: (n, d); centered or of length 1 where they are float32.
        distance: above 0, Euclidean.
        first: (n,) bool, vectors that all are representatives and come before the others.
        tick: called after each chunk; an exception that it raises stops the work.
    """
    n = len(vectors)
    first = np.zeros(n, dtype=bool) if first is None else first
    stands = np.arange(n)
    order = np.concatenate([np.flatnonzero(first), np.flatnonzero(~first)])
    kept = _Tiles(vectors)
    known: list[int] = []

    def keep(rows: np.ndarray) -> None:
        kept.add(vectors[torch.from_numpy(rows).to(vectors.device)])
        known.extend(rows.tolist())

    keep(order[: int(first.sum())])
    for start in range(int(first.sum()), n, chunk_size(ROWS_A_CHUNK)):
        rows = order[start : start + chunk_size(ROWS_A_CHUNK)]
        mine = vectors[torch.from_numpy(rows).to(vectors.device)]
        found = _nearest(mine, kept.tiles(), distance)
        near, apart = (one.cpu().numpy() for one in found)
        among = squared_distances(mine, mine).cpu().numpy()
        stays: list[int] = []
        for position in range(len(rows)):
            best, leader = apart[position], known[near[position]] if near[position] >= 0 else -1
            if stays:
                closest = int(among[position, stays].argmin())
                if among[position, stays[closest]] < best:
                    best, leader = among[position, stays[closest]], rows[stays[closest]]
            if best < distance**2:
                stands[rows[position]] = leader
            else:
                stays.append(position)
        keep(rows[stays])
        tick()
    return stands


def any_near(
    take: Callable[[slice], torch.Tensor],
    n: int,
    others: torch.Tensor,
    distance: float,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(n,) bool, whether each vector is nearer than ``distance`` to one of the others.

    Args:
        take: returns a slice of the n vectors, prepared like the others.
        n: how many vectors there are.
        others: (m, d); centered or of length 1 where they are float32.
        distance: above 0, Euclidean.
        tick: called after each chunk; an exception that it raises stops the work.
    """
    parts = others.split(chunk_size(COLUMNS_A_TILE)) if len(others) else ()
    tiles = [(tile, squared_lengths(tile)) for tile in parts]
    found = np.zeros(n, dtype=bool)
    for start in range(0, n, chunk_size(ROWS_A_CHUNK)):
        part = slice(start, min(n, start + chunk_size(ROWS_A_CHUNK)))
        found[part] = (_nearest(take(part), tiles, distance)[1] < distance**2).cpu().numpy()
        tick()
    return found


class _Tiles:
    """A growing copy of some vectors, in tiles, so that it takes memory only as it grows.

    Args:
        like: (n, d), from which the vectors come.
    """

    def __init__(self, like: torch.Tensor) -> None:
        self._like = like
        self._tiles: list[Tile] = []
        self._room = 0  # rows of the last tile that are not filled yet

    def add(self, vectors: torch.Tensor) -> None:
        """Copy (r, d) vectors after the others."""
        while len(vectors):
            if self._room == 0:
                self._room = chunk_size(COLUMNS_A_TILE)
                tile = self._like.new_empty((self._room, self._like.shape[1]))
                self._tiles.append((tile, self._like.new_empty(self._room)))
            tile, lengths = self._tiles[-1]
            some, vectors = vectors[: self._room], vectors[self._room :]
            filled = slice(len(tile) - self._room, len(tile) - self._room + len(some))
            tile[filled], lengths[filled] = some, squared_lengths(some)
            self._room -= len(some)

    def tiles(self) -> list[Tile]:
        """The vectors, (t, d) a tile, and their squared lengths, (t,)."""
        if not self._tiles:
            return []
        *full, (tile, lengths) = self._tiles
        filled = len(tile) - self._room
        return [*full, (tile[:filled], lengths[:filled])]


def _nearest(
    mine: torch.Tensor, kept: Sequence[Tile], distance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Position and float64 squared distance of each vector's nearest kept one; -1 and infinity
    where none is near."""
    at = torch.full((len(mine),), -1, dtype=torch.int64, device=mine.device)
    apart = torch.full((len(mine),), torch.inf, dtype=torch.float64, device=mine.device)
    own = squared_lengths(mine)
    slack = 0.0 if mine.dtype == torch.float64 else ROUNDINGS * torch.finfo(mine.dtype).eps
    after = 0
    for tile, lengths in kept:
        first, after = after, after + len(tile)
        if mine.dtype == torch.float64:
            squared = squared_distances(mine, tile)
        else:
            squared = torch.addmm(lengths, mine, tile.T, alpha=-2).add_(own[:, None])
        least = squared.amin(1)
        near = (least < distance**2 + slack * (own + lengths.max())).nonzero().flatten()
        if len(near) == 0:
            continue
        # float32 may confuse which is the nearest, so the few nearest are compared again in float64.
        rivals = squared[near].topk(min(4, squared.shape[1]), dim=1, largest=False).indices
        exact = tile[rivals].to(torch.float64) - mine[near, None].to(torch.float64)
        best, which = exact.square_().sum(-1).min(1)
        better = best < apart[near]
        apart[near[better]] = best[better]
        at[near[better]] = first + rivals[better].gather(1, which[better, None]).flatten()
    return at, apart
