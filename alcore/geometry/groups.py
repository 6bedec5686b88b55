"""Groups of rows close together, by which points too far to matter are skipped (triangle inequality).

Source: Elkan, Using the Triangle Inequality to Accelerate k-Means (2003), lemma 1, with any point in
the place of a center.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..data.settings import chunk_size, chunks
from .distances import ROUNDINGS, squared_lengths
from .vectors import AnyVectors

# The middles of groups, and whether they help, are estimated with about so many rows.
SAMPLE = 4096
# How many rows, of one group or several, are compared with the same points.
ROWS_A_PART = 256
ROUNDED = 1e-9  # more than the relative error of float64 distances
ROWS_A_CHUNK = 1 << 13


@dataclass(frozen=True)
class Groups:
    """Rows, each in the group whose middle is nearest.

    Attributes:
        middles: (G, d) float64, a point within each group.
        group: (n,) int64, the group of each row.
        own: (n,) the distance of each row to the middle of its group, or a little more.
    """

    middles: torch.Tensor
    group: torch.Tensor
    own: torch.Tensor

    def near(
        self, rows: torch.Tensor, nearest: torch.Tensor, points: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Divide ``rows`` into parts, each with the points that may be nearer to one of its rows.

        A row x of a group with the middle m is no nearer to a point p than ``|p - m| - |x - m|``
        (triangle inequality). So p is skipped where that is above the distance of every x in the part.

        Args:
            rows: (R,) int64.
            nearest: (R,) the distance of each that a point must be below.
            points: (P, d).

        Yields:
            (r,) int64 positions among ``rows``, and (p,) int64 positions among ``points``.
        """
        size = chunk_size(ROWS_A_PART)
        order = self.group[rows].argsort()
        group = self.group[rows][order].numpy()
        reach = (self.own[rows] + nearest)[order].numpy()
        position = np.arange(len(group))
        # Where a group or a part begins.
        starts = np.flatnonzero((np.diff(group, prepend=-1) != 0) | (position % size == 0))
        apart = torch.cdist(points.to(torch.float64), self.middles).T.numpy()  # (G, P)
        may = apart[group[starts]] * (1 - ROUNDED) <= np.maximum.reduceat(reach, starts)[:, None]
        may = np.logical_or.reduceat(may, np.searchsorted(starts, position[::size]))  # (parts, P)
        for part, which in zip(order.split(size), may, strict=True):
            found = np.flatnonzero(which)
            if len(found):
                yield part, torch.from_numpy(found)


def groups_around(vectors: AnyVectors, seeds: torch.Tensor, most: float) -> Groups | None:
    """Divide rows into groups around seeds; None where that would not help to skip comparisons.

    Args:
        vectors: (n, d) float32.
        seeds: (S, d), points that lie far apart among them.
        most: the share of comparisons of rows and seeds, estimated with some of the rows, above which
            there are no groups.
    """
    few = vectors[:: max(1, len(vectors) // SAMPLE)]
    squared, nearest = _nearest(few, seeds)
    middles = _apart(_means(few, nearest, len(seeds)), float(squared.median().sqrt()))
    own, group = _nearest(few, middles)
    reach = few.new_zeros(len(middles))
    reach.scatter_reduce_(0, group, own.sqrt_() + squared.sqrt_(), "amax")
    compared = (torch.cdist(seeds, middles) < reach).to(few.dtype).mean(0)
    if float(compared[group].mean()) > most:
        return None
    squared, group = _nearest(vectors, middles)
    return Groups(middles.to(torch.float64), group, squared.sqrt_())


def _nearest(vectors: AnyVectors, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(n,) squared distance to the nearest of the points, not too low, and (n,) int64 which it is."""
    squared = points.new_empty(len(vectors))
    nearest = torch.empty(len(vectors), dtype=torch.int64, device=vectors.device)
    lengths = squared_lengths(points)
    for rows in chunks(len(vectors), ROWS_A_CHUNK):
        x = vectors[rows]
        d = torch.addmm(lengths, x, points.T, alpha=-2)
        nearest[rows] = torch.from_numpy(d.numpy().argmin(1))  # a tenth of the time of torch's
        own = squared_lengths(x) * (1 + ROUNDINGS * torch.finfo(x.dtype).eps)
        squared[rows] = d.gather(1, nearest[rows, None])[:, 0].add_(own).clamp_(min=0)
    return squared, nearest


def _means(vectors: torch.Tensor, group: torch.Tensor, count: int) -> torch.Tensor:
    """(at most ``count``, d) the mean of each group that has rows."""
    sums = vectors.new_zeros(count, vectors.shape[1]).index_add_(0, group, vectors)
    sizes = torch.bincount(group, minlength=count)
    return sums[sizes > 0] / sizes[sizes > 0, None]


def _apart(points: torch.Tensor, distance: float) -> torch.Tensor:
    """The points without those within a distance of an earlier one that is kept."""
    near = (torch.cdist(points, points) < distance).numpy()
    kept: list[int] = []
    for point in range(len(points)):
        if not near[point, kept].any():
            kept.append(point)
    return points[kept]
