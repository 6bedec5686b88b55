"""LightlyOne's way to combine: the product of what the chosen add up to, strategy by strategy."""

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from ..data.errors import InvalidInput, name_samples
from ..geometry.neighbors import nearest_neighbors
from ..optimizers.greedy import Picks, Progress
from ..recipe import recipe as entries
from ..recipe.recipe import Stage
from ..strategies import Task, build
from ..strategies.class_rows import class_rows
from ..strategies.classes import labeled_counts, target_of
from ..strategies.embeddings import examples_of
from ..strategies.numbers import numbers_of

# Up to so many numbers vectors are compared in float64, as their engine's picks are known to follow.
FLOAT64_UP_TO = 1 << 26
ROWS_A_CHUNK = 1 << 10
EPSILON = 1e-10
LARGEST_LOG = 700.0  # of a float64


class Part(Protocol):
    """What a strategy has added up to, and would with each candidate."""

    def potentials(self) -> np.ndarray | None:
        """(n,) what it would be with each candidate, at least 0; None while all are alike."""
        ...

    def add(self, row: int) -> None:
        """A candidate is chosen."""
        ...

    def stops(self, row: int) -> bool:
        """Whether choosing that candidate is where the selection is to end instead."""
        ...


def choose(
    stage: Stage, task: Task, places: list[str], budget: int, progress: Progress | None
) -> Picks:
    """The candidate of the highest ``sum of strength * log P(chosen + candidate)``, again and again.

    P is of what is chosen and labeled together: of diversity the sum of squared distances to the
    nearest other, of weights (numbers, measures, typicality, similarity) their sum, of balance
    ``1 / (1 + KL(target || shares) / H(target))``. So early picks weigh more than late ones. Every
    candidate is evaluated at every pick; ties go to the lower row. The picks are those of
    lightly-mundig 0.1.16, but for candidates whose values differ by less than its float32 resolves.

    Raises:
        InvalidInput: a strategy that does not add up, or weights below 0.
    """
    strategies = stage.strategies or []
    parts = [
        _part_of(entry, replace(task, user=at)) for entry, at in zip(strategies, places, strict=True)
    ]
    count = len(task.candidates)
    left = np.ones(count, dtype=bool)
    rows: list[int] = []
    gains: list[float] = []
    values: list[list[float]] = []
    while len(rows) < min(budget, count):
        total = np.zeros(count)
        found = [part.potentials() for part in parts]
        with np.errstate(divide="ignore", invalid="ignore"):
            for entry, each in zip(strategies, found, strict=True):
                if each is not None and entry.strength != 0:
                    total += entry.strength * np.log(each)
        total[np.isnan(total) | ~left] = -np.inf
        best = int(total.argmax()) if total.max() > -np.inf else int(left.argmax())
        if any(part.stops(best) for part in parts):
            break
        rows.append(best)
        gains.append(float(np.exp(min(total[best], LARGEST_LOG))))
        values.append([1.0 if each is None else float(each[best]) for each in found])
        left[best] = False
        for part in parts:
            part.add(best)
        if progress is not None:
            progress(len(rows), budget)
    of_kept = [place for place, entry in enumerate(strategies) if entry.strength != 0]
    table = np.array(values).reshape(len(rows), len(parts))[:, of_kept]
    return Picks(np.array(rows, dtype=np.int64), np.array(gains), table)


class _Sum:
    """Numbers that add up."""

    def __init__(self, mine: np.ndarray, labeled: float, *, most: float = np.inf, least: float = 0.0):
        self._mine, self._sum, self._most, self._least = mine, labeled, most, least

    def potentials(self) -> np.ndarray | None:
        return self._mine + self._sum

    def add(self, row: int) -> None:
        self._sum += float(self._mine[row])

    def stops(self, row: int) -> bool:
        return bool(self._sum + self._mine[row] > self._most or self._mine[row] < self._least)


class _Distances:
    """Squared distances of the chosen to the nearest other of them."""

    def __init__(self, mine: np.ndarray, labeled: np.ndarray, minimum: float | None) -> None:
        self._mine = mine
        self._chosen = list(labeled)
        self._minimum = minimum or 0.0
        self._nearest = np.full(len(mine), np.inf)
        self._of_chosen = np.full(len(labeled), np.inf)
        for number, one in enumerate(labeled):
            self._nearest = np.minimum(self._nearest, _squared(mine, one))
            others = _squared(labeled, one)
            others[number] = np.inf
            self._of_chosen[number] = others.min(initial=np.inf)

    def potentials(self) -> np.ndarray | None:
        if not self._chosen:
            return None
        known = self._of_chosen[np.isfinite(self._of_chosen)]
        together: np.ndarray = self._nearest + known.sum()
        return together

    def add(self, row: int) -> None:
        now = self._mine[row]
        if self._chosen:
            apart = _squared(np.asarray(self._chosen), now)
            self._of_chosen = np.append(np.minimum(self._of_chosen, apart), apart.min())
        else:
            self._of_chosen = np.array([np.inf])
        self._chosen.append(now)
        self._nearest = np.minimum(self._nearest, _squared(self._mine, now))

    def stops(self, row: int) -> bool:
        return bool(self._chosen) and bool(np.sqrt(self._nearest[row]) < self._minimum)


