"""How well vectors separate classes: the accuracy of nearest neighbors."""

from typing import Any

import faiss
import numpy as np

from ..data.device import to_array
from ..data.errors import InvalidInput

NEIGHBORS = 5


def neighbor_accuracy(vectors: np.ndarray, labels: Any, neighbors: int = NEIGHBORS) -> float:
    """The share of samples whose label is that of most of their nearest neighbors, in [0, 1].

    Each sample is classified by the others (leave one out), by cosine similarity. A tie of votes goes
    to the class whose neighbors are closer.

    Args:
        vectors: (N, d).
        labels: (N,) of anything that can be distinguished.
        neighbors: how many neighbors vote; fewer where there are no more.

    Raises:
        InvalidInput: fewer than 2 samples, or unequal lengths.
    """
    x = np.ascontiguousarray(to_array(vectors), dtype=np.float32)
    if len(x) != len(labels) or len(x) < 2:
        raise InvalidInput(
            f"neighbor_accuracy: needs a label for each of at least 2 vectors, not {len(labels)} for "
            f"{len(x)}"
        )
    codes = np.unique(to_array(labels), return_inverse=True)[1]
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    k = min(neighbors, len(x) - 1)
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    similarity, found = index.search(x, k + 1)
    rows = np.arange(len(x))
    # A duplicate may come before the sample itself, so the sample is removed wherever it is; where it
    # was not found, the last one is removed.
    itself = found == rows[:, None]
    itself[~itself.any(1), -1] = True
    others = found[~itself].reshape(len(x), k)
    closeness = similarity[~itself].reshape(len(x), k)
    votes = np.zeros((len(x), codes.max() + 1))
    for place in range(k):
        # A vote counts 1 plus a small term that breaks ties.
        votes[rows, codes[others[:, place]]] += 1 + 1e-3 * closeness[:, place] / (k + 1)
    return float((votes.argmax(1) == codes).mean())
