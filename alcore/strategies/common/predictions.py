"""Predictions for whole samples, as checked probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ...data.errors import InvalidInput
from ...data.probabilities import as_independent, as_probabilities
from ...data.settings import chunk_size
from .task import Task

NUMBERS_A_CHUNK = 1 << 21


class HasPredictions(Protocol):
    """Options that say how a column of predictions is read."""

    @property
    def column(self) -> Any:
        """The column, or columns, to read."""

    @property
    def given(self) -> str:
        """ "probabilities" or "logits"."""

    @property
    def temperature(self) -> Any:
        """Divides the logits, above 0."""


def class_vectors(name: str, task: Task) -> np.ndarray:
    """A column of predictions, (N, C) or (T, N, C).

    Raises:
        InvalidInput: a column of another kind.
    """
    column = task.pool.column(name, task.user)
    if not isinstance(column, np.ndarray) or column.ndim == 1 or column.dtype == object:
        raise InvalidInput(f"{task.user}: column {name!r} must hold probabilities or logits, (N, C)")
    return column


def probabilities(
    options: HasPredictions, task: Task, rows: np.ndarray, *, independent: bool = False
) -> Iterator[np.ndarray]:
    """(R, C) float64 probabilities of ``rows`` of the pool, a part of the rows at a time.

    Args:
        independent: whether the classes do not exclude each other.

    Raises:
        InvalidInput: a column of the wrong kind, or values that are not probabilities or logits.
    """
    column = class_vectors(options.column, task)
    convert = as_independent if independent else as_probabilities
    given = task.pool.given.get(options.column, options.given)
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // (column[..., :1, :].size or 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield convert(
            column[..., part, :],
            given=given,
            temperature=options.temperature,
            name=f"{task.user}: column {options.column!r}",
            ids=IdsOf(task.pool.ids, part),
        )


def all_probabilities(
    options: HasPredictions,
    task: Task,
    rows: np.ndarray,
    *,
    independent: bool = False,
    dtype: Any = np.float64,
) -> np.ndarray:
    """The same in one array, (R, C), float64 or of another dtype."""
    width = class_vectors(options.column, task).shape[-1]
    out = np.empty((len(rows), width), dtype=dtype)
    start = 0
    for part in probabilities(options, task, rows, independent=independent):
        out[start : start + len(part)] = part
        start += len(part)
    return out


class IdsOf:
    """The ids of some rows, looked up only for an error."""

    def __init__(self, ids: Any, rows: np.ndarray) -> None:
        self._ids = ids
        self._rows = rows

    def __getitem__(self, index: int) -> Any:
        return self._ids[self._rows[index]]
