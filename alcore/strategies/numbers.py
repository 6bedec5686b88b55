"""Strategies that take a number a sample, or none: weight, random."""

import numpy as np

from .. import recipe as entries
from ..errors import InvalidInput
from ..objectives import Objective
from ..objects import Objects
from .task import Task, listed, score


def weight(entry: entries.Weight, task: Task) -> Objective:
    numbers = numbers_of(entry.column, entry.classes, task)
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    spread = high - low if high > low else 1.0
    mine = numbers[task.candidates]
    if isinstance(entry.prefer, tuple):
        outside = np.maximum(entry.prefer[0] - mine, mine - entry.prefer[1])
        scaled = np.clip(1 - outside / spread, 0, 1)
    elif high == low:
        scaled = np.ones_like(mine)
    else:
        scaled = (mine - low if entry.prefer == "high" else high - mine) / spread
    return score(scaled, task)


def random(entry: entries.Random, task: Task) -> Objective:
    # Drawn for the whole pool, so that a filter does not change what the other samples drew.
    drawn = np.random.default_rng(task.seed).random(task.pool.n)
    return score(drawn[task.candidates], task)


def numbers_of(column: str, classes: list[str] | None, task: Task) -> np.ndarray:
    """(N,) float64: a column's numbers, NaN where missing; of objects how many there are.

    Args:
        column: numbers, or objects.
        classes: of objects, which are counted; default all.

    Raises:
        InvalidInput: another kind of column, or classes of what has none.
    """
    objects = task.pool.column(column, task.user)
    if not isinstance(objects, Objects):
        if classes is not None:
            raise InvalidInput(f"{task.user}: classes: column {column!r} holds no objects to count")
        return task.pool.numbers(column, task.user)
    counts = objects.counts.astype(np.float64)
    if classes is not None:
        known = objects.classes or []
        unknown = [name for name in classes if name not in known]
        if unknown or objects.labels is None:
            what = f"{unknown[0]!r} is no class" if unknown else "the objects have no classes"
            raise InvalidInput(f"{task.user}: classes: {what}; the classes are {listed(known)}")
        wanted = np.isin(objects.labels, [known.index(name) for name in classes])
        counts = np.bincount(objects.sample[wanted], minlength=len(objects)).astype(np.float64)
    counts[task.pool.missing[column]] = np.nan
    return counts
