"""Columns of vectors, as tensors."""

import weakref
from typing import Any

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.parts import WHOLE, Parts
from ..data.pool import Pool
from ..data.settings import chunk_size, chunks, settings

ROWS_A_CHUNK = 1 << 14
ROWS_FOR_CENTER = 1024
# Up to this many numbers float64 is used, with which the picks equal LightlyOne's.
PLAIN_FLOAT64_UP_TO = 1 << 26


def vectors_of(
    pool: Pool, name: str, metric: str, user: str, device: torch.device, parts: Parts = WHOLE
) -> "Vectors":
    """A column of the pool, prepared for a metric: centered for "euclidean", of length 1 for "cosine".

    Args:
        metric: "euclidean" or "cosine".
        user: what uses the column; error messages start with it.
        device: of the tensors.
        parts: the parts of the pool.

    Raises:
        InvalidInput: not a column of vectors, values that are not finite, zero vectors for cosine.
    """
    cosine = metric == "cosine"
    column = pool.vectors(name, user, directions=cosine)
    here = np.flatnonzero(~pool.missing[name])
    center = None if cosine else center_of(column, here, parts)
    return Vectors(column, center, device, parts)


class Vectors:
    """Rows of a column as tensors, prepared chunk by chunk: minus a center, or of length 1.

    What is returned must not be changed: as long as it is in use, the same rows are the same tensor.

    Args:
        column: (N, d) vectors.
        center: (d,) subtracted from each; None: vectors are divided by their lengths instead.
        device: the device of the tensors; float64 for small columns, else float32.
        parts: the parts of the pool.
    """

    def __init__(
        self,
        column: np.ndarray,
        center: np.ndarray | None,
        device: torch.device,
        parts: Parts = WHOLE,
    ) -> None:
        self._column = column
        self.center = center
        self._device = device
        self._parts = parts
        small = parts.total(column.size) <= settings.float64_up_to
        self._dtype = torch.float64 if small else torch.float32
        self._last: tuple[np.ndarray, weakref.ref[torch.Tensor]] | None = None

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self._column.shape[1])

    @property
    def in_file(self) -> bool:
        """Whether the column is a ``numpy.memmap``, or a view of one."""
        array: Any = self._column
        while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
            array = array.base
        return isinstance(array, np.memmap)

    def __call__(self, rows: np.ndarray) -> torch.Tensor:
        """(R, d) the prepared vectors at ``rows`` of the pool."""
        if self._last is not None and np.array_equal(self._last[0], rows):
            held = self._last[1]()
            if held is not None:
                return held
        out = torch.empty((len(rows), self._column.shape[1]), dtype=self._dtype, device=self._device)
        for chunk in chunks(len(rows), ROWS_A_CHUNK):
            self._prepare(_part(self._column, rows[chunk]), out[chunk])
        if self._last is None or self._last[1]() is None or len(rows) >= len(self._last[0]):
            self._last = rows, weakref.ref(out)
        return out

    def everywhere(self, rows: np.ndarray) -> torch.Tensor:
        """(R, d) the prepared vectors at ``rows`` of each part of the pool, one part after another."""
        mine = self(rows)
        if not self._parts.several:
            return mine
        found = self._parts.gathered(mine.cpu().numpy())
        return to_tensor(np.concatenate(found), self._dtype, self._device)

    def of(self, vectors: np.ndarray) -> torch.Tensor:
        """(R, d) other vectors, prepared likewise."""
        out = torch.empty(vectors.shape, dtype=self._dtype, device=self._device)
        self._prepare(vectors, out)
        return out

    def _prepare(self, part: np.ndarray, out: torch.Tensor) -> None:
        vectors = to_tensor(part, self._dtype, self._device)
        if self.center is not None:
            torch.sub(vectors, to_tensor(self.center, self._dtype, self._device), out=out)
            return
        lengths = vectors.norm(dim=1, keepdim=True)
        if not bool(((lengths > 0) & lengths.isfinite()).all()):
            # Numbers whose squares are 0 or infinite still have a direction, so they are scaled first.
            vectors = vectors / vectors.abs().amax(1, keepdim=True)
            lengths = vectors.norm(dim=1, keepdim=True)
        torch.div(vectors, lengths, out=out)


class FileVectors:
    """(n, d) rows of a column in a file, each read and prepared when it is asked for.

    It stands in for the tensor of all of them where that might not fit into memory. To read a part of
    it again costs about as much as a few products with it.

    Args:
        prepare: the column.
        rows: (n,) of the column.
    """

    def __init__(self, prepare: Vectors, rows: np.ndarray) -> None:
        self._prepare = prepare
        self._rows = rows
        few = prepare(rows[:0])
        self.dtype, self.device = few.dtype, few.device
        self.shape = (len(rows), few.shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: slice | torch.Tensor) -> torch.Tensor:
        """The vectors of a slice, or (R, d) those of (R,) numbers."""
        at = which if isinstance(which, slice) else which.cpu().numpy()
        return self._prepare(self._rows[at])

    def index_select(self, dim: int, rows: torch.Tensor) -> torch.Tensor:
        """(R, d) the vectors of ``rows``; ``dim`` is 0, as a tensor would be told."""
        return self[rows]


# What may be sliced, indexed and multiplied a part at a time.
AnyVectors = torch.Tensor | FileVectors


def prepared(prepare: Vectors, rows: np.ndarray) -> AnyVectors:
    """(R, d) the vectors of ``rows``; of a large column in a file, read when they are asked for."""
    if prepare.in_file and len(rows) * prepare.width > settings.read_whole_up_to:
        return FileVectors(prepare, rows)
    return prepare(rows)


def center_of(column: np.ndarray, rows: np.ndarray, parts: Parts = WHOLE) -> np.ndarray:
    """(d,) float64, a point near the middle of the rows, so that float32 products keep precision.

    It is the median of up to 1,024 rows, because a single distant row would move the mean.
    """
    counts = parts.gathered(len(rows))
    count, first = sum(counts), sum(counts[: parts.number])
    few = np.linspace(0, max(0, count - 1), min(count, ROWS_FOR_CENTER)).astype(np.int64) - first
    own = column[rows[few[(few >= 0) & (few < len(rows))]]]
    taken = np.concatenate(parts.gathered(own))
    if len(taken) == 0:
        return np.zeros(column.shape[1])
    return np.asarray(np.median(taken.astype(np.float64), axis=0))


def mean_of(column: np.ndarray, rows: np.ndarray, *, unit: bool, parts: Parts = WHOLE) -> np.ndarray:
    """(d,) float64 mean of the rows; with ``unit`` the mean of their directions (length 1)."""
    total = np.zeros(column.shape[1])
    for start in range(0, len(rows), chunk_size(ROWS_A_CHUNK)):
        part = _part(column, rows[start : start + chunk_size(ROWS_A_CHUNK)])
        if unit or part.dtype != np.float32:  # small integers and half floats would overflow
            part = part.astype(np.float64)
        if unit:
            part = part / np.linalg.norm(part, axis=1, keepdims=True)
        total += np.ones(len(part), dtype=part.dtype) @ part
    return np.asarray(parts.total(total) / max(1, parts.total(len(rows))))


def _part(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows of a column: a view where they are consecutive and ascending, else a copy."""
    together = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
    return column[rows[0] : rows[-1] + 1] if together else column[rows]


def plain_vectors(column: np.ndarray, metric: str) -> np.ndarray:
    """(N, d) vectors in float64, or in float32 where they are large; of length 1 for "cosine"."""
    vectors = column.astype(np.float64 if column.size <= PLAIN_FLOAT64_UP_TO else np.float32)
    if metric == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
