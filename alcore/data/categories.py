"""Single values as categories: names of classes, bins of numbers, parts of dates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from .errors import InvalidInput, name_samples
from .pool import Pool

DatePart = Literal["hour", "weekday", "month", "year"]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
# A column with more distinct values than this holds numbers, which need bins, not categories.
MOST_CATEGORIES = 1000


def class_name(value: Any) -> str:
    """A label as a class name: 3.0 is "3", because integers become floats where some are missing."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)


def class_names(pool: Pool, column: str, width: int) -> list[str]:
    """The names of a prediction column's ``width`` classes; "0", "1", ... where it has no names."""
    return pool.classes.get(column) or [str(c) for c in range(width)]


def codes_of(pool: Pool, name: str, classes: Sequence[str], user: str) -> np.ndarray:
    """(N,) int64, the index of each value's class; -1 where the value is not one of the classes.

    Raises:
        InvalidInput: the column does not hold a single value per sample.
    """
    column = pool.column(name, user)
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(f"{user}: column {name!r} must hold one category a sample")
    position = {one: index for index, one in enumerate(classes)}
    values = column.tolist()
    place = {value: position.get(class_name(value), -1) for value in set(values)}
    return np.fromiter((place[value] for value in values), dtype=np.int64, count=len(values))


def refuse_unknown(
    pool: Pool, name: str, rows: np.ndarray, codes: np.ndarray, classes: Sequence[str], user: str
) -> None:
    """Refuse rows whose value in the column is not one of the classes.

    Raises:
        InvalidInput: there are such rows; names the first value, the samples and the classes.
    """
    unknown = rows[codes[rows] < 0]
    if len(unknown):
        raise InvalidInput(
            f"{user}: column {name!r} holds {class_name(pool.columns[name][unknown[0]])!r} "
            f"({name_samples(pool.ids, unknown)}), which is no class; "
            f"the classes are {first_names(classes)}"
        )


def first_names(names: Sequence[str]) -> str:
    """The first names of a list, for an error."""
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")


def binned(numbers: np.ndarray, known: np.ndarray, bins: int | list[float]) -> tuple[list[str], Any]:
    """Put numbers into bins of equal counts, or into bins between given edges.

    Args:
        numbers: (N,) float64, NaN where missing.
        known: (N,) bool, which of them have a value.
        bins: how many bins, or their edges in ascending order. The lowest and the highest bin are
            open.

    Returns:
        the names of the bins, and (N,) int64 the bin of each number; arbitrary where missing.
    """
    edges = quantile_edges(numbers[known], bins) if isinstance(bins, int) else np.array(bins, float)
    return bin_names(edges), np.searchsorted(edges, np.nan_to_num(numbers), side="right")


def quantile_edges(known: np.ndarray, bins: int) -> np.ndarray:
    """The edges between bins of equal counts; there are fewer bins where many numbers are equal."""
    inner = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else known
    return inner[inner > known.min(initial=np.inf)]


def bin_names(edges: np.ndarray) -> list[str]:
    """The names of the bins between edges. A bin includes its lower edge; the outer ones are open."""
    text = [f"{edge:.6g}" for edge in edges]
    if len(set(text)) < len(text):
        text = [repr(float(edge)) for edge in edges]
    if not text:
        return ["all"]
    between = [f"{low} to {high}" for low, high in pairwise(text)]
    return [f"below {text[0]}", *between, f"{text[-1]} or more"]


def date_parts(
    moments: np.ndarray, known: np.ndarray, part: DatePart, zone: str | None
) -> tuple[list[str], np.ndarray]:
    """Divide dates by hour, weekday, month or year; only the parts that occur become classes.

    Args:
        moments: (N,) datetime64 in UTC.
        known: (N,) bool, which of them have a value.
        zone: a time zone such as "Europe/Vienna"; None is UTC.

    Returns:
        the names of the parts, in the order of time, and (N,) int64 the part of each date; arbitrary
        where missing.
    """
    local = pd.DatetimeIndex(moments[known]).tz_localize("UTC").tz_convert(zone or "UTC")
    numbers = np.asarray(getattr(local, "day_of_week" if part == "weekday" else part))
    occurring = np.unique(numbers)
    codes = np.zeros(len(moments), dtype=np.int64)
    codes[known] = np.searchsorted(occurring, numbers)
    return [_part_name(part, one) for one in occurring.tolist()], codes


def _part_name(part: DatePart, number: int) -> str:
    if part == "hour":
        return f"{number:02d}"
    if part == "weekday":
        return WEEKDAYS[number]
    return MONTHS[number - 1] if part == "month" else str(number)
