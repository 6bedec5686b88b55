"""Clusters of vectors, by scikit-learn's k-means."""

import warnings

import numpy as np
import torch

# Up to so many clusters all vectors are used in every step, as TypiClust has it.
FULL_UP_TO, BATCH = 50, 5000


def cluster(vectors: torch.Tensor, count: int, seed: int) -> np.ndarray:
    """(n,) int64 cluster of each vector; fewer than ``count`` where there are fewer different ones.

    k-means up to 50 clusters; beyond, mini-batches of 5,000.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    x = vectors.cpu().numpy()
    count = min(count, len(x))
    if count <= 1:
        return np.zeros(len(x), dtype=np.int64)
    method = (
        KMeans(count, n_init=1, random_state=seed)
        if count <= FULL_UP_TO
        else MiniBatchKMeans(count, batch_size=BATCH, n_init=1, random_state=seed)
    )
    with warnings.catch_warnings():
        # Copies make clusters that stay empty: no fault of the user's.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(method.fit_predict(x), dtype=np.int64)
