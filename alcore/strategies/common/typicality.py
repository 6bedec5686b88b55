"""Typicality in the whole pool, cached because several strategies and stages may use it."""

from __future__ import annotations

import numpy as np

from ...geometry.neighbors import nearest_neighbors
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
        near = nearest_neighbors(task.vectors(column, metric)(here), neighbors, task.tick)
        values = np.full(task.pool.n, np.nan)
        values[here] = of_distances(near.distances)
        task.cache[key] = values, near.how
    found: tuple[np.ndarray, str] = task.cache[key]
    return found
