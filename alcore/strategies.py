"""From an entry of a recipe to the objective it stands for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from . import recipe as entries
from . import scores
from .device import FLOAT64_UP_TO, to_tensor
from .errors import InvalidInput, name_samples
from .objectives import Balance, Coverage, Diversity, Kernel, Objective, Score
from .objectives.distances import squared_distances, squared_lengths
from .pool import Pool
from .probabilities import as_probabilities

ROWS_A_CHUNK = 1 << 14
NUMBERS_A_CHUNK = 1 << 21
SAMPLES_FOR_BANDWIDTH, OTHERS_FOR_BANDWIDTH = 1_000, 10_000
SAME = 1e-12


@dataclass(frozen=True)
class Task:
    """What a stage chooses from, as its strategies see it.

    ``candidates`` are rows of the pool, ``picks`` how many will be chosen, ``user`` the entry's place
    in the recipe, for errors.
    """

    pool: Pool
    candidates: np.ndarray
    picks: int
    seed: int
    device: torch.device
    user: str = ""


def columns_of(entry: Any) -> list[str]:
    """The columns without which an entry cannot judge a sample."""
    columns = [entry.column] if hasattr(entry, "column") else []
    weights = getattr(entry, "weights", None)
    if weights is not None:
        columns.append(weights if isinstance(weights, str) else weights.column)
    return columns


def build(entry: Any, task: Task) -> Objective:
    """The objective of an entry, over the task's candidates.

    Raises:
        InvalidInput: a column that is not there, of another kind, or with values that cannot be used.
    """
    return BUILDERS[type(entry)](entry, task)


def _uncertainty(entry: entries.Uncertainty, task: Task) -> Objective:
    return _score(_measured(entry, task, task.candidates), task)


def _measured(entry: entries.Uncertainty, task: Task, rows: np.ndarray) -> np.ndarray:
    measure = getattr(scores, entry.measure)
    parts = [measure(p) for p in _probabilities(entry, task, rows)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _random(entry: entries.Random, task: Task) -> Objective:
    # Drawn for the whole pool, so that a filter does not change what the other samples drew.
    drawn = np.random.default_rng(task.seed).random(task.pool.n)
    return _score(drawn[task.candidates], task)


def _weight(entry: entries.Weight, task: Task) -> Objective:
    numbers = task.pool.numbers(entry.column, task.user)
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
    return _score(scaled, task)


def _balance(entry: entries.Balance, task: Task) -> Objective:
    pool, labelled = task.pool, np.flatnonzero(task.pool.labelled)
    if pool.column(entry.column, task.user).ndim == 1:
        classes = _category_names(entry, pool)
        rows_of = _one_hot(pool.columns[entry.column], classes, entry.column, task)
    else:
        width = pool.columns[entry.column].shape[-1]
        classes = pool.classes.get(entry.column) or [str(c) for c in range(width)]

        def rows_of(rows: np.ndarray) -> np.ndarray:
            dtype = np.float64 if len(rows) * width <= FLOAT64_UP_TO else np.float32
            parts = [p.astype(dtype) for p in _probabilities(entry, task, rows)]
            return np.concatenate(parts) if parts else np.zeros((0, width), dtype=dtype)

    here = ~pool.missing[entry.column]
    if entry.labels is None:
        counts = rows_of(labelled[here[labelled]]).sum(0, dtype=np.float64)
    else:
        truth = pool.column(entry.labels, task.user)
        known = labelled[~pool.missing[entry.labels][labelled]]
        counts = _one_hot(truth, classes, entry.labels, task)(known).sum(0, dtype=np.float64)
    if entry.target == "input":
        target = rows_of(np.flatnonzero(here)).mean(0, dtype=np.float64)
    else:
        target = _target_shares(entry.target, classes, task.user)
    mine = rows_of(task.candidates)
    return Balance(
        to_tensor(mine, torch.from_numpy(mine).dtype, task.device),
        to_tensor(target, torch.float64, task.device),
        to_tensor(counts, torch.float64, task.device),
        classes,
    )


def _target_shares(target: Any, classes: list[str], user: str) -> np.ndarray:
    if target == "uniform":
        return np.full(len(classes), 1 / len(classes))
    unknown = [name for name in target if name not in classes]
    if unknown:
        raise InvalidInput(
            f"{user}: target names {unknown[0]!r}, which is no class; "
            f"the classes are {_listed(classes)}"
        )
    total = sum(target.values())
    rest = [name for name in classes if name not in target]
    if total > 1 + 1e-6 or total <= 0 or (not rest and total < 1 - 1e-6):
        raise InvalidInput(f"{user}: the target's shares add up to {total:g}; they must make 1")
    left = max(0.0, 1 - total) / max(1, len(rest))
    return np.array([target.get(name, left) for name in classes], dtype=np.float64)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")


def _category_names(entry: entries.Balance, pool: Pool) -> list[str]:
    if entry.column in pool.classes:
        return pool.classes[entry.column]
    column = pool.columns[entry.column]
    names = set(map(str, column[~pool.missing[entry.column]].tolist()))
    if entry.labels in pool.columns:
        truth = pool.columns[entry.labels][pool.labelled & ~pool.missing[entry.labels]]
        names |= set(map(str, truth.tolist()))
    return sorted(names)


def _one_hot(
    column: np.ndarray, classes: list[str], name: str, task: Task
) -> Callable[[np.ndarray], np.ndarray]:
    if column.ndim != 1:
        raise InvalidInput(f"{task.user}: column {name!r} must hold one category a sample")
    position = {name: index for index, name in enumerate(classes)}
    codes = np.array([position.get(str(value), -1) for value in column.tolist()])

    def rows_of(rows: np.ndarray) -> np.ndarray:
        unknown = rows[codes[rows] < 0]
        if len(unknown):
            raise InvalidInput(
                f"{task.user}: column {name!r} holds {str(column[unknown[0]])!r} "
                f"({name_samples(task.pool.ids, unknown)}), which is no class; "
                f"the classes are {_listed(classes)}"
            )
        out = np.zeros((len(rows), len(classes)), dtype=np.float32)
        out[np.arange(len(rows)), codes[rows]] = 1
        return out

    return rows_of


def _diversity(entry: entries.Diversity, task: Task) -> Objective:
    cosine = entry.metric == "cosine"
    column = task.pool.vectors(entry.column, task.user, directions=cosine)
    here = ~task.pool.missing[entry.column]
    mean = _mean(column, np.flatnonzero(here), unit=cosine)
    prepare = _Vectors(column, None if cosine else mean, task.device)
    vectors = prepare(task.candidates)
    if cosine:
        direction = mean / max(float(np.linalg.norm(mean)), 1e-12)
        apart = (1 - vectors @ to_tensor(direction, vectors.dtype, task.device)).clamp_(min=0)
    else:
        apart = squared_lengths(vectors).sqrt_()
    apart = apart.to(torch.float64)
    typical = float(apart.mean()) if len(apart) else 0.0
    return Diversity(
        vectors,
        prepare(np.flatnonzero(task.pool.labelled & here)),
        1 / (1 + apart / (typical or 1.0)),
        picks=task.picks,
        metric=entry.metric,
        minimum_distance=entry.minimum_distance,
    )


def _coverage(entry: entries.Coverage, task: Task) -> Objective:
    pool = task.pool
    column = pool.vectors(entry.column, task.user, directions=True)
    here = ~pool.missing[entry.column]
    covered = np.flatnonzero(pool.present(columns_of(entry)) & ~pool.labelled)
    generator = np.random.default_rng(task.seed)
    if len(covered) > entry.max_covered:
        covered = np.sort(generator.choice(covered, entry.max_covered, replace=False))
    centres = np.flatnonzero(here & pool.labelled)
    prepare = _Vectors(column, None, task.device)
    vectors = prepare(task.candidates)
    same = np.array_equal(covered, task.candidates)
    bandwidth = 1.0
    if entry.kernel == "gaussian":
        bandwidth = (
            _auto_bandwidth(prepare, covered, len(centres) + task.picks, generator)
            if entry.bandwidth == "auto"
            else entry.bandwidth
        )
    weights = _covered_weights(entry, task, covered)
    return Coverage(
        vectors,
        vectors if same else prepare(covered),
        to_tensor(weights, vectors.dtype, task.device),
        prepare(centres),
        Kernel(entry.kernel, bandwidth),
    )


def _covered_weights(entry: entries.Coverage, task: Task, covered: np.ndarray) -> np.ndarray:
    if entry.weights is None:
        weights = np.ones(len(covered))
    elif isinstance(entry.weights, str):
        weights = task.pool.numbers(entry.weights, task.user)[covered]
        negative = covered[weights < 0]
        if len(negative):
            raise InvalidInput(
                f"{task.user}: weights {entry.weights!r} are below 0 for {len(negative)} samples"
            )
    else:
        weights = _measured(entry.weights, task, covered)
    # A model that is sure of everything says nothing about what matters: all count the same.
    return weights if weights.sum() > 0 else np.ones(len(covered))


def _auto_bandwidth(
    prepare: "_Vectors", covered: np.ndarray, centres: int, generator: np.random.Generator
) -> float:
    """The distance within which each of ``centres`` samples finds its share of the pool.

    The median, over 1,000 samples drawn, of the distance to the one of rank n / centres among up to
    10,000 drawn: an estimate, within a few percent of the whole pool's. On photos and on digits it
    chose as well as the best fixed bandwidth, and it shrinks as more is labelled.
    """
    drawn = generator.permutation(covered)[:OTHERS_FOR_BANDWIDTH]
    others = prepare(drawn)
    squared = squared_distances(others[:SAMPLES_FOR_BANDWIDTH], others)
    rank = min(len(others), max(2, round(len(others) / max(1, centres)) + 1))
    typical = float(squared.kthvalue(rank, dim=1).values.median()) ** 0.5
    # Where half the pool are duplicates the nearest distance above 0 is the scale there is.
    apart = squared[squared > SAME]
    smallest = float(apart.min()) ** 0.5 if len(apart) else 1.0
    return max(typical, smallest)


class _Vectors:
    """Rows of a column as a tensor, brought in chunk by chunk: less the mean, or of length 1."""

    def __init__(self, column: np.ndarray, mean: np.ndarray | None, device: torch.device) -> None:
        self._column = column
        self._mean = mean
        self._device = device
        small = column.size <= FLOAT64_UP_TO
        self._dtype = torch.float64 if small else torch.float32

    def __call__(self, rows: np.ndarray) -> torch.Tensor:
        out = torch.empty((len(rows), self._column.shape[1]), dtype=self._dtype, device=self._device)
        mean = None if self._mean is None else to_tensor(self._mean, self._dtype, self._device)
        for start in range(0, len(rows), ROWS_A_CHUNK):
            chunk = slice(start, start + ROWS_A_CHUNK)
            part = to_tensor(_part(self._column, rows[chunk]), self._dtype, self._device)
            if mean is not None:
                torch.sub(part, mean, out=out[chunk])
            else:
                torch.div(part, part.norm(dim=1, keepdim=True), out=out[chunk])
        return out


def _mean(column: np.ndarray, rows: np.ndarray, *, unit: bool) -> np.ndarray:
    total = np.zeros(column.shape[1])
    for start in range(0, len(rows), ROWS_A_CHUNK):
        part = _part(column, rows[start : start + ROWS_A_CHUNK])
        if unit:
            part = part / np.linalg.norm(part, axis=1, keepdims=True)
        total += np.ones(len(part), dtype=part.dtype) @ part
    return total / max(1, len(rows))


def _part(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows of a column, ascending: a view of it where they lie together."""
    together = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
    return column[rows[0] : rows[-1] + 1] if together else column[rows]


