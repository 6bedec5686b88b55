"""Columns of vectors, as tensors."""

import numpy as np
import torch

from ..device import FLOAT64_UP_TO, to_tensor
from .task import Task

ROWS_A_CHUNK = 1 << 14


def vectors_of(name: str, metric: str, task: Task) -> "Vectors":
    """The column as its metric compares it: less the mean, or of length 1.

    Raises:
        InvalidInput: not a column of vectors, values that are not finite, zero vectors for cosine.
    """
    cosine = metric == "cosine"
    column = task.pool.vectors(name, task.user, directions=cosine)
    here = np.flatnonzero(~task.pool.missing[name])
    return Vectors(column, None if cosine else mean_of(column, here, unit=False), task.device)


class Vectors:
    """Rows of a column as a tensor, brought in chunk by chunk: less the mean, or of length 1."""

    def __init__(self, column: np.ndarray, mean: np.ndarray | None, device: torch.device) -> None:
        self._column = column
        self._mean = mean
        self._device = device
        small = column.size <= FLOAT64_UP_TO
        self._dtype = torch.float64 if small else torch.float32

    def __call__(self, rows: np.ndarray) -> torch.Tensor:
        """(R, d) of some rows of the pool, ascending."""
        out = torch.empty((len(rows), self._column.shape[1]), dtype=self._dtype, device=self._device)
        for start in range(0, len(rows), ROWS_A_CHUNK):
            chunk = slice(start, start + ROWS_A_CHUNK)
            self._prepare(_part(self._column, rows[chunk]), out[chunk])
        return out

    def of(self, vectors: np.ndarray) -> torch.Tensor:
        """(R, d) of other vectors, made ready likewise."""
        out = torch.empty(vectors.shape, dtype=self._dtype, device=self._device)
        self._prepare(vectors, out)
        return out

    def _prepare(self, part: np.ndarray, out: torch.Tensor) -> None:
        vectors = to_tensor(part, self._dtype, self._device)
        if self._mean is not None:
            torch.sub(vectors, to_tensor(self._mean, self._dtype, self._device), out=out)
        else:
            torch.div(vectors, vectors.norm(dim=1, keepdim=True), out=out)


def mean_of(column: np.ndarray, rows: np.ndarray, *, unit: bool) -> np.ndarray:
    """(d,) float64 mean of some rows, or of their directions."""
    total = np.zeros(column.shape[1])
    for start in range(0, len(rows), ROWS_A_CHUNK):
        part = _part(column, rows[start : start + ROWS_A_CHUNK])
        if unit:
            part = part / np.linalg.norm(part, axis=1, keepdims=True)
        total += np.ones(len(part), dtype=part.dtype) @ part
    return total / max(1, len(rows))


def _part(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows of a column, ascending: a view of it where they lie together."""
    together = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
    return column[rows[0] : rows[-1] + 1] if together else column[rows]
