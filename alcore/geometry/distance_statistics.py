"""Distances of samples: to given ones, to the nearest other, and groups of near-duplicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..data.device import run_on
from ..data.errors import InvalidInput
from ..data.settings import chunks
from .copies import first_copies
from .distances import nearest_squared, squared_distances, squared_lengths
from .duplicates import near_duplicates
from .vectors import Vectors, center_of

DRAWN = 1_000
ROWS_A_CHUNK = 1 << 12
# The least ratio of two consecutive distances that counts as a gap.
GAP = 2.0
# Later gaps than this share of the samples may be caused by outliers.
BEFORE_OUTLIERS = 0.9
# The least ratio of a gap that stands out from others, and of one with nearly all samples below it.
WIDE_GAP = 10.0
# Nearly all samples are copies only if their groups are smaller than this, and than this part of all.
LARGEST_GROUP, GROUPS = 16, 4
# The error of two vectors that are the same but for rounding, in epsilons of their length.
COPY_ROUNDINGS = 4


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

    def compare(where: torch.device) -> np.ndarray:
        prepare = _prepared(X, metric, where)
        mine, others = prepare(rows), prepare(centers)
        squared = torch.full((len(mine),), torch.inf, dtype=mine.dtype, device=mine.device)
        nearest_squared(mine, squared_lengths(mine), others, squared_lengths(others), squared)
        return _distances(squared, metric)

    return run_on(device, compare)


def distances_to_others(
    X: np.ndarray,
    metric: str = "euclidean",
    device: str | torch.device = "auto",
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(r,) float64, ascending: the distances of up to 1,000 random samples to the nearest other one."""
    return neighborhood(X, metric, device, seed, tick).distances


