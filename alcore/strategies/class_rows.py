"""What each sample counts for in a balance: classes, categories, bins of numbers, parts of dates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from scipy.sparse import csr_matrix

from ..data.device import FLOAT64_UP_TO
from ..data.errors import InvalidInput, name_samples
from ..data.objects import Objects
from .predictions import probabilities
from .task import Task, class_name, class_names, listed

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
# More values than this are no categories but numbers, which need bins.
MOST_CATEGORIES = 1000
# Offsets from UTC change at full quarters of an hour.
QUARTER = 15 * 60


@dataclass(frozen=True)
class ClassRows:
    """The classes that are counted, and what samples count for.

    Attributes:
        names: of the C classes.
        of: from rows of the pool to (U, C) class rows and (R,) which of them each row has.
    """

    names: list[str]
    of: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

    def total(self, rows: np.ndarray) -> np.ndarray:
        """(C,) float64, the class rows of some rows of the pool together."""
        kinds, codes = self.of(rows)
        often = np.bincount(codes, minlength=len(kinds)).astype(np.float64)
        total: np.ndarray = often @ kinds.astype(np.float64)
        return total


def class_rows(entry: Any, task: Task) -> ClassRows:
    """The classes that an entry's column holds, or that its columns hold jointly.

    Raises:
        InvalidInput: a column of another kind, or without what it takes to part it into classes.
    """
    if isinstance(entry.column, list):
        return _jointly(entry, task)
    column = task.pool.column(entry.column, task.user)
    if isinstance(column, Objects):
        return _of_objects(entry, column, task)
    if isinstance(column, np.ndarray) and column.ndim > 1:
        names = class_names(entry.column, column.shape[-1], task)
        if entry.count == "soft":
            return ClassRows(names, lambda rows: merged(_soft(entry, task, rows, len(names))))
        return _one_each(names, lambda rows: _soft(entry, task, rows, len(names)).argmax(1))
    names, codes = _coded(entry, entry.column, task)
    return _one_each(names, lambda rows: codes[rows])


def labels_total(labels: str, classes: Sequence[str], rows: np.ndarray, task: Task) -> np.ndarray:
    """(C,) float64, how many of some rows a column of true classes, or of true objects, has of each.

    Raises:
        InvalidInput: a class that there is not.
    """
    column = task.pool.column(labels, task.user)
    if isinstance(column, Objects):
        inside = column.take(rows)
        if inside.labels is None or column.classes is None:
            raise InvalidInput(f"{task.user}: labels: the objects of {labels!r} have no classes")
        position = {name: index for index, name in enumerate(classes)}
        places = np.array([position.get(name, -1) for name in column.classes] + [-1], dtype=np.int64)
        places = places[inside.labels]
        return np.bincount(places[places >= 0], minlength=len(classes)).astype(np.float64)
    codes = _codes_of(column, labels, classes, task)
    unknown = rows[codes[rows] < 0]
    if len(unknown):
        raise InvalidInput(
            f"{task.user}: column {labels!r} holds {class_name(column[unknown[0]])!r} "
            f"({name_samples(task.pool.ids, unknown)}), which is no class; "
            f"the classes are {listed(list(classes))}"
        )
    return np.bincount(codes[rows], minlength=len(classes)).astype(np.float64)


def merged(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(U, C) distinct rows and (R,) which of them each is; all of them, where few are the same."""
    everyone = np.arange(len(rows))
    if len(rows) < 2:
        return rows, everyone
    # Whole numbers, whose sums do not depend on the order. Unequal rows with equal sums are not merged.
    bits = rows.view(np.uint32 if rows.dtype.itemsize == 4 else np.uint64)
    keys = np.zeros(len(rows), dtype=np.uint64)
    factors: Any = np.random.default_rng(0).integers(1 << 63, size=bits.shape[1], dtype=np.uint64)
    for column in range(bits.shape[1]):
        keys += bits[:, column] * (factors[column] | np.uint64(1))
    _, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    if 2 * len(first) > len(rows) or not (rows == rows[first][codes]).all():
        return rows, everyone
    return rows[first], codes


def _one_each(names: list[str], codes_of: Callable[[np.ndarray], np.ndarray]) -> ClassRows:
    kinds = np.eye(len(names), dtype=np.float32)
    return ClassRows(names, lambda rows: (kinds, codes_of(rows)))


