"""Typicality in the whole pool, cached because several strategies and stages may use it."""

from __future__ import annotations

import numpy as np

from ...geometry.graph_part import distances_in, tiles_of
from ...geometry.neighbor_graph import is_exact, list_length
from ...geometry.neighbors import RIVALS, nearest_in, nearest_neighbors
from ...scores.typicality import of_distances
from .task import Task


def typicality_of(column: str, metric: str, neighbors: int, task: Task) -> tuple[np.ndarray, str]:
    """Typicality of each sample in the whole pool, and how its neighbors were found.

    Args:
        column: a column of vectors.
        metric: "euclidean" or "cosine".
        neighbors: how many neighbors count.
        task: the pool, the device and the cache.

    Returns:
        (N,) float64 above 0, higher = more typical, NaN where missing; and the method of search.

    Raises:
        InvalidInput: the column does not hold usable vectors.
    """
    key = (typicality_of, column, metric, neighbors)
    if key not in task.cache:
        here = np.flatnonzero(~task.pool.missing[column])
        prepare = task.vectors(column, metric)
        vectors = prepare(here)
        if task.parts.several:
            graph = task.graph_part(column, metric, neighbors + 1 + RIVALS)
            tiles = tiles_of(task.parts, column, prepare) if len(here) else iter(())
            values = np.full(task.pool.n, np.nan)
            distances = distances_in(vectors, tiles, graph)[:, :neighbors]
            values[here] = of_distances(distances, task.parts)
            task.cache[key] = values, "exact"
            return values, "exact"
        if is_exact(*vectors.shape) or neighbors + RIVALS >= list_length(len(here)):
            near = nearest_neighbors(vectors, neighbors, task.tick)
        else:  # the graph serves coverage, too
            near = nearest_in(task.graph(column, metric), vectors, neighbors)
        values = np.full(task.pool.n, np.nan)
        values[here] = of_distances(near.distances)
        task.cache[key] = values, near.how
    found: tuple[np.ndarray, str] = task.cache[key]
    return found
