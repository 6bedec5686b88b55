"""The classes that each sample has in a balance: classes, categories, bins or parts of dates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from scipy.sparse import csr_matrix

from ...data.categories import (
    MOST_CATEGORIES,
    DatePart,
    binned,
    class_name,
    class_names,
    codes_of,
    date_parts,
    first_names,
    refuse_unknown,
)
from ...data.errors import InvalidInput
from ...data.objects import Objects
from ...data.parts import WHOLE, Parts
from ...data.pool import Pool
from ...data.settings import chunks, settings
from .predictions import all_probabilities
from .task import Task

# Counts are summed so many rows at a time. Whether many rows are equal is tried on so many.
ROWS_A_SUM, MERGE_TRIED = 1 << 20, 1 << 16

Target = Literal["uniform", "input"] | dict[str, float]


class HasClasses(Protocol):
    """Options that say which column is counted and how."""

    @property
    def column(self) -> Any:
        """The column, or columns, to read."""

    @property
    def labels(self) -> str | None:
        """The column of true classes, if there is one."""

    @property
    def target(self) -> Target:
        """The target shares of the classes."""

    @property
    def given(self) -> str:
        """ "probabilities" or "logits"."""

    @property
    def temperature(self) -> Any:
        """Divides the logits, above 0."""

    def judged_by(self) -> list[str]:
        """The columns in which a sample must have a value."""


class Counts(HasClasses, Protocol):
    """The same for columns of every kind."""

    @property
    def count(self) -> str:
        """ "soft" or "predicted"."""

    @property
    def bins(self) -> int | list[float] | None:
        """How many bins of numbers, or their edges."""

    @property
    def by(self) -> DatePart | None:
        """The part by which dates are divided."""

    @property
    def timezone(self) -> str | None:
        """The time zone of dates; None is UTC."""

    @property
    def multi_label(self) -> bool:
        """Whether classes do not exclude each other."""

    @property
    def classes(self) -> list[str] | None:
        """The classes of objects that count; None for those of the labels and the target."""

    @property
    def min_confidence(self) -> float:
        """The confidence in [0, 1] below which objects do not count."""


@dataclass(frozen=True)
class ClassCounts:
    """The classes that are counted, and how much each sample counts for each class.

    Attributes:
        names: the names of the C classes.
        of: takes (R,) rows of the pool, and of how many rows in all parts of it these are some; returns
            (U, C) distinct rows of counts per class, and (R,) the index into them of each row.
    """

    names: list[str]
    of: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]

    def total(self, rows: np.ndarray, parts: Parts = WHOLE) -> np.ndarray:
        """(C,) float64, the sum of the counts of these rows of each of the parts of the pool."""
        total = np.zeros(len(self.names))
        count = parts.total(len(rows))
        for part in chunks(len(rows), ROWS_A_SUM):
            kinds, codes = self.of(rows[part], count)
            often = np.bincount(codes, minlength=len(kinds)).astype(np.float64)
            total += often @ kinds.astype(np.float64)
        return parts.total(total)


def class_counts(options: Counts, task: Task) -> ClassCounts:
    """The classes of a column, or the combinations of values of several columns.

    Raises:
        InvalidInput: a column of the wrong kind, or one that the options do not divide into classes.
    """
    if isinstance(options.column, list):
        task.parts.refuse(f"{task.user}: a list of columns")
        return _jointly(options, task)
    column = task.pool.column(options.column, task.user)
    if isinstance(column, Objects):
        return _of_objects(options, column, task)
    if isinstance(column, np.ndarray) and column.ndim > 1:
        names = class_names(task.pool, options.column, column.shape[-1])
        if options.count == "soft":
            return ClassCounts(names, lambda rows, of: merged(_soft(options, task, rows, of)))
        return _one_each(names, lambda rows, of: _soft(options, task, rows, of).argmax(1))
    names, codes = categories_of(options, options.column, task.pool, task.user, task.parts)
    return _one_each(names, lambda rows, _: codes[rows])


def labeled_counts(options: HasClasses, counted: ClassCounts, task: Task) -> np.ndarray:
    """(C,) float64, the counts of the labeled samples: of their true classes where those are given.

    Raises:
        InvalidInput: true classes that are not among the classes counted.
    """
    pool, labeled = task.pool, np.flatnonzero(task.pool.labeled)
    if options.labels is None:
        here = pool.present(options.judged_by())
        return counted.total(labeled[here[labeled]], task.parts)
    pool.column(options.labels, task.user)
    known = labeled[~pool.missing[options.labels][labeled]]
    return task.parts.total(true_counts(options.labels, counted.names, known, task))


def target_of(options: HasClasses, counted: ClassCounts, task: Task) -> np.ndarray:
    """(C,) float64 target shares, which sum to 1.

    Raises:
        InvalidInput: shares of unknown classes, or shares that do not sum to 1.
    """
    target, classes = options.target, counted.names
    if target == "input":
        total = counted.total(np.flatnonzero(task.pool.present(options.judged_by())), task.parts)
        return total / total.sum() if total.sum() > 0 else np.full(len(classes), 1 / len(classes))
    if target == "uniform":
        return np.full(len(classes), 1 / len(classes))
    unknown = [name for name in target if name not in classes]
    if unknown:
        raise InvalidInput(
            f"{task.user}: target names {unknown[0]!r}, which is no class; "
            f"the classes are {first_names(classes)}"
        )
    together = sum(target.values())
    rest = [name for name in classes if name not in target]
    if together > 1 + 1e-6 or together <= 0 or (not rest and together < 1 - 1e-6):
        raise InvalidInput(f"{task.user}: the target's shares add up to {together:g}; they must make 1")
    left = max(0.0, 1 - together) / max(1, len(rest))
    return np.array([target.get(name, left) for name in classes], dtype=np.float64)


def beyond_chance(counts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(C,) float64 counts, as uneven as chance alone does not explain; their total stays.

    Of labels that fall on C classes by chance, Pearson's chi-squared against the target is C - 1 on
    average. So much of what is seen is taken for chance, and the counts are moved toward the target's
    by the share (C - 1) / chi-squared, at most wholly: shrinkage by empirical Bayes, as Efron and
    Morris, "Data analysis using Stein's estimator and its generalizations" (1975), with the prior's
    variance by the method of moments.

    Args:
        counts: (C,) counts of the labeled samples, at least 0.
        target: (C,) target shares, which sum to 1.
    """
    wanted = counts.sum() * target
    possible = wanted > 0
    apart = (counts - wanted)[possible]
    chi_squared = float((apart * apart / wanted[possible]).sum())
    by_chance = max(0, int(possible.sum()) - 1)
    share = 1.0 if chi_squared <= by_chance else by_chance / chi_squared
    return np.where(possible, counts + share * (wanted - counts), counts)


