"""Squared Euclidean distances in tiles: float64 pair by pair, float32 by matrix products."""

import torch

from ..data.device import TILE_COLUMNS, TILE_ROWS
from ..data.settings import chunks
from .vectors import AnyVectors

# Squared distances below this many epsilons of the squared length are taken as 0.
ROUNDINGS = 16
# How many of the nearest centers by float32 are compared again in float64.
RIVALS = 4


def squared_lengths(vectors: AnyVectors) -> torch.Tensor:
    """(n,) squared length of each vector."""
    if not isinstance(vectors, torch.Tensor):
        return torch.cat([squared_lengths(vectors[part]) for part in chunks(len(vectors), 1 << 16)])
    return torch.linalg.vector_norm(vectors, dim=1).square_()  # a fifth of einsum's time


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
    vectors: AnyVectors,
    lengths: torch.Tensor,
    centers: torch.Tensor,
    center_lengths: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Lower ``out`` (n,) to the squared distance of each vector to its nearest center.

    float64 vectors are compared pair by pair. float32 vectors are compared by a matrix product,
    ``|x|^2 - 2 x.c + |c|^2``. Its error is a few epsilons of ``|x|^2``; smaller distances count as 0.
    """
    exact = vectors.dtype == torch.float64
    floor = ROUNDINGS * torch.finfo(vectors.dtype).eps
    for rows in chunks(len(vectors), TILE_ROWS):
        x = vectors[rows]
        nearest = torch.full_like(lengths[rows], torch.inf)
        for columns in chunks(len(centers), TILE_COLUMNS):
            if exact:
                d = squared_distances(x, centers[columns]).amin(1)
            else:
                d = torch.addmm(center_lengths[columns], x, centers[columns].T, alpha=-2).amin(1)
            torch.minimum(nearest, d, out=nearest)
        if not exact:
            nearest += lengths[rows]
            nearest = torch.where(nearest < floor * lengths[rows], 0, nearest)
        torch.minimum(out[rows], nearest, out=out[rows])


def nearest_exactly(
    vectors: torch.Tensor, centers: torch.Tensor, center_lengths: torch.Tensor
) -> torch.Tensor:
    """(n,) float64 squared distances of a few vectors to their nearest center.

    float32 products find the few centers that may be the nearest; float64 differences decide.
    """
    few = torch.addmm(center_lengths, vectors, centers.T, alpha=-2)
    rivals = few.topk(min(RIVALS, len(centers)), dim=1, largest=False).indices
    apart = vectors.to(torch.float64)[:, None] - centers[rivals].to(torch.float64)
    return apart.square_().sum(-1).amin(1)
