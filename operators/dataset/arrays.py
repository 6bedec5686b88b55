"""Arrays as MongoDB holds them, decoded straight into one of all samples."""

from __future__ import annotations

import zlib
from typing import Any

import fiftyone.core.utils as fou
import numpy as np

NPY_MAGIC = b"\x93NUMPY\x01"


class ArrayDecoder:
    """Decodes FiftyOne's vectors and arrays: zlib over numpy's npy format.

    numpy parses an npy header as Python text, which costs far more than the numbers behind it; equal
    headers are parsed once here. What is not of that form goes FiftyOne's own way.
    """

    def __init__(self) -> None:
        self._headers: dict[bytes, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def __call__(self, value: Any) -> np.ndarray:
        """The numbers of a stored value: bytes, a list or an array."""
        if not isinstance(value, bytes):
            return np.asarray(value)
        data = zlib.decompress(value)
        if not data.startswith(NPY_MAGIC):
            return np.asarray(fou.deserialize_numpy_array(value))
        end = 10 + int.from_bytes(data[8:10], "little")
        header = data[:end]
        known = self._headers.get(header)
        if known is None:
            array = np.asarray(fou.deserialize_numpy_array(value))
            if array.flags.c_contiguous:
                self._headers[header] = (array.dtype, array.shape)
            return array
        dtype, shape = known
        return np.frombuffer(data, dtype, offset=end).reshape(shape)


class ArrayColumn:
    """Collects one array a row, all of one shape, as float32, or float64 where stored so."""

    def __init__(self, n: int, dimensions: int = 1) -> None:
        self._n = n
        self._dimensions = dimensions
        self._decode = ArrayDecoder()
        self._matrix: np.ndarray | None = None
        self.missing = np.ones(n, dtype=bool)
        self.odd = np.zeros(n, dtype=bool)

    @property
    def width(self) -> int:
        return 0 if self._matrix is None else self._matrix.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row; () where there is none."""
        return () if self._matrix is None else self._matrix.shape[1:]

    def put(self, row: int, value: Any) -> None:
        if value is None:
            return
        try:
            array = self._decode(value)
            if self._matrix is None and array.ndim == self._dimensions and array.size:
                wide = array.dtype == np.float64 and isinstance(value, bytes)
                self._matrix = np.zeros(
                    (self._n, *array.shape), dtype=np.float64 if wide else np.float32
                )
            if self._matrix is None or array.shape != self._matrix.shape[1:]:
                self.odd[row] = True
            else:
                self._matrix[row] = array
        except (TypeError, ValueError, zlib.error):
            self.odd[row] = True
        self.missing[row] = False

    def matrix(self) -> np.ndarray:
        if self._matrix is None:
            return np.zeros((self._n, *[0] * self._dimensions), dtype=np.float32)
        return self._matrix