class _Shares:
    """How near the shares of the classes are to a target."""

    def __init__(
        self, kinds: np.ndarray, codes: np.ndarray, labeled: np.ndarray, target: np.ndarray
    ) -> None:
        self._kinds, self._codes, self._counts = kinds, codes, labeled.astype(np.float64)
        self._target = target
        known = target[target > 0]
        self._entropy = float(-(known * np.log2(known)).sum()) + EPSILON

    def potentials(self) -> np.ndarray | None:
        together = self._kinds + self._counts
        total = together.sum(1, keepdims=True)
        shares = np.divide(together, total, out=np.zeros_like(together), where=total > 0)
        apart = (np.log2(self._target + EPSILON) - np.log2(shares + EPSILON)) @ self._target
        return np.asarray(1 / (1 + np.maximum(apart, 0) / self._entropy))[self._codes]

    def add(self, row: int) -> None:
        self._counts += self._kinds[self._codes[row]]

    def stops(self, row: int) -> bool:
        return False


def _part_of(entry: Any, task: Task) -> Part:
    pool = task.pool
    labeled = np.flatnonzero(pool.labeled & pool.present(entries.columns_of(entry)))
    if isinstance(entry, entries.Diversity):
        column = pool.vectors(entry.column, task.user, directions=entry.metric == "cosine")
        mine, theirs = (_vectors(column[rows], entry.metric) for rows in (task.candidates, labeled))
        return _Distances(mine, theirs, entry.minimum_distance)
    if isinstance(entry, entries.Balance):
        counted = class_rows(entry, task)
        kinds, codes = counted.of(task.candidates)
        known = labeled_counts(entry, counted, task)
        return _Shares(kinds.astype(np.float64), codes, known, target_of(entry, counted, task))
    everyone = _weights(entry, task, np.union1d(task.candidates, labeled))
    bad = np.flatnonzero(everyone < 0)
    if len(bad):
        raise InvalidInput(
            f"{task.user}: {name_samples(pool.ids, bad)} with a weight below 0; combine: 'lightly' "
            "adds weights up, which must be 0 or more"
        )
    most = getattr(entry, "max_sum", None)
    return _Sum(
        everyone[task.candidates],
        float(everyone[labeled].sum()),
        most=np.inf if most is None else most,
        least=getattr(entry, "minimum", None) or 0.0,
    )


def _weights(entry: Any, task: Task, rows: np.ndarray) -> np.ndarray:
    """(N,) what each of some rows of the pool weighs; the others 0."""
    out = np.zeros(task.pool.n)
    column: Any = task.pool.columns.get(getattr(entry, "column", ""))
    if isinstance(entry, entries.Typicality | entries.Similarity):
        directions = getattr(entry, "metric", None) == "cosine"
        column = task.pool.vectors(entry.column, task.user, directions=directions)
    if isinstance(entry, entries.Typicality):
        here = np.flatnonzero(~task.pool.missing[entry.column])
        vectors = torch.from_numpy(_vectors(column[here], entry.metric))
        near = nearest_neighbors(vectors, entry.neighbors, task.tick).distances
        out[here] = np.exp(-near / (near.mean() or 1.0)).mean(1) if near.size else 1.0
        return out
    if isinstance(entry, entries.Similarity):
        here = np.flatnonzero(~task.pool.missing[entry.column])
        mine = _vectors(column[here], "euclidean")
        nearest = np.full(len(here), np.inf)
        for one in examples_of(entry.column, entry.to, task):
            nearest = np.minimum(nearest, _squared(mine, one))
        apart = np.sqrt(nearest)
        out[here] = np.exp(-apart / (apart.mean() or 1.0))
        return out
    if isinstance(entry, entries.Weight) and entry.prefer == "high":
        return np.nan_to_num(numbers_of(entry.column, entry.classes, task))
    if isinstance(entry, entries.Uncertainty) and getattr(column, "ndim", 0) == 1:
        return np.nan_to_num(task.pool.numbers(entry.column, task.user))  # scores made elsewhere
    found = build(entry, replace(task, candidates=rows))
    if found.depends_on_picks:
        raise InvalidInput(
            f"{task.user}: does not add up, as combine: 'lightly' has it; it takes diversity, balance, "
            "typicality, similarity, weight, random, and scores of predictions"
        )
    out[rows] = found.values(None).cpu().numpy()
    return out


def _vectors(column: np.ndarray, metric: str) -> np.ndarray:
    vectors = column.astype(np.float64 if column.size <= FLOAT64_UP_TO else np.float32)
    if metric == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _squared(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(n,) squared distances to one vector, of differences, in chunks."""
    out = np.empty(len(vectors))
    for start in range(0, len(vectors), ROWS_A_CHUNK):
        off = vectors[start : start + ROWS_A_CHUNK] - one
        out[start : start + ROWS_A_CHUNK] = np.einsum("nd,nd->n", off, off)
    return out
