"""Filters: which samples may be chosen."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from ..data.dates import seconds
from ..data.errors import InvalidInput
from ..data.numbers import numbers_or_counts
from ..geometry.duplicates import near_duplicates
from ..strategies import Task
from ..strategies.common.examples import cosines
from .models import Filter


def passing(task: Task, filters: list[Filter], needed: Sequence[str] = ()) -> np.ndarray:
    """(N,) bool, true where a candidate passes every filter. A missing value passes none.

    Args:
        task: the pool and the candidates.
        filters: the filters, all of which a candidate must pass.
        needed: columns in which a sample must have a value to be the one kept of its near-duplicates.

    Raises:
        InvalidInput: an unknown column, or a range on a column that does not hold numbers.
    """
    keep = np.zeros(task.pool.n, dtype=bool)
    keep[task.candidates] = True
    # Filters on values come first, so that the sample kept of near-duplicates passes them.
    for position, one in sorted(enumerate(filters), key=lambda f: f[1].minimum_distance is not None):
        at = replace(task, user=f"filters[{position}]")
        if one.minimum_distance is None:
            keep &= _passes(at, one)
        else:
            lacking = keep & ~task.pool.present(needed)
            keep = lacking | (keep & _is_kept(at, one, keep & ~lacking))
    return keep


def _is_kept(task: Task, one: Filter, keep: np.ndarray) -> np.ndarray:
    """(N,) bool: one sample of each group of near-duplicates is kept; a labeled one if there is one."""
    assert one.minimum_distance is not None
    pool = task.pool
    prepare = task.vectors(one.column, "euclidean")
    rows = np.flatnonzero(~pool.missing[one.column] & (keep | pool.labeled))
    stands = near_duplicates(prepare(rows), one.minimum_distance, pool.labeled[rows], task.tick)
    kept = np.zeros(pool.n, dtype=bool)
    kept[rows] = stands == np.arange(len(rows))
    return kept


def _passes(task: Task, one: Filter) -> np.ndarray:
    pool, user = task.pool, task.user
    if one.similar_to is not None:
        return _within(one, cosines(pool, one.column, one.similar_to, user, task.device, task.tick))
    if one.min is not None or one.max is not None:
        if one.column == "id":
            raise InvalidInput(f"{user}: ids have no range; use in or not_in")
        return _within(one, numbers_or_counts(pool, one.column, one.classes, user))
    wanted = one.in_ if one.in_ is not None else one.not_in or []
    if one.column == "id":
        found, here = _is_in(pool.ids, wanted), np.ones(pool.n, dtype=bool)
    else:
        column = pool.column(one.column, user)
        if not isinstance(column, np.ndarray) or column.ndim != 1:
            raise InvalidInput(
                f"{user}: column {one.column!r} holds several values a sample; filter on one"
            )
        here = ~pool.missing[one.column]
        if column.dtype.kind == "M":  # compared as seconds, however dates are written
            moments = pool.numbers(one.column, user)
            found = _is_in(moments.tolist(), [seconds(value) for value in wanted])
        else:
            found = _is_in(column.tolist(), wanted)
    return here & (found if one.in_ is not None else ~found)


def _within(one: Filter, values: np.ndarray) -> np.ndarray:
    low, high = _number(one.min, -np.inf), _number(one.max, np.inf)
    with np.errstate(invalid="ignore"):
        return (values >= low) & (values <= high)


def _is_in(values: Iterable[Any], wanted: list[Any]) -> np.ndarray:
    known = set(wanted)
    return np.array([value in known for value in values], dtype=bool)


def _number(bound: float | datetime | None, default: float) -> float:
    if bound is None:
        return default
    return float(seconds(bound))