def neighborhood(
    X: np.ndarray,
    metric: str = "euclidean",
    device: str | torch.device = "auto",
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> Neighborhood:
    """How near the nearest others of up to 1,000 random samples are.

    Args:
        X: (N, d) vectors.
        metric: "euclidean", or "cosine": 1 - cosine, from 0 to 2.
        device: as in ``select``.
        seed: of the draw.
        tick: called from time to time; an exception that it raises stops the work.

    Raises:
        InvalidInput: an unknown metric.
    """
    return run_on(device, lambda where: _neighborhood(X, metric, where, seed, tick))


def _neighborhood(
    X: np.ndarray, metric: str, where: torch.device, seed: int, tick: Callable[[], None]
) -> Neighborhood:
    prepare = _prepared(X, metric, where)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(X))[:DRAWN])
    first = first_copies(X)
    distinct, copies = np.unique(first, return_counts=True)
    own = np.searchsorted(distinct, first[drawn])
    mine = prepare(drawn)
    count = min(LARGEST_GROUP, max(1, len(distinct) // GROUPS))
    nearest = torch.full((len(drawn), count), torch.inf, dtype=torch.float64, device=mine.device)
    for chunk in chunks(len(distinct), ROWS_A_CHUNK):
        squared = squared_distances(mine, prepare(distinct[chunk]))
        here = np.flatnonzero((own >= chunk.start) & (own < chunk.stop))
        squared[here, own[here] - chunk.start] = torch.inf
        both = torch.cat([nearest, squared], 1)
        nearest = both.topk(count, dim=1, largest=False, sorted=True).values
        tick()
    return Neighborhood(copies[own] > 1, _distances(nearest, metric), _rounding(mine, metric), len(X))


def suggested_distance(distances: np.ndarray, neighbors: np.ndarray | None = None) -> float | None:
    """The distance below which samples are likely copies of each other; None where all are equal.

    Copies are much nearer to each other than other samples are, which leaves a gap in the sorted
    distances to the nearest other sample. The result is the geometric middle of the gap with the
    largest ratio, if that ratio is at least 2. Otherwise it is half of the 1% quantile. Exact copies
    leave a gap too, which counts where none of the others has a ratio of at least 10.

    A gap behind which less than a tenth of the samples lie may be that of outliers, or that of the few
    samples without a copy. See ``_gap_behind_most`` for how these are told apart.

    Args:
        distances: (r,) of each sample to the nearest other, as from ``distances_to_others``; 0 for an
            exact copy.
        neighbors: (r, K) ascending, of each sample to its nearest K others that are no exact copies,
            infinite where there are fewer. None: only the distances are known, so that gaps behind
            which less than a tenth of the samples lie are ignored.
    """
    apart = np.sort(distances)
    others = apart[apart > 0] if neighbors is None else np.sort(neighbors[:, 0])
    others = others[np.isfinite(others)]
    if len(others) == 0:
        return None
    if neighbors is not None:
        distance = _gap_behind_most(others, neighbors)
        if distance is not None:
            return distance
    distance, ratio = _widest_gap(others)
    if ratio < WIDE_GAP and apart[0] <= 0:
        distance, ratio = _widest_gap(apart if apart[-1] > 0 else np.r_[0.0, others])
    return distance


def duplicate_groups(
    X: np.ndarray,
    distance: float | None,
    metric: str = "euclidean",
    device: str | torch.device = "auto",
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(N,) int64 group of each sample: 0 where it is alone, else 1 and so on, the largest first.

    The first sample of each group is nearer than ``distance`` to all others of the group (see
    ``near_duplicates``); the others may be up to twice as far from each other. Exact copies are in one
    group, however small the distance is.

    Args:
        X: (N, d) vectors.
        distance: above 0, in the metric; None for exact copies alone, which for "cosine" are the same
            directions up to rounding.
        metric: "euclidean", or "cosine": 1 - cosine, from 0 to 2.
        device: as in ``select``.
        tick: called from time to time; an exception that it raises stops the work.

    Raises:
        InvalidInput: a distance that is not above 0, or an unknown metric.
    """
    if distance is not None and not 0 < distance < np.inf:
        raise InvalidInput(f"distance: {distance} is not a number above 0")
    return run_on(device, lambda where: _duplicate_groups(X, distance, metric, where, tick))


def _duplicate_groups(
    X: np.ndarray,
    distance: float | None,
    metric: str,
    where: torch.device,
    tick: Callable[[], None],
) -> np.ndarray:
    prepare = _prepared(X, metric, where)
    first = first_copies(X)
    distinct = np.unique(first)
    vectors = prepare(distinct)
    if distance is None:
        distance = _rounding(vectors, metric)
    stands = first
    if distance > 0:
        euclidean = (2 * distance) ** 0.5 if metric == "cosine" else distance
        near = near_duplicates(vectors, euclidean, tick=tick)
        stands = distinct[near][np.searchsorted(distinct, first)]
    sizes = np.bincount(stands, minlength=len(X))
    leaders = np.flatnonzero(sizes > 1)
    number = np.zeros(len(X), dtype=np.int64)
    number[leaders[np.argsort(-sizes[leaders], kind="stable")]] = np.arange(1, len(leaders) + 1)
    return number[stands]


def _prepared(X: np.ndarray, metric: str, where: torch.device) -> Vectors:
    if metric not in ("euclidean", "cosine"):
        raise InvalidInput(f"metric: there is no {metric!r}; choose 'euclidean' or 'cosine'")
    center = None if metric == "cosine" else center_of(X, np.arange(len(X)))
    return Vectors(X, center, where)


def _distances(squared: torch.Tensor, metric: str) -> Any:
    """Distances from squared ones; for vectors of length 1, half the square is 1 - cosine."""
    values = squared.to(torch.float64).cpu().numpy()
    return values / 2 if metric == "cosine" else np.sqrt(values)


def _widest_gap(apart: np.ndarray) -> tuple[float, float]:
    """The suggested distance by the widest gap among the lower nine tenths, and the ratio of the gap.

    Where that ratio is below 2, the distance is half of the 1% quantile.

    Args:
        apart: (r,) ascending distances, r above 0, the last above 0.
    """
    # A distance below a thousandth of the median one is that of a copy.
    least = 1e-3 * float(np.median(apart[apart > 0]))
    usual = np.maximum(apart[: max(2, int(BEFORE_OUTLIERS * len(apart)) + 1)], least)
    ratios = usual[1:] / usual[:-1]
    if len(ratios) and ratios.max() >= GAP:
        place = int(ratios.argmax())
        return float(np.sqrt(usual[place] * usual[place + 1])), float(ratios[place])
    return float(np.quantile(usual, 0.01)) / 2, 1.0


def _gap_behind_most(nearest: np.ndarray, neighbors: np.ndarray) -> float | None:
    """The geometric middle of the gap behind the copies, where nearly all samples have one.

    If every sample has a copy, no distance to the nearest other lies behind the gap, but distances to
    farther neighbors do. So the gap is looked for among all of them. Samples below it have copies if
    the gap is wide, with a ratio of at least 10, and if their groups are small: of nearly all of them,
    the K-th neighbor lies behind the gap. Otherwise they are the usual samples, and those behind are
    outliers or other clusters. Of several such gaps, the last one counts.

    Args:
        nearest: (m,) ascending, above 0, to the nearest neighbor.
        neighbors: (r, K) ascending for each sample.
    """
    below = nearest[int(BEFORE_OUTLIERS * len(nearest))]
    every = np.unique(neighbors[np.isfinite(neighbors)])
    every = every[every >= below]
    for place in np.flatnonzero(every[1:] >= WIDE_GAP * every[:-1])[::-1].tolist():
        copied = neighbors[:, 0] <= every[place]
        if (neighbors[copied, -1] > every[place]).mean() >= BEFORE_OUTLIERS:
            return float(np.sqrt(every[place] * every[place + 1]))
    return None


def _rounding(vectors: torch.Tensor, metric: str) -> float:
    """The distance up to which vectors are the same but for the rounding of float32 numbers.

    It is 0 where all vectors are at their center.
    """
    lengths = squared_lengths(vectors).sqrt()
    lengths = lengths[lengths > 0]
    if len(lengths) == 0:
        return 0.0
    euclidean = COPY_ROUNDINGS * torch.finfo(torch.float32).eps * float(lengths.median())
    return euclidean**2 / 2 if metric == "cosine" else euclidean


@dataclass(frozen=True)
class Neighborhood:
    """How near the nearest others of some drawn samples are.

    Attributes:
        copied: (r,) bool, whether the sample has an exact copy.
        neighbors: (r, K) float64, ascending: the distances to its nearest others that are no exact
            copies, infinite where there are fewer.
        rounding: the distance up to which vectors are the same but for rounding.
        count: how many samples there are, of which r are drawn.
    """

    copied: np.ndarray
    neighbors: np.ndarray
    rounding: float
    count: int

    @property
    def distances(self) -> np.ndarray:
        """(r,) float64, ascending: the distances to the nearest other, 0 for exact copies."""
        distances = np.sort(np.where(self.copied, 0.0, self.neighbors[:, 0]))
        return distances[np.isfinite(distances)]

    @property
    def suggested(self) -> float | None:
        """The suggested distance (see ``suggested_distance``), or None; ``why_none`` says why."""
        nearest = self.neighbors
        if not (nearest[np.isfinite(nearest)] > self.rounding).any():
            return None
        # What is the same but for rounding is an exact copy, too.
        distances = np.where(self.copied | (nearest[:, 0] <= self.rounding), 0.0, nearest[:, 0])
        found = suggested_distance(distances, np.maximum(nearest, self.rounding))
        return None if found is None else max(found, self.rounding)

    def why_none(self, column: str) -> str:
        """A sentence without an end: why no distance can be suggested."""
        why = f"all nearest others by {column!r} are exact copies"
        if self.count < 2:
            why = f"{'only one' if self.count else 'no'} sample has a value in {column!r}"
        return f"no distance can be suggested, because {why}"