def _soft(entry: Any, task: Task, rows: np.ndarray, width: int) -> np.ndarray:
    """(R, C) probabilities."""
    dtype = np.float64 if len(rows) * width <= FLOAT64_UP_TO else np.float32
    parts = [p.astype(dtype) for p in probabilities(entry, task, rows)]
    return np.concatenate(parts) if parts else np.zeros((0, width), dtype=dtype)


def _of_objects(entry: Any, objects: Objects, task: Task) -> ClassRows:
    """How many objects of each class a sample has; softly, by what each may be."""
    classes = objects.classes or task.pool.classes.get(entry.column)
    nameless = objects.labels is None and objects.probabilities is None and objects.total > 0
    if classes is None or nameless:
        raise InvalidInput(f"{task.user}: the objects of {entry.column!r} have no classes to count")
    width = len(classes)
    of_each = _object_rows(entry, objects, width)
    if objects.confidences is not None:
        of_each[objects.confidences < entry.min_confidence] = 0
    ones = np.ones(objects.total, dtype=np.float32)
    shape = (len(objects), objects.total)
    inside = csr_matrix((ones, np.arange(objects.total), objects.offsets), shape=shape)
    counts = np.asarray(inside @ of_each)
    return ClassRows(list(classes), lambda rows: merged(counts[rows]))


def _object_rows(entry: Any, objects: Objects, width: int) -> np.ndarray:
    """(M, C), a row an object: its probabilities, or a one at its class."""
    out = np.zeros((objects.total, width), dtype=np.float32)
    if objects.labels is not None:
        known = np.flatnonzero(objects.labels >= 0)
        out[known, objects.labels[known]] = 1
    if objects.probabilities is not None:
        here = ~np.isnan(objects.probabilities[:, 0])
        p = objects.probabilities[here]
        out[here] = p if entry.count == "soft" else np.eye(width)[p.argmax(1)]
    return out


def _jointly(entry: Any, task: Task) -> ClassRows:
    """A class for each combination of values that occurs."""
    parts = [_coded(entry, column, task) for column in entry.column]
    here = task.pool.present(entry.column)
    together = np.zeros(task.pool.n, dtype=np.int64)
    for names, codes in parts:
        together = together * len(names) + np.maximum(codes, 0)
    occurring = np.unique(together[here])
    if len(occurring) > MOST_CATEGORIES:
        raise InvalidInput(
            f"{task.user}: {', '.join(map(repr, entry.column))} have {len(occurring):,} combinations, "
            "too many to balance jointly; balance each on its own, or in fewer bins"
        )
    labels = []
    for one in occurring.tolist():
        words: list[str] = []
        for names, _ in reversed(parts):
            one, code = divmod(one, len(names))
            words.insert(0, names[code])
        labels.append(", ".join(words))
    codes = np.searchsorted(occurring, together)
    return _one_each(labels, lambda rows: codes[rows])


def _coded(entry: Any, name: str, task: Task) -> tuple[list[str], np.ndarray]:
    """The classes of a column of single values, and (N,) which each sample has; missing ones any."""
    pool = task.pool
    column = pool.column(name, task.user)
    here = ~pool.missing[name]
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(
            f"{task.user}: column {name!r} must hold a single value a sample, to be balanced jointly"
        )
    if column.dtype.kind == "M":
        return dates_of(entry.by, name, column, here, entry.timezone, task)
    if column.dtype != object and entry.bins is not None:
        return _bins(entry.bins, name, pool.numbers(name, task.user), here, task)
    names = pool.classes.get(name) or _category_names(entry, name, column, here, task)
    codes = _codes_of(column, name, names, task)
    unknown = np.flatnonzero(here & (codes < 0))
    if len(unknown):
        raise InvalidInput(
            f"{task.user}: column {name!r} holds {class_name(column[unknown[0]])!r} "
            f"({name_samples(pool.ids, unknown)}), which is no class; the classes are {listed(names)}"
        )
    return names, codes


