"""Keep a test set apart from training: groups are not split, and near-duplicates are held out.

A *unit* is a group (a video, a day, a patient), or a sample without a group. Each unit as a whole is
chosen, trainable or held out:

- The training side is every unit with a labeled sample. None of its samples is chosen.
- A unit with a near-duplicate of the training side is not chosen either; it stays trainable.
- Once the test set is chosen, every other unit with a near-duplicate of a chosen sample is held out: it
  is not tested on, and must not be trained on. Near-duplicates of held-out units are not held out, so
  that chains of near-duplicates do not hold out everything.
- Samples of a chosen unit that cannot be chosen, because they lack a value, are held out.

So no chosen sample has a near-duplicate among trainable or labeled samples, and no group has samples on
both sides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..data.errors import InvalidInput
from ..data.pool import Pool
from ..geometry.duplicates import any_near
from ..geometry.vectors import Vectors


def units_of(pool: Pool, groups: str | None) -> np.ndarray:
    """(N,) int64 unit of each sample; a sample without a group is a unit of its own.

    Dates are grouped by day.

    Raises:
        InvalidInput: the column does not hold a single value per sample.
    """
    if groups is None:
        return np.arange(pool.n)
    values = pool.column(groups, "groups")
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise InvalidInput(f"groups: column {groups!r} must hold one value a sample")
    here = ~pool.missing[groups]
    if values.dtype.kind == "f":
        here &= ~np.isnan(values)
    some = values[here]
    if some.dtype.kind == "M":
        some = some.astype("datetime64[D]")
    units = np.empty(pool.n, dtype=np.int64)
    distinct, units[here] = np.unique(
        some.astype(str) if some.dtype == object else some, return_inverse=True
    )
    units[~here] = len(distinct) + np.arange(pool.n - len(some))
    return units


def whole(units: np.ndarray, some: np.ndarray) -> np.ndarray:
    """(N,) bool, true for every sample of a unit that has a sample in ``some``, (N,) bool."""
    has = np.zeros(int(units.max(initial=-1)) + 1, dtype=bool)
    has[units[some]] = True
    return has[units]


def near(
    prepare: Vectors,
    rows: np.ndarray,
    others: np.ndarray,
    distance: float,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(k,) those of ``rows`` that are nearer than ``distance`` (Euclidean) to one of ``others``."""
    if len(rows) == 0 or len(others) == 0:
        return rows[:0]
    found = any_near(lambda part: prepare(rows[part]), len(rows), prepare(others), distance, tick)
    return np.asarray(rows[found])
