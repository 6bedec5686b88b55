"""Gradient embeddings, kept as the two factors of which each is the outer product."""

import torch

ROWS_A_CHUNK = 1 << 12
# Squared distances below this many roundings of the longer vector's length are those of equal ones.
ROUNDINGS = 64


class GradientEmbeddings:
    """The loss gradients with respect to the last layer's weights, at the predicted class.

    The gradient of sample i is the outer product of ``a_i = p_i - onehot(argmax p_i)`` and its
    features ``h_i``, C d numbers that are never written out: the squared distance of two is
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
        wide = torch.float64
        self.squared_lengths = torch.empty(len(features), dtype=wide, device=features.device)
        for start in range(0, len(features), ROWS_A_CHUNK):
            chunk = slice(start, start + ROWS_A_CHUNK)
            self.squared_lengths[chunk] = self.errors[chunk].to(wide).square().sum(1) * (
                self.features[chunk].to(wide).square().sum(1)
            )

    def __len__(self) -> int:
        return len(self.features)

    def squared_distances(self, rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """(R, O) float64 squared distances; below the rounding of their lengths they are 0."""
        wide = torch.float64
        inner = self.errors[rows].to(wide) @ self.errors[others].to(wide).T
        inner *= self.features[rows].to(wide) @ self.features[others].to(wide).T
        lengths = self.squared_lengths[rows][:, None] + self.squared_lengths[others]
        squared = lengths - 2 * inner
        return torch.where(squared < ROUNDINGS * torch.finfo(wide).eps * lengths, 0.0, squared)

    def lower(self, nearest: torch.Tensor, others: torch.Tensor) -> None:
        """Lower ``nearest`` (n,) to each row's squared distance to the nearest of ``others``.

        By matrix products in the features' own precision; what is within its rounding is 0.
        """
        errors, features = self.errors[others].T, self.features[others].T
        theirs = self.squared_lengths[others].to(self.features.dtype)
        smallest = ROUNDINGS * torch.finfo(self.features.dtype).eps
        for start in range(0, len(self), ROWS_A_CHUNK):
            chunk = slice(start, start + ROWS_A_CHUNK)
            inner = self.errors[chunk] @ errors
            inner *= self.features[chunk] @ features
            own = self.squared_lengths[chunk]
            squared = torch.sub(theirs, inner, alpha=2).amin(1).to(torch.float64) + own
            squared = torch.where(squared < smallest * own, 0.0, squared)
            torch.minimum(nearest[chunk], squared, out=nearest[chunk])
