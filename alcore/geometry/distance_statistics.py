"""Distances of samples: to given ones, to the nearest other, and groups of near-duplicates."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..data.device import resolve_device
from ..data.errors import InvalidInput
from ..data.settings import chunk_size
from .distances import nearest_squared, squared_distances, squared_lengths
from .duplicates import near_duplicates
from .vectors import Vectors, center_of

DRAWN = 1_000
ROWS_A_CHUNK = 1 << 12
# The least ratio of two consecutive distances that counts as a gap.
GAP = 2.0
# Later gaps than this share of the samples are ignored, because outliers cause them.
BEFORE_OUTLIERS = 0.9


def distances_to(
    X: np.ndarray,
    rows: np.ndarray,
    centers: np.ndarray,
    metric: str = "euclidean",
    device: str | torch.device = "auto",
) -> np.ndarray:
    """(len(rows),) float64 distance of each row to its nearest center; infinite without centers.

    Args:
        X: (N, d) vectors.
        rows: ascending rows of X.
        centers: ascending rows of X.
        metric: "euclidean", or "cosine": 1 - cosine, from 0 to 2.
        device: as in ``select``.

    Raises:
        InvalidInput: an unknown metric.
    """
    prepare = _prepared(X, metric, device)
    mine, others = prepare(rows), prepare(centers)
    squared = torch.full((len(mine),), torch.inf, dtype=mine.dtype, device=mine.device)
    nearest_squared(mine, squared_lengths(mine), others, squared_lengths(others), squared)
    return _distances(squared, metric)


def distances_to_others(
    X: np.ndarray,
    metric: str = "euclidean",
    device: str | torch.device = "auto",
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(r,) float64, ascending: the distances of up to 1,000 random samples to the nearest other one."""
    prepare = _prepared(X, metric, device)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(X))[:DRAWN])
    mine = prepare(drawn)
    nearest = torch.full((len(drawn),), torch.inf, dtype=torch.float64, device=mine.device)
    for start in range(0, len(X), chunk_size(ROWS_A_CHUNK)):
        others = np.arange(start, min(len(X), start + chunk_size(ROWS_A_CHUNK)))
        squared = squared_distances(mine, prepare(others))
        own = np.flatnonzero((drawn >= start) & (drawn <= others[-1]))
        squared[own, drawn[own] - start] = torch.inf
        torch.minimum(nearest, squared.amin(1), out=nearest)
        tick()
    distances = np.sort(_distances(nearest, metric))
    return distances[np.isfinite(distances)]


def suggested_distance(distances: np.ndarray) -> float | None:
    """The distance below which samples are likely copies of each other; None where all are equal.

    Copies are much nearer to each other than other samples are, which leaves a gap in the sorted
    distances to the nearest other sample. The result is the geometric middle of the gap with the
    largest ratio, if that ratio is at least 2. Otherwise it is half of the 1% quantile.

    Args:
        distances: the result of ``distances_to_others``.
    """
    apart = np.sort(distances)
    if len(apart) == 0 or apart[-1] <= 0:
        return None
    # A distance below a thousandth of the median one is that of a copy.
    least = 1e-3 * float(np.median(apart[apart > 0]))
    usual = np.maximum(apart[: max(2, int(BEFORE_OUTLIERS * len(apart)) + 1)], least)
    ratios = usual[1:] / usual[:-1]
    if len(ratios) and ratios.max() >= GAP:
        place = int(ratios.argmax())
        return float(np.sqrt(usual[place] * usual[place + 1]))
    return float(np.quantile(usual, 0.01)) / 2


def duplicate_groups(
    X: np.ndarray,
    distance: float,
    metric: str = "euclidean",
    device: str | torch.device = "auto",
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(N,) int64 group of each sample: 0 where it is alone, else 1 and so on, the largest first.

    The first sample of each group is nearer than ``distance`` to all others of the group (see
    ``near_duplicates``); the others may be up to twice as far from each other.

    Raises:
        InvalidInput: a distance that is not above 0.
    """
    if not 0 < distance < np.inf:
        raise InvalidInput(f"distance: {distance} is not a number above 0")
    vectors = _prepared(X, metric, device)(np.arange(len(X)))
    euclidean = (2 * distance) ** 0.5 if metric == "cosine" else distance
    stands = near_duplicates(vectors, euclidean, tick=tick)
    sizes = np.bincount(stands, minlength=len(X))
    leaders = np.flatnonzero(sizes > 1)
    number = np.zeros(len(X), dtype=np.int64)
    number[leaders[np.argsort(-sizes[leaders], kind="stable")]] = np.arange(1, len(leaders) + 1)
    return number[stands]


def _prepared(X: np.ndarray, metric: str, device: str | torch.device) -> Vectors:
    if metric not in ("euclidean", "cosine"):
        raise InvalidInput(f"metric: there is no {metric!r}; choose 'euclidean' or 'cosine'")
    center = None if metric == "cosine" else center_of(X, np.arange(len(X)))
    return Vectors(X, center, resolve_device(device))


def _distances(squared: torch.Tensor, metric: str) -> Any:
    """Distances from squared ones; for vectors of length 1, half the square is 1 - cosine."""
    values = squared.to(torch.float64).cpu().numpy()
    return values / 2 if metric == "cosine" else np.sqrt(values)