def _codes_of(column: Any, name: str, classes: Sequence[str], task: Task) -> np.ndarray:
    """(N,) int64, each value's place among the classes, -1 where it is none of them."""
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(f"{task.user}: column {name!r} must hold one category a sample")
    position = {one: index for index, one in enumerate(classes)}
    values = column.tolist()
    place = {value: position.get(class_name(value), -1) for value in set(values)}
    return np.fromiter((place[value] for value in values), dtype=np.int64, count=len(values))


def _category_names(
    entry: Any, name: str, column: np.ndarray, here: np.ndarray, task: Task
) -> list[str]:
    pool = task.pool
    names = {class_name(value) for value in set(column[here].tolist())}
    if getattr(entry, "labels", None) in pool.columns:
        truth = pool.columns[entry.labels]
        if isinstance(truth, np.ndarray):
            known = pool.labeled & ~pool.missing[entry.labels]
            names |= {class_name(value) for value in set(truth[known].tolist())}
    if len(names) > MOST_CATEGORIES:
        how = "give bins" if column.dtype != object else "name a field with fewer"
        raise InvalidInput(
            f"{task.user}: column {name!r} has {len(names):,} different values, too many to balance; "
            f"{how}"
        )
    return sorted(names)


def _bins(
    bins: int | list[float], name: str, numbers: np.ndarray, here: np.ndarray, task: Task
) -> tuple[list[str], np.ndarray]:
    """Bins with as many samples each, or between edges, of which the outer bins are open."""
    inner = quantile_edges(numbers[here], bins) if isinstance(bins, int) else np.array(bins, np.float64)
    return bin_names(inner), np.searchsorted(inner, np.nan_to_num(numbers), side="right")


def quantile_edges(known: np.ndarray, bins: int) -> np.ndarray:
    """The edges between bins with as many of the numbers each; fewer, where many are the same."""
    inner = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else known
    return inner[inner > known.min(initial=np.inf)]


def bin_names(inner: np.ndarray) -> list[str]:
    """What the bins between edges are called; each has its lower edge, and the outer ones are open."""
    text = [f"{edge:.6g}" for edge in inner]
    if len(set(text)) < len(text):
        text = [repr(float(edge)) for edge in inner]
    if not text:
        return ["all"]
    between = [f"{low} to {high}" for low, high in pairwise(text)]
    return [f"below {text[0]}", *between, f"{text[-1]} or more"]


def dates_of(
    by: str | None, name: str, moments: np.ndarray, here: np.ndarray, zone: str | None, task: Task
) -> tuple[list[str], np.ndarray]:
    """The hour, weekday, month or year of dates, those that occur."""
    if by is None:
        raise InvalidInput(
            f"{task.user}: column {name!r} holds dates; say by what they are balanced: by: hour, "
            "weekday, month or year"
        )
    known = moments[here]
    seconds = known.astype("datetime64[s]").astype(np.int64)
    if zone is not None:
        seconds = seconds + _offsets(seconds, ZoneInfo(zone))
    local = seconds.astype("datetime64[s]")
    if by == "hour":
        part = seconds % 86_400 // 3600
    elif by == "weekday":
        part = (seconds // 86_400 + 3) % 7  # 1970 began on a Thursday
    elif by == "month":
        part = local.astype("datetime64[M]").astype(np.int64) % 12
    else:
        part = local.astype("datetime64[Y]").astype(np.int64) + 1970
    occurring = np.unique(part)
    codes = np.zeros(len(moments), dtype=np.int64)
    codes[here] = np.searchsorted(occurring, part)
    return [_date_name(by, one) for one in occurring.tolist()], codes


def _date_name(by: str, part: int) -> str:
    if by == "hour":
        return f"{part:02d}"
    return WEEKDAYS[part] if by == "weekday" else MONTHS[part] if by == "month" else str(part)


def _offsets(seconds: np.ndarray, zone: tzinfo) -> np.ndarray:
    """(R,) int64 seconds by which clocks there are ahead of UTC."""
    quarters, codes = np.unique(seconds // QUARTER, return_inverse=True)
    begin = datetime(1970, 1, 1, tzinfo=timezone.utc)
    ahead = [
        (begin + timedelta(seconds=one * QUARTER)).astimezone(zone).utcoffset()
        for one in quarters.tolist()
    ]
    return np.array([round((one or timedelta()).total_seconds()) for one in ahead], dtype=np.int64)[
        codes
    ]
