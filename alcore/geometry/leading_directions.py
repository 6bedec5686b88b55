"""Nearest points found by a few leading directions, where these hold nearly all of the vectors.

x, p: vectors; h: their coordinates along m orthonormal directions; r: the length of what these leave of
a vector. As ``x.p <= h_x.h_p + r_x r_p`` (Cauchy-Schwarz), ``|x|^2 + |p|^2 - 2 (h_x.h_p + r_x r_p)`` is
a lower bound of the squared distance, at the cost of m + 2 dimensions.
"""

from __future__ import annotations

import torch

from ..data.settings import chunks
from .distances import ROUNDINGS, squared_lengths
from .vectors import AnyVectors

SAMPLE = 4096
ROWS_A_CHUNK = 2048
# The directions are used where so small a share of the squared lengths is left, with at most this share
# of the dimensions.
LEFT, MOST = 0.01, 0.3
# They are looked for in up to so many dimensions, squared, a row.
DIMENSIONS_A_ROW = 4


class LeadingDirections:
    """Rows along their leading directions.

    Args:
        basis: (d, m) float32, orthonormal columns.
        vectors: (n, d) float32 rows.
    """

    def __init__(self, basis: torch.Tensor, vectors: torch.Tensor) -> None:
        self._basis = basis
        self._rows = vectors.new_empty(len(vectors), basis.shape[1] + 2)
        for rows in chunks(len(vectors), ROWS_A_CHUNK):
            along, left = self._along(vectors[rows], squared_lengths(vectors[rows]))
            self._rows[rows] = torch.cat([along, left, torch.ones_like(left)], dim=1)

    def lower(
        self,
        vectors: AnyVectors,
        lengths: torch.Tensor,
        rows: torch.Tensor,
        points: torch.Tensor,
        point_lengths: torch.Tensor,
        nearest: torch.Tensor,
    ) -> torch.Tensor:
        """Lower ``nearest`` to the squared distance of a near point; find which rows need all points.

        Args:
            vectors: (n, d) all vectors.
            lengths: (R,) squared lengths of ``rows``.
            rows: (R,) int64.
            points: (P, d).
            point_lengths: (P,) their squared lengths.
            nearest: (R,) squared distances so far, lowered in place to that of one near point.

        Returns:
            (R,) bool, false where no other of the points is nearer still.
        """
        floor = ROUNDINGS * torch.finfo(vectors.dtype).eps
        along, left = self._along(points, point_lengths)
        turned = torch.cat([-2 * along, -2 * left, point_lengths[:, None]], dim=1).T
        unsure = torch.empty(len(rows), dtype=torch.bool)
        for chunk in chunks(len(rows), ROWS_A_CHUNK):
            bounds = self._rows.index_select(0, rows[chunk]) @ turned  # (R, P), less |x|^2
            first = torch.from_numpy(bounds.numpy().argmin(1))  # a tenth of the time of torch's
            bounds.scatter_(1, first[:, None], torch.inf)
            x, own = vectors.index_select(0, rows[chunk]), lengths[chunk]
            squared = (x * points[first]).sum(1).mul_(-2).add_(point_lengths[first]).add_(own)
            squared = torch.where(squared < floor * own, 0, squared)
            torch.minimum(nearest[chunk], squared, out=nearest[chunk])
            unsure[chunk] = bounds.amin(1) + own * (1 - floor) < nearest[chunk]
        return unsure

    def _along(self, vectors: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, m) coordinates, and (n, 1) the length that they leave, with room for rounding."""
        along = vectors @ self._basis
        rounding = ROUNDINGS * torch.finfo(vectors.dtype).eps * lengths
        left = (lengths - squared_lengths(along)).clamp_(min=0).add_(rounding).sqrt_()
        return along, left[:, None]


def leading_directions(vectors: torch.Tensor) -> LeadingDirections | None:
    """The leading directions of some of the rows; None where few do not hold nearly all.

    None too where finding them would take long beside comparing the rows with a few points.
    """
    if vectors.shape[1] ** 2 > DIMENSIONS_A_ROW * len(vectors):
        return None
    few = vectors[:: max(1, len(vectors) // SAMPLE)].to(torch.float64)
    shares, basis = torch.linalg.eigh(few.T @ few)  # ascending
    left = shares.clamp_(min=0).cumsum(0) <= LEFT * shares.sum()
    count = max(1, len(shares) - int(left.sum()))
    if count > MOST * len(shares):
        return None
    return LeadingDirections(basis[:, -count:].to(vectors.dtype).contiguous(), vectors)
