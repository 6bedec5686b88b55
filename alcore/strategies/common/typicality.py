"""Typicality in the whole pool, kept for all strategies and stages that take it."""

from __future__ import annotations

import numpy as np

from ...geometry.neighbors import nearest_neighbors
from ...scores.typicality import of_distances
from .task import Task


def typicality_of(column: str, metric: str, neighbors: int, task: Task) -> tuple[np.ndarray, str]:
    """(N,) float64 typicality in the whole pool, NaN where missing; how neighbors were found."""
    key = (typicality_of, column, metric, neighbors)
    if key not in task.cache:
        here = np.flatnonzero(~task.pool.missing[column])
        near = nearest_neighbors(task.vectors(column, metric)(here), neighbors, task.tick)
        values = np.full(task.pool.n, np.nan)
        values[here] = of_distances(near.distances)
        task.cache[key] = values, near.how
    found: tuple[np.ndarray, str] = task.cache[key]
    return found
