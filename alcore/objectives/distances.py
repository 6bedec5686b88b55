"""Squared Euclidean distances in tiles: of few numbers pair by pair, of many by matrix products."""

import torch

from ..device import TILE_COLUMNS, TILE_ROWS

# Squared distances below this many roundings of the squared length are those of equal vectors.
ROUNDINGS = 16


def squared_lengths(vectors: torch.Tensor) -> torch.Tensor:
    """(n,) squared length of each vector."""
    return torch.einsum("nd,nd->n", vectors, vectors)


def squared_distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(len(a), len(b)) squared distances in float64; float64 vectors are compared pair by pair."""
    if a.dtype == torch.float64:
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square_()
    a, b = a.to(torch.float64), b.to(torch.float64)
    return (
        torch.addmm(squared_lengths(b), a, b.T, alpha=-2)
        .add_(squared_lengths(a)[:, None])
        .clamp_(min=0)
    )


def nearest_squared(
    vectors: torch.Tensor, lengths: torch.Tensor, centres: torch.Tensor, out: torch.Tensor
) -> None:
    """Lower ``out`` (n,) to the squared distance of each vector to its nearest centre.

    float64 vectors are compared pair by pair. float32 vectors through ``|x|^2 - 2 x.c + |c|^2``, a
    matrix product: the error is a few roundings of ``|x|^2``, and what is smaller counts as 0.
    """
    exact = vectors.dtype == torch.float64
    centre_lengths = squared_lengths(centres)
    floor = ROUNDINGS * torch.finfo(vectors.dtype).eps
    for start in range(0, len(vectors), TILE_ROWS):
        rows = slice(start, start + TILE_ROWS)
        x = vectors[rows]
        best = out[rows]
        for first in range(0, len(centres), TILE_COLUMNS):
            columns = slice(first, first + TILE_COLUMNS)
            if exact:
                d = squared_distances(x, centres[columns]).amin(1)
            else:
                d = torch.addmm(centre_lengths[columns], x, centres[columns].T, alpha=-2).amin(1)
                d += lengths[rows]
                d[d < floor * lengths[rows]] = 0
            torch.minimum(best, d, out=best)
