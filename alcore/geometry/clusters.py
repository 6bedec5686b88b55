"""Clusters of vectors, by scikit-learn's k-means."""

import warnings

import numpy as np
import torch

# Up to this many clusters every step uses all vectors, as in TypiClust.
FULL_UP_TO, BATCH = 50, 5000


def cluster(vectors: torch.Tensor, count: int, seed: int) -> np.ndarray:
    """(n,) int64 cluster of each vector, from 0; some are empty where there are fewer distinct vectors.

    k-means up to 50 clusters; k-means on mini-batches of 5,000 for more.
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
        # The warning is about empty clusters, which duplicates cause; the user need not act.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(method.fit_predict(x), dtype=np.int64)