def merged(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(U, C) distinct rows and (R,) the index of each row in them; all R rows where few are equal."""
    everyone = np.arange(len(rows))
    few = np.ascontiguousarray(rows[:: max(1, len(rows) // MERGE_TRIED)])
    if len(rows) < 2 or (len(few) < len(rows) and 2 * len(merged(few)[0]) > len(few)):
        return rows, everyone
    # A hash from integers, whose sums do not depend on the order. The comparison below makes sure that
    # unequal rows with equal hashes are not merged.
    bits = rows.view(np.uint32 if rows.dtype.itemsize == 4 else np.uint64)
    keys = np.zeros(len(rows), dtype=np.uint64)
    factors: Any = np.random.default_rng(0).integers(1 << 63, size=bits.shape[1], dtype=np.uint64)
    for column in range(bits.shape[1]):
        keys += bits[:, column] * (factors[column] | np.uint64(1))
    _, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    if 2 * len(first) > len(rows) or not (rows == rows[first][codes]).all():
        return rows, everyone
    return rows[first], codes


def true_counts(labels: str, classes: Sequence[str], rows: np.ndarray, task: Task) -> np.ndarray:
    """(C,) float64, how often each class occurs at ``rows`` of a column of true classes or objects.

    Raises:
        InvalidInput: objects without classes, or true classes that are not among ``classes``.
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
    codes = codes_of(task.pool, labels, classes, task.user)
    refuse_unknown(task.pool, labels, rows, codes, classes, task.user)
    return np.bincount(codes[rows], minlength=len(classes)).astype(np.float64)


def _one_each(names: list[str], codes: Callable[[np.ndarray, int], np.ndarray]) -> ClassCounts:
    kinds = np.eye(len(names), dtype=np.float32)
    return ClassCounts(names, lambda rows, of: (kinds, codes(rows, of)))


def _soft(options: Counts, task: Task, rows: np.ndarray, of: int) -> np.ndarray:
    """(R, C) probabilities of some rows ``of`` so many."""
    width = task.pool.columns[options.column].shape[-1]
    dtype = np.float64 if of * width <= settings.float64_up_to else np.float32
    independent = options.multi_label or options.column in task.pool.independent
    return all_probabilities(options, task, rows, independent=independent, dtype=dtype)


def _of_objects(options: Counts, objects: Objects, task: Task) -> ClassCounts:
    """How many objects of each class a sample has; with "soft" the sum of their probabilities."""
    classes = objects.classes or task.pool.classes.get(options.column)
    nameless = objects.labels is None and objects.probabilities is None and objects.total > 0
    if classes is None or nameless:
        raise InvalidInput(f"{task.user}: the objects of {options.column!r} have no classes to count")
    of_each = _object_rows(options, objects, len(classes))
    if objects.confidences is not None:
        of_each[objects.confidences < options.min_confidence] = 0
    ones = np.ones(objects.total, dtype=np.float32)
    shape = (len(objects), objects.total)
    inside = csr_matrix((ones, np.arange(objects.total), objects.offsets), shape=shape)
    named = _classes_that_count(options, list(classes), task)
    counts = np.asarray(inside @ of_each[:, [classes.index(name) for name in named]])
    return ClassCounts(named, lambda rows, _: merged(counts[rows]))


def _classes_that_count(options: Counts, classes: list[str], task: Task) -> list[str]:
    """The classes that the options name; else those of the labels and the target, if there are two.

    A detector that was trained on other data may know many classes that nobody labels. Where all
    counted, these would take most of the picks, because there is no label of them.
    """
    if options.classes is not None:
        unknown = [name for name in options.classes if name not in classes]
        if unknown:
            raise InvalidInput(
                f"{task.user}: classes: {unknown[0]!r} is no class; the classes are "
                f"{first_names(classes)}"
            )
        return [name for name in classes if name in options.classes]
    truth = task.pool.columns.get(options.labels) if options.labels else None
    if not isinstance(truth, Objects):
        return classes
    named = {*(truth.classes or []), *(options.target if isinstance(options.target, dict) else [])}
    found = [name for name in classes if name in named]
    return found if len(found) > 1 else classes


def _object_rows(options: Counts, objects: Objects, width: int) -> np.ndarray:
    """(M, C), one row per object: its probabilities, or a 1 at its class."""
    out = np.zeros((objects.total, width), dtype=np.float32)
    if objects.labels is not None:
        known = np.flatnonzero(objects.labels >= 0)
        out[known, objects.labels[known]] = 1
    if objects.probabilities is not None:
        here = ~np.isnan(objects.probabilities[:, 0])
        p = objects.probabilities[here]
        out[here] = p if options.count == "soft" else np.eye(width)[p.argmax(1)]
    return out


def _jointly(options: Counts, task: Task) -> ClassCounts:
    """A class for each combination of values that occurs."""
    parts = [categories_of(options, one, task.pool, task.user) for one in options.column]
    here = task.pool.present(options.column)
    together = np.zeros(task.pool.n, dtype=np.int64)
    for names, codes in parts:
        together = together * len(names) + np.maximum(codes, 0)
    occurring = np.unique(together[here])
    if len(occurring) > MOST_CATEGORIES:
        raise InvalidInput(
            f"{task.user}: {', '.join(map(repr, options.column))} have {len(occurring):,} "
            "combinations, too many to balance jointly; balance each on its own, or in fewer bins"
        )
    labels = []
    for one in occurring.tolist():
        values: list[str] = []
        for names, _ in reversed(parts):
            one, code = divmod(one, len(names))
            values.insert(0, names[code])
        labels.append(", ".join(values))
    codes = np.searchsorted(occurring, together)
    return _one_each(labels, lambda rows, _: codes[rows])


def categories_of(
    options: Counts, name: str, pool: Pool, user: str, parts: Parts = WHOLE
) -> tuple[list[str], np.ndarray]:
    """The classes of a column of single values, and (N,) int64 the class of each sample.

    The class of a sample without a value is arbitrary.

    Args:
        options: how numbers are put into bins, and dates are divided.
        user: what uses the column; error messages start with it.
        parts: the parts of the pool.

    Raises:
        InvalidInput: a column of the wrong kind, or dates without the option ``by``.
    """
    column = pool.column(name, user)
    here = ~pool.missing[name]
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(
            f"{user}: column {name!r} must hold a single value a sample, to be balanced jointly"
        )
    if column.dtype.kind == "M":
        if options.by is None:
            raise InvalidInput(
                f"{user}: column {name!r} holds dates; say by what they are balanced: by: hour, "
                "weekday, month or year"
            )
        parts.refuse(f"{user}: by, for the dates of {name!r},")
        return date_parts(column, here, options.by, options.timezone)
    if column.dtype != object and options.bins is not None:
        if isinstance(options.bins, int):
            parts.refuse(f"{user}: a number of bins (instead of their edges)")
        return binned(pool.numbers(name, user), here, options.bins)
    names = pool.classes.get(name) or _category_names(pool, options.labels, name, here, user, parts)
    codes = codes_of(pool, name, names, user)
    refuse_unknown(pool, name, np.flatnonzero(here), codes, names, user)
    return names, codes


def _category_names(
    pool: Pool, labels: str | None, name: str, here: np.ndarray, user: str, parts: Parts
) -> list[str]:
    """The categories that occur in the column or among the true classes."""
    column = pool.columns[name]
    names = {class_name(value) for value in set(column[here].tolist())}
    truth = pool.columns.get(labels) if labels else None
    if labels and isinstance(truth, np.ndarray):
        known = pool.labeled & ~pool.missing[labels]
        names |= {class_name(value) for value in set(truth[known].tolist())}
    names = set().union(*parts.gathered(names))
    if len(names) > MOST_CATEGORIES:
        how = "give bins" if column.dtype != object else "name a field with fewer"
        raise InvalidInput(
            f"{user}: column {name!r} has {len(names):,} different values, too many to balance; {how}"
        )
    return sorted(names)
