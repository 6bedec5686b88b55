"""Reduction of vectors: PCA, and one vector per image from those of its objects."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.decomposition import PCA

from ..data.errors import InvalidInput

Pooling = Literal["mean", "max"]


@dataclass(frozen=True)
class Basis:
    """A fitted PCA.

    Attributes:
        mean: (d,) float32.
        components: (c, d) float32, the direction of most variance first.
        explained: the share of the variance that is kept.
    """

    mean: np.ndarray
    components: np.ndarray
    explained: float

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """(N, d) -> (N, c) float32."""
        return np.asarray((vectors - self.mean) @ self.components.T, dtype=np.float32)


def fit_pca(vectors: np.ndarray, components: int, seed: int = 0) -> Basis:
    """Fit scikit-learn's PCA to (N, d) vectors.

    Raises:
        InvalidInput: there are fewer vectors or dimensions than components.
    """
    n, d = vectors.shape
    if not 1 <= components <= min(n, d):
        raise InvalidInput(
            f"components: {n} vectors of {d} dimensions cannot be brought to {components}; choose 1 to "
            f"{min(n, d)}"
        )
    fitted = PCA(components, random_state=seed).fit(vectors)
    return Basis(
        fitted.mean_.astype(np.float32),
        fitted.components_.astype(np.float32),
        float(fitted.explained_variance_ratio_.sum()),
    )


def pool_objects(vectors: np.ndarray, offsets: np.ndarray, how: Pooling) -> np.ndarray:
    """(N, d) float32: the mean or the maximum of each dimension over an image's objects.

    Rows of images without objects are NaN.

    Args:
        vectors: (M, d) the objects' vectors, image after image.
        offsets: (N + 1,) the objects of image i are ``offsets[i]:offsets[i + 1]``.
        how: "mean" or "max".

    Raises:
        InvalidInput: ``how`` is neither of the two.
    """
    if how not in ("mean", "max"):
        raise InvalidInput(f"pool: there is no {how!r}; choose 'mean' or 'max'")
    counts = np.diff(offsets)
    here = counts > 0
    pooled = np.full((len(counts), vectors.shape[1]), np.nan, dtype=np.float32)
    if not here.any():
        return pooled
    starts = offsets[:-1][here]
    if how == "max":
        pooled[here] = np.maximum.reduceat(vectors, starts, axis=0)
    else:
        sums = np.add.reduceat(vectors, starts, axis=0, dtype=np.float64)
        pooled[here] = sums / counts[here, None]
    return pooled
