"""Decodes arrays as MongoDB stores them, directly into one array for all samples."""

from __future__ import annotations

import zlib
from typing import Any

import fiftyone.core.utils as fou
import numpy as np

NPY_MAGIC = b"\x93NUMPY\x01"


class ArrayDecoder:
    """Decodes FiftyOne's vectors and arrays: zlib over numpy's npy format.

    numpy parses an npy header as Python source, which takes much longer than reading the numbers. Here
    equal headers are parsed only once. Values of other formats are decoded by FiftyOne.
    """

    def __init__(self) -> None:
        self._headers: dict[bytes, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def __call__(self, value: Any) -> np.ndarray:
        """Return a stored value (bytes, a list or an array) as an array."""
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
    """Collects one array per row. All must have the shape of the first one.

    The result is float64 if the first array is stored as float64, else float32.

    Args:
        n: the number of rows.
        dimensions: the number of dimensions of each array.

    Attributes:
        missing: (n,) bool, True for rows without a value.
        odd: (n,) bool, True for rows whose value has another shape or is not an array.
    """

    def __init__(self, n: int, dimensions: int = 1) -> None:
        self._n = n
        self._dimensions = dimensions
        self._decode = ArrayDecoder()
        self._matrix: np.ndarray | None = None
        self.missing = np.ones(n, dtype=bool)
        self.odd = np.zeros(n, dtype=bool)

    @property
    def width(self) -> int:
        """The length of the last dimension; 0 if there is no array."""
        return 0 if self._matrix is None else self._matrix.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row's array; () if there is no array."""
        return () if self._matrix is None else self._matrix.shape[1:]

    def put(self, row: int, value: Any) -> None:
        """Take the stored value of a row; None leaves the row missing."""
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
        """Return the (n, ...) arrays of all rows, with zeros where a row has none."""
        if self._matrix is None:
            return np.zeros((self._n, *[0] * self._dimensions), dtype=np.float32)
        return self._matrix
