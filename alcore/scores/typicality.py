"""Typicality: how dense the region around a sample is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..data.device import to_array
from ..data.errors import InvalidInput
from ..data.parts import WHOLE, Parts, median_of
from ..data.precision import full_float32
from ..data.settings import settings
from ..geometry.neighbors import nearest_neighbors

NEIGHBORS = 20
# Copies have neighbors at distance 0. A mean distance is at least this share of the median one.
LEAST = 1e-5


def typicality(
    X: Any, neighbors: int = NEIGHBORS, tick: Callable[[], None] = lambda: None
) -> np.ndarray:
    """1 / (mean distance to the nearest neighbors); higher = in a denser region.

    A sample is not its own neighbor, but copies of it are. A mean distance below 1e-5 of the median one
    is raised to that, so that no value is infinite. Neighbors are exact up to 2^37 multiplications, and
    approximate beyond (see ``geometry/neighbor_graph.py``).

    Source: Hacohen et al., Active Learning on a Budget (TypiClust, 2022), equation 1.

    Args:
        X: (N, d) vectors, numpy or torch.
        neighbors: how many neighbors; all other samples where there are fewer.
        tick: called from time to time; an exception that it raises stops the work.

    Returns:
        (N,) float64, above 0; all 1 where there is nothing to compare.

    Raises:
        InvalidInput: not (N, d), or values that are not finite.
    """
    X = to_array(X)
    if X.ndim != 2 or X.dtype == object:
        raise InvalidInput(f"typicality: needs one vector a sample, (N, d), not shape {X.shape}")
    if not np.isfinite(X).all():
        raise InvalidInput("typicality: there are vectors with NaN or infinite values")
    if neighbors < 1:
        raise InvalidInput(f"typicality: neighbors: {neighbors} is not a count of at least 1")
    dtype = np.float64 if X.size <= settings.float64_up_to else np.float32
    centered = (X - X.mean(0, dtype=np.float64)).astype(dtype) if len(X) else X.astype(dtype)
    with full_float32():
        found = nearest_neighbors(torch.from_numpy(centered), neighbors, tick)
    return of_distances(found.distances)


def of_distances(distances: np.ndarray, parts: Parts = WHOLE) -> np.ndarray:
    """(n,) float64 typicality, above 0, from (n, k) distances to the nearest neighbors.

    Args:
        distances: of the samples of this part of a pool.
        parts: the parts of the pool.
    """
    if distances.shape[1] == 0:
        return np.ones(len(distances))
    mean = distances.mean(1)
    usual = median_of(mean, parts) or max(parts.gathered(mean.max(initial=0)))
    return 1 / np.maximum(mean, LEAST * usual) if usual > 0 else np.ones(len(mean))
