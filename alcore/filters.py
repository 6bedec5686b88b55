"""Filters: which samples stay."""

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import numpy as np

from .errors import InvalidInput
from .pool import Pool
from .recipe import Filter


def passing(pool: Pool, filters: list[Filter]) -> np.ndarray:
    """(N,) bool, true where a sample passes every filter. A missing value passes none.

    Raises:
        InvalidInput: an unknown column, or a range on what is not numbers.
    """
    keep = np.ones(pool.n, dtype=bool)
    for position, one in enumerate(filters):
        keep &= _passes(pool, one, f"filters[{position}]")
    return keep


def _passes(pool: Pool, one: Filter, user: str) -> np.ndarray:
    if one.min is not None or one.max is not None:
        if one.column == "id":
            raise InvalidInput(f"{user}: ids have no range; use in or not_in")
        values = pool.numbers(one.column, user)
        low, high = _number(one.min, -np.inf), _number(one.max, np.inf)
        with np.errstate(invalid="ignore"):
            return (values >= low) & (values <= high)
    wanted = one.in_ if one.in_ is not None else one.not_in or []
    if one.column == "id":
        found, here = _is_in(pool.ids, wanted), np.ones(pool.n, dtype=bool)
    else:
        column = pool.column(one.column, user)
        if not isinstance(column, np.ndarray) or column.ndim != 1:
            raise InvalidInput(
                f"{user}: column {one.column!r} holds several values a sample; filter on one"
            )
        found, here = _is_in(column.tolist(), wanted), ~pool.missing[one.column]
    return here & (found if one.in_ is not None else ~found)


def _is_in(values: Iterable[Any], wanted: list[Any]) -> np.ndarray:
    known = set(wanted)
    return np.array([value in known for value in values], dtype=bool)


def _number(bound: float | datetime | None, default: float) -> float:
    if bound is None:
        return default
    if isinstance(bound, datetime):
        return bound.replace(tzinfo=bound.tzinfo or timezone.utc).timestamp()
    return float(bound)
