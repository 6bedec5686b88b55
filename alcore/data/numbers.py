"""One number per sample: from a column of numbers, or the count of its objects."""

from __future__ import annotations

import numpy as np

from .categories import first_names
from .errors import InvalidInput
from .objects import Objects
from .pool import Pool


def numbers_or_counts(pool: Pool, column: str, classes: list[str] | None, user: str) -> np.ndarray:
    """(N,) float64: the numbers of a column, or how many objects each sample has; NaN where missing.

    Args:
        column: the name of a column of numbers or of objects.
        classes: the classes of objects to count; all by default.
        user: what uses the column; error messages start with it.

    Raises:
        InvalidInput: the column holds something else, or classes are named and it has none.
    """
    objects = pool.column(column, user)
    if not isinstance(objects, Objects):
        if classes is not None:
            raise InvalidInput(f"{user}: classes: column {column!r} holds no objects to count")
        return pool.numbers(column, user)
    counts = objects.counts.astype(np.float64)
    if classes is not None:
        known = objects.classes or []
        unknown = [name for name in classes if name not in known]
        if unknown or objects.labels is None:
            what = f"{unknown[0]!r} is no class" if unknown else "the objects have no classes"
            raise InvalidInput(f"{user}: classes: {what}; the classes are {first_names(known)}")
        wanted = np.isin(objects.labels, [known.index(name) for name in classes])
        counts = np.bincount(objects.sample[wanted], minlength=len(objects)).astype(np.float64)
    counts[pool.missing[column]] = np.nan
    return counts
