"""The lists of a neighbor graph for some of its vectors, which are compared with all, a tile at a time.

The lists are those of ``neighbor_graph`` where that compares all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..data.parts import Parts
from ..data.settings import chunks
from .distances import squared_distances, squared_lengths
from .neighbor_graph import COLUMNS_A_TILE, ROWS_A_TILE, smallest
from .vectors import Vectors

# The nearest of so many tiles are kept before the nearest of all of them are found.
TILES_KEPT = 16


@dataclass(frozen=True)
class GraphPart:
    """Lists of neighbors of some consecutive vectors; each begins with the vector itself.

    Attributes:
        neighbors: (r, t) int64 numbers of vectors, from 0 to n - 1.
        squared: (r, t) their squared distances.
        first: the number of the first of the r vectors.
        n: how many vectors there are in all parts.
    """

    neighbors: torch.Tensor
    squared: torch.Tensor
    first: int
    n: int

    @property
    def complete(self) -> bool:
        """Whether every list holds all vectors."""
        return self.neighbors.shape[1] == self.n


def tiles_of(parts: Parts, column: str, prepare: Vectors) -> Iterator[torch.Tensor]:
    """The prepared vectors of all parts of a pool, a tile at a time, each read from its source."""
    rest = prepare.of(np.zeros((0, prepare.width)))
    for number in range(parts.count):
        pool = parts.read(number)
        here = np.flatnonzero(~pool.missing[column])
        for piece in chunks(len(here), COLUMNS_A_TILE):
            rest = torch.cat([rest, prepare.of(pool.columns[column][here[piece]])])
            while len(rest) >= COLUMNS_A_TILE:
                yield rest[:COLUMNS_A_TILE]
                rest = rest[COLUMNS_A_TILE:]
    if len(rest):
        yield rest


def part_of_graph(
    own: torch.Tensor, tiles: Iterator[torch.Tensor], first: int, n: int, t: int
) -> GraphPart:
    """The lists of some vectors.

    Args:
        own: (r, d) the vectors.
        tiles: all vectors, these among them, a tile at a time.
        first: the number of the first of the r vectors.
        n: how many vectors there are in all parts.
        t: how many entries a list has, at most n.
    """
    steps = list(chunks(len(own), ROWS_A_TILE))
    found: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in steps]
    start = 0
    for tile in tiles:
        lengths = squared_lengths(tile)
        for kept, step in zip(found, steps, strict=True):
            x = own[step]
            if own.dtype == torch.float64:
                apart = squared_distances(x, tile)
            else:
                apart = torch.addmm(lengths, x, tile.T, alpha=-2)
            numbers = torch.arange(first + step.start, first + step.start + len(x))
            inside = ((numbers >= start) & (numbers < start + len(tile))).nonzero().flatten()
            # The vector itself comes first.
            apart[inside, numbers[inside] - start] = -torch.inf
            places, values = smallest(apart, t)
            kept.append((places + start, values))
            if len(kept) == TILES_KEPT:
                kept[:] = [_nearest(kept, t)]
        start += len(tile)
    neighbors = torch.empty((len(own), t), dtype=torch.int64)
    squared = torch.empty((len(own), t), dtype=own.dtype)
    lengths = squared_lengths(own)
    for kept, step in zip(found, steps, strict=True):
        numbers, apart = _nearest(kept, t)
        place = apart.argmin(1, keepdim=True)
        numbers.scatter_(1, place, numbers[:, :1].clone())
        apart.scatter_(1, place, apart[:, :1].clone())
        numbers[:, 0] = torch.arange(first + step.start, first + step.start + len(numbers))
        if own.dtype != torch.float64:
            apart += lengths[step, None]
        apart[:, 0] = 0
        neighbors[step], squared[step] = numbers, apart.clamp_(min=0)
    return GraphPart(neighbors, squared, first, n)


def distances_in(own: torch.Tensor, tiles: Iterator[torch.Tensor], graph: GraphPart) -> np.ndarray:
    """(r, t - 1) float64, ascending: the distances to the others of each list, from differences."""
    others = graph.neighbors[:, 1:]
    out = torch.empty(others.shape, dtype=torch.float64)
    start = 0
    for tile in tiles:
        for step in chunks(len(own), ROWS_A_TILE):
            rows, places = ((others[step] >= start) & (others[step] < start + len(tile))).nonzero().T
            rows = rows + step.start
            apart = tile[others[rows, places] - start] - own[rows]
            out[rows, places] = torch.linalg.vector_norm(apart, dim=1).to(torch.float64)
        start += len(tile)
    return out.sort(dim=1).values.numpy()


def _nearest(
    found: list[tuple[torch.Tensor, torch.Tensor]], t: int
) -> tuple[torch.Tensor, torch.Tensor]:
    numbers, apart = (torch.cat(values, 1) for values in zip(*found, strict=True))
    if len(found) == 1:
        return numbers.clone(), apart.clone()
    places, apart = smallest(apart, t)
    return numbers.gather(1, places), apart