def _probabilities(
    entry: entries.Uncertainty | entries.Balance, task: Task, rows: np.ndarray
) -> Iterator[np.ndarray]:
    """(rows, C) float64 probabilities, some rows at a time."""
    column = task.pool.column(entry.column, task.user)
    if column.ndim == 1 or column.dtype == object:
        raise InvalidInput(
            f"{task.user}: column {entry.column!r} must hold probabilities or logits, (N, C)"
        )
    step = max(1, NUMBERS_A_CHUNK // (column[..., :1, :].size or 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield as_probabilities(
            column[..., part, :],
            given=entry.given,
            temperature=entry.temperature,
            name=f"{task.user}: column {entry.column!r}",
            ids=_Ids(task.pool.ids, part),
        )


class _Ids:
    """The ids of some rows, looked up only for an error."""

    def __init__(self, ids: Any, rows: np.ndarray) -> None:
        self._ids = ids
        self._rows = rows

    def __getitem__(self, index: int) -> Any:
        return self._ids[self._rows[index]]


def _score(values: np.ndarray, task: Task) -> Score:
    return Score(to_tensor(values, torch.float64, task.device))


BUILDERS: dict[type, Callable[[Any, Task], Objective]] = {
    entries.Uncertainty: _uncertainty,
    entries.Diversity: _diversity,
    entries.Coverage: _coverage,
    entries.Balance: _balance,
    entries.Weight: _weight,
    entries.Random: _random,
}
