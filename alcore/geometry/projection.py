"""Embeddings in two dimensions, for plots: by PCA, or by UMAP or PaCMAP where installed."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from ..data.errors import InvalidInput

# The package of each method; PCA comes with scikit-learn.
PACKAGES = {"pca": "sklearn", "umap": "umap", "pacmap": "pacmap"}
# Fewer samples than this have too few neighbors for UMAP and PaCMAP.
FEW = 10


def methods() -> list[str]:
    """The methods whose packages are installed, PCA first."""
    return [name for name, package in PACKAGES.items() if find_spec(package) is not None]


def plane(X: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """(N, d) vectors as (N, 2) float64 points; with d = 1 the second coordinate is 0.

    Raises:
        InvalidInput: a method that is unknown or not installed.
    """
    if method not in PACKAGES:
        raise InvalidInput(f"plane: there is no {method!r}; choose one of {', '.join(PACKAGES)}")
    if method not in methods():
        raise InvalidInput(f"plane: {method!r} needs the package {PACKAGES[method]}, which is missing")
    directions = min(2, X.shape[1])
    points = np.zeros((len(X), 2))
    if len(X) == 0 or not np.ptp(X, axis=0).any():
        return points  # all vectors are equal
    if directions < 2 or len(X) < FEW:
        method = "pca"
    # Centered in float64, because float32 loses the differences of vectors that are far from 0.
    points[:, :directions] = _fitted(X - X.mean(0, dtype=np.float64), method, seed, directions)
    return points


def _fitted(X: np.ndarray, method: str, seed: int, directions: int) -> Any:
    if method == "umap":
        from umap import UMAP

        return UMAP(n_neighbors=min(15, len(X) - 1), random_state=seed).fit_transform(X)
    if method == "pacmap":
        from pacmap import PaCMAP

        return PaCMAP(n_neighbors=min(10, len(X) - 1), random_state=seed).fit_transform(X)
    return PCA(directions, random_state=seed).fit_transform(X)
