"""Vectors as MongoDB holds them, decoded straight into one matrix."""

from __future__ import annotations

import zlib
from typing import Any

import fiftyone.core.utils as fou
import numpy as np

NPY_MAGIC = b"\x93NUMPY\x01"


class VectorDecoder:
    """Decodes FiftyOne's vectors: zlib over numpy's npy format.

    numpy parses an npy header as Python text, which costs far more than the numbers behind it; equal
    headers are parsed once here. What is not of that form goes FiftyOne's own way.
    """

    def __init__(self) -> None:
        self._headers: dict[bytes, np.dtype[Any]] = {}

    def __call__(self, value: Any) -> np.ndarray:
        """(d,) numbers of a stored value: bytes, a list or an array."""
        if not isinstance(value, bytes):
            return np.asarray(value)
        data = zlib.decompress(value)
        if not data.startswith(NPY_MAGIC):
            return np.asarray(fou.deserialize_numpy_array(value))
        end = 10 + int.from_bytes(data[8:10], "little")
        header = data[:end]
        dtype = self._headers.get(header)
        if dtype is None:
            array = np.asarray(fou.deserialize_numpy_array(value))
            if array.ndim == 1:
                self._headers[header] = array.dtype
            return array
        return np.frombuffer(data, dtype, offset=end)


class VectorColumn:
    """Collects one vector a row into a matrix, as float32, or float64 where stored so."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._decode = VectorDecoder()
        self._matrix: np.ndarray | None = None
        self.missing = np.ones(n, dtype=bool)
        self.odd = np.zeros(n, dtype=bool)

    @property
    def width(self) -> int:
        return 0 if self._matrix is None else self._matrix.shape[1]

    def put(self, row: int, value: Any) -> None:
        if value is None:
            return
        try:
            vector = self._decode(value)
            if self._matrix is None and vector.ndim == 1 and len(vector):
                wide = vector.dtype == np.float64 and isinstance(value, bytes)
                self._matrix = np.zeros(
                    (self._n, len(vector)), dtype=np.float64 if wide else np.float32
                )
            if self._matrix is None or vector.shape != self._matrix.shape[1:]:
                self.odd[row] = True
            else:
                self._matrix[row] = vector
        except (TypeError, ValueError, zlib.error):
            self.odd[row] = True
        self.missing[row] = False

    def matrix(self) -> np.ndarray:
        return np.zeros((self._n, 0), dtype=np.float32) if self._matrix is None else self._matrix
