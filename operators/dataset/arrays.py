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
    """Collects one array per row. All must have the shape that most rows have.

    The result is float64 if the first array of that shape is stored as float64, else float32.

    Args:
        n: the number of rows.
        dimensions: the number of dimensions of each array. A vector may also be stored as (1, d).

    Attributes:
        missing: (n,) bool, True for rows without a value.
    """

    def __init__(self, n: int, dimensions: int = 1) -> None:
        self._n = n
        self._dimensions = dimensions
        self._decode = ArrayDecoder()
        self._matrix: np.ndarray | None = None
        self._filled = np.zeros(n, dtype=bool)
        self._count = 0  # of the filled rows
        # The rows of every other shape, with whether the values are stored as float64.
        self._others: dict[tuple[int, ...], dict[int, tuple[np.ndarray, bool]]] = {}
        self.missing = np.ones(n, dtype=bool)

    @property
    def width(self) -> int:
        """The length of the last dimension; 0 if there is no array."""
        return 0 if self._matrix is None else self._matrix.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row's array; () if there is no array."""
        return () if self._matrix is None else self._matrix.shape[1:]

    @property
    def odd(self) -> np.ndarray:
        """(n,) bool, True for rows whose value has another shape or is not an array of real numbers."""
        return ~self.missing & ~self._filled

    def put(self, row: int, value: Any) -> None:
        """Take the stored value of a row; None leaves the row missing."""
        if value is None:
            return
        self.missing[row] = False
        try:
            array = self._decode(value)
            if array.ndim == self._dimensions + 1 and len(array) == 1:
                array = array[0]
            if array.dtype.kind == "O":
                array = array.astype(np.float64)
            if array.ndim != self._dimensions or not array.size or array.dtype.kind not in "biuf":
                return
        except (TypeError, ValueError, zlib.error):
            return
        wide = array.dtype == np.float64 and isinstance(value, bytes)
        if self._matrix is None:
            self._matrix = self._empty(array.shape, wide)
        if array.shape == self._matrix.shape[1:]:
            self._matrix[row] = array
            self._filled[row] = True
            self._count += 1
            return
        others = self._others.setdefault(array.shape, {})
        others[row] = (np.array(array), wide)
        if len(others) > self._count:
            self._take_shape(array.shape)

    def matrix(self) -> np.ndarray:
        """Return the (n, ...) arrays of all rows, with zeros where a row has none."""
        if self._matrix is None:
            return np.zeros((self._n, *[0] * self._dimensions), dtype=np.float32)
        return self._matrix

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        """Make another shape that of the matrix, because more rows have it."""
        before, filled = self.matrix(), self._filled
        found = self._others.pop(shape)
        wide = before.dtype == np.float64
        earlier = {row: (before[row].copy(), wide) for row in np.flatnonzero(filled).tolist()}
        self._others[before.shape[1:]] = earlier
        self._matrix = self._empty(shape, next(iter(found.values()))[1])
        self._filled = np.zeros(self._n, dtype=bool)
        self._count = len(found)
        for row, (array, _) in found.items():
            self._matrix[row] = array
            self._filled[row] = True

    def _empty(self, shape: tuple[int, ...], wide: bool) -> np.ndarray:
        return np.zeros((self._n, *shape), dtype=np.float64 if wide else np.float32)
