"""Gradient embeddings, each stored as the two factors of an outer product."""

import numpy as np
import torch

from ..data.settings import chunks
from .distances import squared_lengths

ROWS_A_CHUNK = 1 << 10
# Squared distances below this many epsilons of the squared length are taken as 0.
ROUNDINGS = 64


class GradientEmbeddings:
    """The loss gradients with respect to the last layer's weights, at the predicted class.

    The gradient of sample i is the outer product of ``a_i = p_i - onehot(argmax p_i)`` and its
    features ``h_i``. Its C d numbers are never stored, because the squared distance of two gradients is
    ``|a|^2 |h|^2 + |a'|^2 |h'|^2 - 2 (a.a')(h.h')``.

    Source: Ash et al., Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds
    (BADGE, 2020), section 3; no gradient of a bias, as there.

    Args:
        probabilities: (n, C).
        features: (n, d), what the last layer takes.
    """

    def __init__(self, probabilities: torch.Tensor, features: torch.Tensor) -> None:
        self.errors = probabilities.clone()
        best = probabilities.argmax(1, keepdim=True)
        self.errors.scatter_add_(1, best, torch.full_like(best, -1, dtype=probabilities.dtype))
        self.features = features
        lengths = squared_lengths(self.errors).to(torch.float64)
        self.squared_lengths = lengths * squared_lengths(features)

    def __len__(self) -> int:
        return len(self.features)

    def few(self, most: int) -> "FewGradients":
        """An empty set of up to ``most`` of the embeddings, to compare single rows with."""
        return FewGradients(self, most)

    def lower(self, nearest: torch.Tensor, others: torch.Tensor) -> None:
        """Lower ``nearest`` (n,) to each row's squared distance to the nearest of ``others``.

        It uses matrix products in the features' precision; distances within rounding of 0 become 0.
        """
        errors, features = self.errors[others].T, self.features[others].T
        theirs = self.squared_lengths[others].to(self.features.dtype)
        smallest = ROUNDINGS * torch.finfo(self.features.dtype).eps
        for chunk in chunks(len(self), ROWS_A_CHUNK):
            inner = self.errors[chunk] @ errors
            inner *= self.features[chunk] @ features
            own = self.squared_lengths[chunk]
            squared = torch.sub(theirs, inner, alpha=2).amin(1).to(torch.float64) + own
            squared = torch.where(squared < smallest * own, 0.0, squared)
            torch.minimum(nearest[chunk], squared, out=nearest[chunk])


class FewGradients:
    """A growing set of some of the embeddings, in float64.

    Args:
        source: the embeddings.
        most: the most that will be added.
    """

    def __init__(self, source: GradientEmbeddings, most: int) -> None:
        self.most = most
        self._source = source
        self._errors = np.empty((most, source.errors.shape[1]))
        self._features = np.empty((most, source.features.shape[1]))
        self._lengths = np.empty(most)
        self._count = 0
        # A row is added just after it was compared.
        self._last_row, self._last = -1, (np.empty(0), np.empty(0))

    def __len__(self) -> int:
        return self._count

    def add(self, row: int) -> None:
        """Add the embedding at ``row``."""
        error, feature = self._factors(row)
        self._errors[self._count], self._features[self._count] = error, feature
        self._lengths[self._count] = (error @ error) * (feature @ feature)
        self._count += 1

    def nearest(self, row: int) -> float:
        """Squared distance of a row to the nearest of them, 0 within rounding; infinite while empty."""
        if self._count == 0:
            return np.inf
        known = slice(self._count)
        error, feature = self._factors(row)
        lengths = self._lengths[known] + (error @ error) * (feature @ feature)
        squared = lengths - 2 * (self._errors[known] @ error) * (self._features[known] @ feature)
        near = squared < ROUNDINGS * np.finfo(np.float64).eps * lengths
        return 0.0 if near.any() else float(squared.min())

    def _factors(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        if row != self._last_row:
            error, feature = self._source.errors[row], self._source.features[row]
            self._last_row, self._last = row, (_numbers(error), _numbers(feature))
        return self._last


def _numbers(vector: torch.Tensor) -> np.ndarray:
    return vector.cpu().numpy().astype(np.float64)
