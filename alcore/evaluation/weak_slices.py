"""Weak slices: values of metadata, and pairs of values, where an outcome is worse than elsewhere.

A slice is compared with all samples outside it. A pair of values is also compared with each of its two
values, and the weakest of the three comparisons counts (an intersection-union test). So a pair is
listed only where both values together are worse than either alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal
from zoneinfo import available_timezones

import numpy as np
from scipy.stats import false_discovery_control

from ..data.categories import (
    MOST_CATEGORIES,
    DatePart,
    bin_names,
    class_name,
    quantile_edges,
)
from ..data.categories import date_parts as parts_of_dates
from ..data.errors import InvalidInput
from ..data.numbers import numbers_or_counts
from ..data.pool import Pool
from .significance import Sums, difference_high, interval, p_worse

USER = "slices"  # the start of error messages
DATE_PARTS: tuple[DatePart, ...] = ("hour", "weekday", "month", "year")


@dataclass(frozen=True)
class Value:
    """One value of a column: a category, a bin of numbers, or a part of dates.

    ``filter`` and ``weight`` are entries of a recipe that select or prefer its samples; None for parts
    of dates, because no filter selects those.
    """

    column: str
    value: str
    part: DatePart | None = None
    filter: dict[str, Any] | None = None
    weight: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.column}{f' ({self.part})' if self.part else ''}: {self.value}"


@dataclass(frozen=True)
class Slice:
    """The samples with one value, or with two of different columns.

    Attributes:
        values: one, or two.
        count: how many of its samples have an outcome.
        mean: of their outcomes, with its interval from ``low`` to ``high``.
        difference: ``mean`` minus the mean of all other samples.
        worse_by: by how much it is worse than all others at least: the end of the difference's interval
            that is nearer to 0, positive where the slice is worse.
        p: the one-sided p-value; for a pair, that of its weakest comparison.
        q: the p-value adjusted for all slices that were tested (false discovery rate).
        rows: all rows of the pool with these values, including those without an outcome.
    """

    values: tuple[Value, ...]
    count: int
    mean: float
    low: float
    high: float
    difference: float
    worse_by: float
    p: float
    q: float
    rows: np.ndarray

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


@dataclass(frozen=True)
class WeakSlices:
    """Slices that are worse than the rest, those with the highest ``worse_by`` first.

    ``tested`` is how many slices were tested. ``count`` and ``mean`` are of all samples that have an
    outcome.
    """

    slices: list[Slice]
    tested: int
    count: int
    mean: float


@dataclass(frozen=True)
class _Facet:
    """A column divided into values, and (N,) which each sample of the pool has, -1 where none."""

    values: list[Value]
    codes: np.ndarray


def weak_slices(
    pool: Pool,
    outcome: str,
    columns: Sequence[str],
    *,
    higher_is: Literal["better", "worse"] = "better",
    bins: int = 5,
    date_parts: Sequence[DatePart] = DATE_PARTS,
    timezone: str | None = None,
    pairs: bool = True,
    minimum: int = 20,
    false_discoveries: float = 0.05,
    confidence: float = 0.95,
    most: int = 100,
    tick: Callable[[], None] = lambda: None,
) -> WeakSlices:
    """The slices of a pool in which an outcome is worse than in the rest.

    Outcomes that are all 0 or 1 are tested exactly (Fisher), with Wilson's interval, and Newcombe's
    interval of the difference (1998, method 10). Other outcomes are tested by Welch's test, with
    intervals of Student's t. The false discovery rate over all tested slices is limited by the
    procedure of Benjamini and Hochberg (1995). Slices are sorted by ``worse_by``, because by p-value
    large slices that are hardly worse would come first.

    Args:
        pool: the samples.
        outcome: a column of numbers or bools, such as whether a prediction is right; samples without
            an outcome do not count.
        columns: categories; numbers, binned in equal counts, or by value where there are at most
            ``bins`` values; dates, by ``date_parts``; objects, by how many a sample has.
        higher_is: "worse" for a loss.
        bins: how many bins of numbers, at least 2.
        date_parts: the parts by which dates are divided.
        timezone: of the dates; UTC by default.
        pairs: whether pairs of values are tested too.
        minimum: the least size of a slice that is tested.
        false_discoveries: the share of listed slices that may be there by chance; 1 lists all slices
            that are worse.
        confidence: of the intervals.
        most: how many slices are listed at most.
        tick: called from time to time; an exception that it raises stops the work.

    Raises:
        InvalidInput: a column of the wrong kind or with too many values, or no sample has an outcome.
    """
    _check(bins, minimum, false_discoveries, confidence, date_parts, timezone)
    y = pool.numbers(outcome, "slices: outcome")
    known = np.flatnonzero(~np.isnan(y))
    if len(known) == 0:
        raise InvalidInput(f"slices: no sample has a value in {outcome!r}, by which slices are judged")
    y = y[known]
    mean = float(y.mean())
    exact = bool(np.isin(y, (0, 1)).all())
    sign = 1 if higher_is == "better" else -1
    center = mean if not exact else 0.0 if sign == 1 else 1.0
    # From here on higher is better. Values are centered at 0, because squares would lose digits.
    y = sign * (y - center)

    facets = [
        facet
        for name in dict.fromkeys(columns)
        for facet in _facets(pool, name, bins, date_parts, timezone, known)
        if facet.values
    ]
    if not facets:
        raise InvalidInput("slices: name at least one column of metadata that has values")
    found = _looked_at(facets, known, y, minimum, pairs, tick)
    everyone = Sums(np.array(len(y)), y.sum(), (y * y).sum())
    mine, rest = found.sums, everyone.less(found.sums)
    p = p_worse(mine, rest, exact)
    for value in found.of_values:
        here = np.flatnonzero(found.is_pair)
        part = mine.take(here)
        p[here] = np.maximum(p[here], p_worse(part, value.take(here).less(part), exact))
    q = false_discovery_control(p) if len(p) else p
    difference = mine.mean - rest.mean
    worse_by = -difference_high(mine, rest, exact, confidence)
    listed = np.flatnonzero((q <= false_discoveries) & (difference < 0))
    listed = listed[np.argsort(-worse_by[listed], kind="stable")][:most]
    low, high = interval(mine.take(listed), exact, confidence)
    low, high = (center + low, center + high) if sign == 1 else (center - high, center - low)
    outcomes = center + sign * y
    if outcomes.min() >= 0 and outcomes.max() <= 1:
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    slices = [
        Slice(
            values=found.values_of(facets, at),
            count=int(mine.n[at]),
            mean=float(center + sign * mine.mean[at]),
            low=float(low[number]),
            high=float(high[number]),
            difference=float(sign * difference[at]),
            worse_by=float(worse_by[at]),
            p=float(p[at]),
            q=float(q[at]),
            rows=found.rows_of(facets, at),
        )
        for number, at in enumerate(listed.tolist())
    ]
    return WeakSlices(slices, len(p), len(y), mean)


@dataclass(frozen=True)
class _LookedAt:
    """S slices: their facets (the second -1 for slices of one value), codes and sums.

    ``of_values`` are the sums of each pair's two values alone.
    """

    facets: np.ndarray
    codes: np.ndarray
    sums: Sums
    of_values: tuple[Sums, Sums]

    @property
    def is_pair(self) -> np.ndarray:
        return np.asarray(self.facets[:, 1] >= 0)

    def _places(self, at: int) -> list[tuple[int, int]]:
        both = zip(self.facets[at].tolist(), self.codes[at].tolist(), strict=True)
        return [(facet, code) for facet, code in both if facet >= 0]

    def values_of(self, facets: list[_Facet], at: int) -> tuple[Value, ...]:
        return tuple(facets[facet].values[code] for facet, code in self._places(at))

    def rows_of(self, facets: list[_Facet], at: int) -> np.ndarray:
        inside = [facets[facet].codes == code for facet, code in self._places(at)]
        return np.flatnonzero(np.logical_and.reduce(inside))


def _looked_at(
    facets: list[_Facet],
    known: np.ndarray,
    y: np.ndarray,
    minimum: int,
    pairs: bool,
    tick: Callable[[], None],
) -> _LookedAt:
    """Every value, and every pair that differs from both of its values, with enough outcomes."""
    squares = y * y
    coded = [facet.codes[known] for facet in facets]
    places: list[np.ndarray] = []
    codes: list[np.ndarray] = []
    sums: list[Sums] = []
    of_first: list[Sums] = []
    of_second: list[Sums] = []
    alone = [
        _sums_of(codes_of, len(facet.values), y, squares)
        for codes_of, facet in zip(coded, facets, strict=True)
    ]
    for number, of_facet in enumerate(alone):
        # At least two samples must be outside, because one has no variance.
        large = np.flatnonzero((of_facet.n >= minimum) & (of_facet.n <= len(y) - 2))
        places.append(np.tile((number, -1), (len(large), 1)))
        codes.append(np.column_stack([large, np.full(len(large), -1)]))
        for sum_list in (sums, of_first, of_second):
            sum_list.append(of_facet.take(large))
    for first, second in combinations(range(len(facets)), 2) if pairs else ():
        tick()
        width = len(facets[second].values) + 1
        joint = (coded[first] + 1) * width + coded[second] + 1
        table = _sums_of(joint - 1, (len(facets[first].values) + 1) * width - 1, y, squares)
        cells = np.flatnonzero(table.n >= minimum)
        a, b = (cells + 1) // width - 1, (cells + 1) % width - 1
        both = (a >= 0) & (b >= 0)
        a, b, cells = a[both], b[both], cells[both]
        beyond = table.n[cells] <= np.minimum(alone[first].n[a], alone[second].n[b]) - 2
        a, b, cells = a[beyond], b[beyond], cells[beyond]
        places.append(np.tile((first, second), (len(cells), 1)))
        codes.append(np.column_stack([a, b]))
        sums.append(table.take(cells))
        of_first.append(alone[first].take(a))
        of_second.append(alone[second].take(b))
    return _LookedAt(
        np.concatenate(places),
        np.concatenate(codes),
        Sums.join(sums),
        (Sums.join(of_first), Sums.join(of_second)),
    )


def _sums_of(codes: np.ndarray, size: int, y: np.ndarray, squares: np.ndarray) -> Sums:
    """The sums of the samples with each code from 0 to ``size`` - 1; -1 is left out."""
    tables = (np.bincount(codes + 1, of, minlength=size + 1)[1:] for of in (None, y, squares))
    return Sums(*tables)


def _facets(
    pool: Pool, name: str, bins: int, parts: Sequence[DatePart], zone: str | None, known: np.ndarray
) -> list[_Facet]:
    """Divide a column into values; numbers are binned in equal counts of samples with an outcome."""
    column = pool.column(name, USER)
    here = ~pool.missing[name]
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind == "M":
        facets = []
        for part in parts:
            names, codes = parts_of_dates(column, here, part, zone)
            values = [Value(name, one, part) for one in names]
            facets.append(_Facet(values, np.where(here, codes, -1)))
        return facets
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "Ob":
        return [_by_value(name, column, here)]
    numbers = numbers_or_counts(pool, name, None, USER)
    distinct = np.unique(numbers[here])
    if len(distinct) <= bins:
        return [_by_value(name, numbers, here)]
    inner = quantile_edges(numbers[known][here[known]], bins)
    lows = [float(distinct[0]), *inner.tolist()]
    # A bin includes only its lower edge, but a range in a filter includes both ends. So the range ends
    # at the last number below the next bin.
    highs = [*distinct[np.searchsorted(distinct, inner) - 1].tolist(), float(distinct[-1])]
    values = []
    for number, value in enumerate(bin_names(inner)):
        bounds = {"min": lows[number]} if number > 0 else {}
        bounds |= {"max": highs[number]} if number < len(inner) else {}
        bounds = bounds or {"min": lows[number]}
        weight = _weight(name, [lows[number], highs[number]])
        values.append(Value(name, value, None, {"column": name, **bounds}, weight))
    codes = np.searchsorted(inner, np.nan_to_num(numbers), side="right")
    return [_Facet(values, np.where(here, codes, -1))]


def _by_value(name: str, column: np.ndarray, here: np.ndarray) -> _Facet:
    there = sorted(set(column[here].tolist()), key=class_name)
    if len(there) > MOST_CATEGORIES:
        raise InvalidInput(
            f"{USER}: column {name!r} has {len(there):,} different values, too many to compare; "
            "leave it out"
        )
    place = {one: number for number, one in enumerate(there)}
    codes = np.fromiter((place.get(one, -1) for one in column.tolist()), np.int64, len(column))
    values = [
        Value(
            name,
            class_name(one),
            None,
            {"column": name, "in": [one]},
            _weight(name, [one] if isinstance(one, str | bool) else [one, one]),
        )
        for one in there
    ]
    return _Facet(values, np.where(here, codes, -1))


def _weight(name: str, prefer: list[Any]) -> dict[str, Any]:
    return {"strategy": "weight", "column": name, "prefer": prefer}


def _check(
    bins: int,
    minimum: int,
    false_discoveries: float,
    confidence: float,
    parts: Sequence[str],
    zone: str | None,
) -> None:
    if bins < 2:
        raise InvalidInput(f"slices: bins: {bins} is not a count of at least 2")
    if minimum < 2:
        raise InvalidInput(f"slices: minimum: {minimum} is not a count of at least 2")
    for name, share in (("false_discoveries", false_discoveries), ("confidence", confidence)):
        if not 0 < share <= 1 or (name == "confidence" and share == 1):
            most = "below 1" if name == "confidence" else "at most 1"
            raise InvalidInput(f"slices: {name}: {share} is not a share above 0 and {most}")
    unknown = [part for part in parts if part not in DATE_PARTS]
    if unknown:
        raise InvalidInput(
            f"slices: date_parts: there is no {unknown[0]!r}; there are {', '.join(DATE_PARTS)}"
        )
    if zone is not None and zone not in available_timezones():
        raise InvalidInput(f"slices: there is no time zone {zone!r}; give one such as 'Europe/Vienna'")
