"""Determinantal: the volume that the labeled and chosen samples span (greedy MAP of a DPP)."""

from typing import Any

import numpy as np
import torch

from ..data.settings import chunk_size
from ..geometry.kernels import Kernel
from .objective import Objective

# A smaller residual is a rounding error: the sample lies in the span of the chosen ones.
NOTHING = 1e-10
CENTERS_A_STEP = 256
NUMBERS_A_CHUNK = 1 << 24


class DeterminantalBlock:
    """A block of B candidates that holds their kernel matrix (B, B), given the chosen samples."""

    def __init__(self, kernel: np.ndarray) -> None:
        self._kernel = kernel
        self.values = _residuals(kernel.diagonal())

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        if self._kernel[position, position] < NOTHING:
            return
        self._kernel = _given(self._kernel, position)
        self.values = _residuals(self._kernel.diagonal())


class Determinantal(Objective):
    """The factor by which a candidate multiplies the determinant of the kernel matrix, in [0, 1].

    The matrix is that of the labeled and chosen samples; higher = less similar to any combination of
    them. The logarithm of the factor is the gain of the log determinant.

    Choosing the highest value each time is greedy MAP inference of a determinantal point process given
    the labeled samples (Chen et al., Fast Greedy MAP Inference for DPP, 2018). Multiplied by a score q
    with strength 2 it is that of the process with kernel ``q_i S_ij q_j``. A value is
    ``1 - |L^-1 k|^2``, where L is the Cholesky factor of the chosen samples; it is computed only for
    candidates that may win. It is 0 once a candidate lies in the span of the chosen samples; with the
    cosine kernel this holds for every candidate after d picks.

    Args:
        vectors: (n, d) candidates of length 1.
        centers: (L, d) labeled samples of length 1.
        kernel: the similarity of two vectors; 1 for a vector and itself.
    """

    update_cost = 2

    @property
    def rounding_error(self) -> float:
        """The largest relative error of ``values``; 0 where they are exact."""
        return 1e-7

    def __init__(self, vectors: torch.Tensor, centers: torch.Tensor, kernel: Kernel) -> None:
        self._vectors = vectors
        self._kernel = kernel
        self._spanning = vectors.new_empty((0, vectors.shape[1]), dtype=torch.float64)
        self._factor = self._spanning.new_empty((0, 0))
        self._log = 0.0
        self.scale = 1.0
        for start in range(0, len(centers), CENTERS_A_STEP):
            self._span(centers[start : start + CENTERS_A_STEP])

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        vectors = self._vectors if rows is None else self._vectors[rows]
        out = torch.empty(len(vectors), dtype=torch.float64, device=vectors.device)
        step = max(1, chunk_size(NUMBERS_A_CHUNK) // (len(self._spanning) + vectors.shape[1]))
        for start in range(0, len(vectors), step):
            chunk = slice(start, start + step)
            explained = self._explained(vectors[chunk].to(torch.float64))
            left = 1 - explained.square_().sum(0)
            out[chunk] = torch.where(left < NOTHING, 0.0, left)
        return out

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> DeterminantalBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        return DeterminantalBlock(self._given_chosen(self._vectors[rows]).cpu().numpy())

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        self._span(self._vectors[rows])

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        return {"log_determinant": self._log, "width": self._kernel.width}

    def _explained(self, vectors: torch.Tensor) -> torch.Tensor:
        """(chosen, R): the components of each vector along an orthonormal basis of the chosen."""
        similar = _similar(self._kernel, self._spanning, vectors)
        return torch.linalg.solve_triangular(self._factor, similar, upper=False)

    def _given_chosen(self, vectors: torch.Tensor) -> torch.Tensor:
        """(R, R) the kernel matrix of ``vectors``, minus the part in the span of the chosen."""
        vectors = vectors.to(torch.float64)
        explained = self._explained(vectors)
        return _similar(self._kernel, vectors, vectors) - explained.T @ explained

    def _span(self, vectors: torch.Tensor) -> None:
        """Extend the factor by the vectors, except those in the span of earlier ones."""
        vectors = vectors.to(torch.float64)
        left = self._given_chosen(vectors).cpu().numpy()
        kept: list[int] = []
        for position in range(len(vectors)):
            if left[position, position] >= NOTHING:
                left = _given(left, position)
                kept.append(position)
        new = vectors[kept]
        below = self._explained(new)
        corner = torch.linalg.cholesky(_similar(self._kernel, new, new) - below.T @ below)
        size, more = len(self._factor), len(new)
        factor = self._factor.new_zeros((size + more, size + more))
        factor[:size, :size], factor[size:, :size], factor[size:, size:] = self._factor, below.T, corner
        self._factor = factor
        self._spanning = torch.cat([self._spanning, new])
        self._log += float(2 * corner.diagonal().log().sum())


def _similar(kernel: Kernel, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The kernel matrix in float64 by one matrix product; its diagonal is 1 up to rounding."""
    cosine = (a @ b.T).clamp_(-1, 1)
    if kernel.kind == "cosine":
        return cosine
    return cosine.sub_(1).mul_(2 / kernel.width**2).exp_()


def _given(kernel: np.ndarray, position: int) -> np.ndarray:
    """(B, B) the kernel matrix minus the part in the span of the vector at ``position``."""
    column = kernel[:, position] / np.sqrt(kernel[position, position])
    return kernel - np.outer(column, column)


def _residuals(values: np.ndarray) -> np.ndarray:
    return np.where(values < NOTHING, 0.0, values)
