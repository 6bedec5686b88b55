"""Strategies that take a number a sample, or none: weight, random."""

from typing import Any

import numpy as np

from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..objectives import Objective
from ..recipe import recipe as entries
from .task import Task, class_name, listed, score

# The natural logarithm of about the least positive number.
LOWEST_EXPONENT = -700.0


def weight(entry: entries.Weight, task: Task) -> Objective:
    if entry.by_category:
        worths, other = category_worths(entry.prefer)
        return score(_worth_of_each(worths, other, entry, task), task, max(worths.values()))
    numbers = numbers_of(entry.column, entry.classes, task)
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    return score(preferred(numbers[task.candidates], entry.prefer, low, high), task)


def preferred(numbers: np.ndarray, prefer: Any, low: float, high: float) -> np.ndarray:
    """(n,) in [0, 1], 1 where a number is as preferred.

    Args:
        numbers: (n,) finite.
        prefer: high, low, a range or a bell, as ``Weight`` has them. Outside a range the value falls
            by 1 over the distance from ``low`` to ``high``.
        low: the lowest number of the pool.
        high: its highest.
    """
    spread = high - low if high > low else 1.0
    if isinstance(prefer, entries.Bell):
        with np.errstate(over="ignore"):
            exponent = -(((numbers - prefer.around) / prefer.width) ** 2) / 2
        # Above 0, or a product would forget what other strategies say.
        return np.exp(np.maximum(exponent, LOWEST_EXPONENT))
    if isinstance(prefer, tuple):
        outside = np.maximum(prefer[0] - numbers, numbers - prefer[1])
        return np.clip(1 - outside / spread, 0, 1)
    if high == low:
        return np.ones_like(numbers)
    return (numbers - low if prefer == "high" else high - numbers) / spread


def _worth_of_each(
    worths: dict[Any, float], other: float, entry: entries.Weight, task: Task
) -> np.ndarray:
    """(n,) of the candidates, what each one's category is worth.

    Raises:
        InvalidInput: another kind of column, or a category that no sample has.
    """
    column = task.pool.column(entry.column, task.user)
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(f"{task.user}: column {entry.column!r} must hold one category a sample")

    def called(value: Any) -> str:
        # A recipe in JSON says true of what may be stored as 1.
        word = str(value).lower() if column.dtype != object else ""
        return {"true": "1", "false": "0"}.get(word) or class_name(value)

    worths = {called(name): worth for name, worth in worths.items()}
    names = {one: called(one) for one in set(column[~task.pool.missing[entry.column]].tolist())}
    unknown = [name for name in worths if name not in names.values()]
    if unknown:
        raise InvalidInput(
            f"{task.user}: prefer: no sample's {entry.column!r} is {unknown[0]!r}; there are "
            f"{listed(sorted(set(names.values())))}"
        )
    mine = column[task.candidates].tolist()
    return np.array([worths.get(names.get(one, ""), other) for one in mine], dtype=np.float64)


def category_worths(prefer: Any) -> tuple[dict[Any, float], float]:
    """What each named category is worth, and what any other is."""
    if isinstance(prefer, dict):
        return prefer, min(prefer.values())
    steps = len(prefer) + 1
    return {name: 1 - place / steps for place, name in enumerate(prefer)}, 1 / steps


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
