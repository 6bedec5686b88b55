"""Strata: samples grouped by the values of some columns, and the target's share of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..data.categories import class_name
from ..data.errors import InvalidInput
from ..data.pool import Pool

NONE = "(none)"
# More values than this are not categories.
MOST_VALUES = 1000
ROUNDS, CLOSE = 1000, 1e-9


@dataclass(frozen=True)
class Strata:
    """The strata of a pool and of the target.

    Attributes:
        columns: the columns; empty for a single stratum of all samples.
        values: for each of the S strata, its value in each column.
        pool: (N,) int64 stratum of each sample of the pool.
        target: (B,) int64 stratum of each sample of the target.
    """

    columns: list[str]
    values: list[tuple[str, ...]]
    pool: np.ndarray
    target: np.ndarray

    def name(self, stratum: int) -> str:
        """The name of a stratum."""
        return ", ".join(self.values[stratum]) or "all"


def strata_of(pool: Pool, target: Pool, columns: list[str]) -> Strata:
    """Number the combinations of values of ``columns``; a missing value counts as a value.

    Raises:
        InvalidInput: a column that does not hold categories, or more than 1,000 strata.
    """
    joint = np.zeros(pool.n + target.n, dtype=np.int64)
    values: list[tuple[str, ...]] = [()]
    for column in columns:
        names, codes = _numbered(pool, target, column)
        seen, joint = np.unique(joint * (len(names) + 1) + codes, return_inverse=True)
        named = [*names, NONE]
        values = [
            (*values[one // (len(names) + 1)], named[one % (len(names) + 1)]) for one in seen.tolist()
        ]
        if len(values) > MOST_VALUES:
            raise InvalidInput(
                f"strata: {', '.join(columns)} make more than {MOST_VALUES} strata; name columns with "
                "fewer values"
            )
    return Strata(list(columns), values, joint[: pool.n], joint[pool.n :])


def shares_of(strata: Strata, given: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """(S,) float64 share of each stratum in the target, which sum to 1.

    Where shares of a column's values are given, the target's samples are weighted until they have these
    shares, while the distribution changes as little as possible (raking: Deming and Stephan, 1940).
    Values that are not named divide the rest, in their present proportions.

    Raises:
        InvalidInput: an unknown value, shares that do not sum to 1, or shares that no weights reach.
    """
    counts = np.bincount(strata.target, minlength=len(strata.values)).astype(np.float64)
    shares = counts / counts.sum()
    margins = []
    for column, wanted in given.items():
        place = strata.columns.index(column)
        names = sorted({values[place] for values in strata.values})
        code = np.array([names.index(values[place]) for values in strata.values])
        now = np.bincount(code, weights=shares, minlength=len(names))
        margins.append((code, _margin(column, names, now, wanted)))
    for _ in range(ROUNDS):
        off = 0.0
        for code, margin in margins:
            now = np.bincount(code, weights=shares, minlength=len(margin))
            off = max(off, float(np.abs(now - margin).max()))
            with np.errstate(invalid="ignore", divide="ignore"):
                shares = shares * np.where(now > 0, margin / now, 0.0)[code]
        if off < CLOSE:
            return np.asarray(shares / shares.sum())
    if not margins:
        return shares
    raise InvalidInput(
        f"shares: no weighing of the samples there are gives the shares of {' and '.join(given)} "
        "together; ask for less of what hardly goes together"
    )


def total_variation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...,) half the sum of absolute differences over the last axis, from 0 (equal shares) to 1."""
    return np.asarray(np.abs(a - b).sum(-1) / 2)


def _margin(column: str, names: list[str], now: np.ndarray, wanted: Mapping[str, float]) -> np.ndarray:
    alias = {"true": "1", "false": "0"}  # as JSON writes them
    named = {name if name in names else alias.get(name.lower(), name): s for name, s in wanted.items()}
    for name, share in named.items():
        lacks = name not in names or now[names.index(name)] == 0
        if lacks and share > 0:
            known = ", ".join(map(repr, [n for n, s in zip(names, now, strict=True) if s > 0][:10]))
            raise InvalidInput(
                f"shares: no sample of the target has {column} {name!r}; there are {known}"
            )
    total = sum(named.values())
    rest = np.array([name not in named for name in names]) * now
    left = 1 - total
    if left < -CLOSE or (left > CLOSE and rest.sum() == 0):
        raise InvalidInput(f"shares: those of {column} add up to {total:g}; they must make 1")
    others = rest * (max(0.0, left) / rest.sum()) if rest.sum() > 0 else rest
    return np.asarray([named.get(name, 0.0) for name in names]) + others


def _numbered(pool: Pool, target: Pool, column: str) -> tuple[list[str], np.ndarray]:
    """The sorted values of a column, and (N + B,) the index of each sample's; the last + 1 for none."""
    parts = [_named(one, column) for one in (pool, target)]
    names = sorted({name for some, _ in parts for name in some})
    if len(names) > MOST_VALUES:
        raise InvalidInput(
            f"strata: column {column!r} has {len(names)} different values; name one with fewer than "
            f"{MOST_VALUES}"
        )
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.append([place[name] for name in some], len(names)).astype(np.int64)[numbers]
        for some, numbers in parts
    ]
    return names, np.concatenate(codes)


def _named(pool: Pool, column: str) -> tuple[list[str], np.ndarray]:
    """The distinct values of a column, and (N,) the index of each sample's; the last + 1 for none."""
    values = pool.column(column, "strata")
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind == "M":
        raise InvalidInput(f"strata: column {column!r} must hold one category a sample")
    here = ~pool.missing[column]
    if values.dtype.kind == "f":
        here &= ~np.isnan(values)
    some = values[here].astype(str) if values.dtype == object else values[here]
    distinct, inverse = np.unique(some, return_inverse=True)
    numbers = np.full(pool.n, len(distinct), dtype=np.int64)
    numbers[here] = inverse
    names = [str(int(v)) if isinstance(v, bool) else class_name(v) for v in distinct.tolist()]
    return names, numbers
