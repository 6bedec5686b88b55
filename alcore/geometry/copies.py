"""Exact copies: rows of the same values, found without comparing all pairs."""

from hashlib import blake2b

import numpy as np

from ..data.settings import chunks

ROWS_A_CHUNK = 1 << 12
# Of the digest of a row; two rows of other values have the same one by a chance of about 2^-128.
BYTES = 16


def first_copies(X: np.ndarray) -> np.ndarray:
    """(N,) int64, for each row of X, (N, d), the first row that has the same values.

    A row without an earlier copy gets its own number. Zeros of either sign are the same; NaN equals
    nothing that differs in a bit.
    """
    digests = np.empty((len(X), BYTES), dtype=np.uint8)
    for chunk in chunks(len(X), ROWS_A_CHUNK):
        # Adding 0 turns -0 into 0, whose bytes differ.
        part = np.ascontiguousarray(X[chunk] + np.zeros((), dtype=X.dtype))
        for row, values in enumerate(part, chunk.start):
            digests[row] = np.frombuffer(blake2b(values, digest_size=BYTES).digest(), dtype=np.uint8)
    whole = digests.view(np.dtype((np.void, BYTES)))[:, 0]
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)
