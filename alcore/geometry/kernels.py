"""Similarities of vectors."""

import torch

from .distances import squared_distances, squared_lengths

# A float32 kernel value below exp(-80) does not change any sum, and such numbers are slow to compute.
LOWEST_EXPONENT = -80.0


class Kernel:
    """The similarity of two vectors, in [0, 1]; higher = more similar.

    "gaussian": ``exp(-d^2 / width^2)``; "cosine": the cosine of unit vectors, at least 0; "ball": 1
    where the vectors are nearer than ``width``, else 0.

    Args:
        kind: "gaussian", "cosine" or "ball".
        width: the bandwidth or radius, in the unit of the vectors.
        unit: whether all vectors are of length 1.
    """

    def __init__(self, kind: str, width: float = 1.0, *, unit: bool = True) -> None:
        self.kind = kind
        self.width = width
        self.unit = unit

    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """(len(a), len(b)) similarities, in the vectors' precision; float64 is pair by pair."""
        exact = a.dtype == torch.float64
        if self.kind == "cosine":
            return (1 - squared_distances(a, b) / 2).clamp_(min=0) if exact else (a @ b.T).clamp_(0, 1)
        squared = squared_distances(a, b) if exact else self._squared(a, b)
        if self.kind == "ball":
            return (squared < self.width**2).to(a.dtype)
        exponent = squared.mul_(-1 / self.width**2)
        return (exponent if exact else exponent.clamp_(LOWEST_EXPONENT, 0)).exp_()

    def most(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """(len(a),) the similarity of each to the most similar of ``b``, which are not none."""
        if a.dtype == torch.float64:
            return self(a, b).amax(1)
        if self.kind == "cosine":
            return (a @ b.T).amax(1).clamp_(0, 1)
        if self.unit:
            return self.of_squared((a @ b.T).amax(1).sub_(1).mul_(-2))
        nearest = torch.addmm(squared_lengths(b), a, b.T, alpha=-2).amin(1)
        return self.of_squared(nearest.add_(squared_lengths(a)))

    def of_squared(self, squared: torch.Tensor) -> torch.Tensor:
        """Similarities from squared distances, of any shape; those of "cosine" are of unit vectors."""
        if self.kind == "cosine":
            return (1 - squared / 2).clamp_(0, 1)
        if self.kind == "ball":
            return (squared < self.width**2).to(squared.dtype)
        return (squared * (-1 / self.width**2)).clamp_(LOWEST_EXPONENT, 0).exp_()

    def _squared(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if self.unit:
            return (a @ b.T).sub_(1).mul_(-2)
        return torch.addmm(squared_lengths(b), a, b.T, alpha=-2).add_(squared_lengths(a)[:, None])
