"""Examples to compare with: samples of the pool by their ids, or vectors."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BeforeValidator

from ...data.device import to_array
from ...data.errors import InvalidInput
from ...data.pool import Pool
from ...data.settings import chunk_size
from ...geometry.vectors import vectors_of
from .vocabulary import Asks

ROWS_A_CHUNK = 1 << 14


def _plain(given: Any) -> Any:
    """Arrays as lists, so that a recipe can always be written as JSON."""
    if isinstance(given, np.ndarray | np.generic):
        given = given.tolist()
    return [_plain(one) for one in given] if isinstance(given, list | tuple) else given


def _examples(given: Any) -> Any:
    if not isinstance(given, list | tuple | np.ndarray) or len(given) == 0:
        raise ValueError("give a list of ids, or of vectors, with at least one")
    plain = _plain(given)
    for one in plain:
        numbers = isinstance(one, list) and all(type(value) in (int, float) for value in one)
        if not numbers and (isinstance(one, list) or not isinstance(one, Hashable)):
            raise ValueError("give ids, or vectors of numbers")
    return plain


Examples = Annotated[list[Any], BeforeValidator(_examples), Asks.EXAMPLES]


def cosines(
    pool: Pool,
    column: str,
    to: list[Any],
    user: str,
    device: torch.device,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(N,) float64 in [-1, 1], the cosine of each sample to its nearest example; NaN where missing.

    Args:
        to: the examples: ids, or vectors.
        user: what compares; error messages start with it.

    Raises:
        InvalidInput: an id that is not in the pool or has no vector, or a vector that does not fit.
    """
    prepare = vectors_of(pool, column, "cosine", user, device)
    examples = prepare.of(examples_of(pool, column, to, user))
    here = np.flatnonzero(~pool.missing[column])
    nearest = np.full(pool.n, np.nan)
    for start in range(0, len(here), chunk_size(ROWS_A_CHUNK)):
        rows = here[start : start + chunk_size(ROWS_A_CHUNK)]
        similarity = prepare(rows) @ examples.T
        nearest[rows] = similarity.amax(1).clamp_(-1, 1).to(torch.float64).cpu().numpy()
        tick()
    return nearest


def examples_of(pool: Pool, column: str, to: list[Any], user: str) -> np.ndarray:
    """(E, d), the vectors of the examples.

    Raises:
        InvalidInput: as ``cosines``.
    """
    vectors = pool.columns[column]
    if all(isinstance(one, list) for one in to):
        if any(len(one) != vectors.shape[1] for one in to):
            raise InvalidInput(
                f"{user}: to: a vector has not the {vectors.shape[1]} values that those of "
                f"{column!r} have"
            )
        given = np.array(to, dtype=np.float64)
        if not np.isfinite(given).all() or not given.any(1).all():
            raise InvalidInput(f"{user}: to: a vector is zero, or has NaN or infinite values")
        return given
    elsewhere = pool.elsewhere.get(column, {})
    if not any(isinstance(one, list) for one in to) and any(one in elsewhere for one in to):
        here = [one for one in to if one not in elsewhere]
        inside = examples_of(pool, column, here, user) if here else vectors[:0]
        place = iter(np.asarray(inside, dtype=np.float64))
        return np.stack([to_array(elsewhere[one]) if one in elsewhere else next(place) for one in to])
    rows = _rows_of(pool, to, user)
    without = rows[pool.missing[column][rows]]
    if len(without):
        raise InvalidInput(
            f"{user}: to: {len(without)} of the examples have no {column!r}: "
            f"{', '.join(str(pool.ids[row]) for row in without[:3].tolist())}"
        )
    return np.asarray(vectors[rows])


def _rows_of(pool: Pool, ids: list[Any], user: str) -> np.ndarray:
    if any(isinstance(one, list) for one in ids):
        raise InvalidInput(f"{user}: to: give ids or vectors, not both")
    wanted = set(ids)
    rows = {one: row for row, one in enumerate(pool.ids) if one in wanted}
    unknown = [one for one in ids if one not in rows]
    if unknown:
        raise InvalidInput(
            f"{user}: to: {len(unknown)} of the examples are not in the pool: "
            f"{', '.join(map(str, unknown[:3]))}"
        )
    return np.array([rows[one] for one in ids], dtype=np.int64)
