"""Embeddings in the plane, to look at: by PCA, or by UMAP or PaCMAP where they are installed."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from ..data.errors import InvalidInput

# The package of each method; PCA comes with scikit-learn.
PACKAGES = {"pca": "sklearn", "umap": "umap", "pacmap": "pacmap"}
# Of fewer there are no neighbors to speak of.
FEW = 10


def methods() -> list[str]:
    """The methods whose packages are installed, PCA first."""
    return [name for name, package in PACKAGES.items() if find_spec(package) is not None]


def plane(X: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """(N, d) vectors as (N, 2) float64 points; where there is but one direction the second is 0.

    Raises:
        InvalidInput: a method that there is not, or that is not installed.
    """
    if method not in PACKAGES:
        raise InvalidInput(f"plane: there is no {method!r}; choose one of {', '.join(PACKAGES)}")
    if method not in methods():
        raise InvalidInput(f"plane: {method!r} needs the package {PACKAGES[method]}, which is missing")
    directions = min(2, X.shape[1])
    points = np.zeros((len(X), 2))
    if len(X) == 0 or not np.ptp(X, axis=0).any():
        return points  # nothing to tell apart
    if directions < 2 or len(X) < FEW:
        method = "pca"
    # Centered in float64: of vectors far from 0 float32 would keep but their roundings.
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
