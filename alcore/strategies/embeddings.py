"""Strategies that take embeddings: diversity, coverage."""

import numpy as np
import torch

from .. import recipe as entries
from ..device import FLOAT64_UP_TO, to_tensor
from ..errors import InvalidInput
from ..objectives import Coverage, Diversity, Kernel, Objective
from ..objectives.distances import squared_distances, squared_lengths
from ..recipe import columns_of
from .predictions import measured
from .task import Task

ROWS_A_CHUNK = 1 << 14
SAMPLES_FOR_BANDWIDTH, OTHERS_FOR_BANDWIDTH = 1_000, 10_000
SAME = 1e-12


def diversity(entry: entries.Diversity, task: Task) -> Objective:
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
    apart = torch.where(apart < SAME, 0.0, apart)  # a distance that is but the rounding of 0
    typical = float(apart.mean()) if len(apart) else 0.0
    return Diversity(
        vectors,
        prepare(np.flatnonzero(task.pool.labelled & here)),
        1 / (1 + apart / (typical or 1.0)),
        picks=task.picks,
        metric=entry.metric,
        minimum_distance=entry.minimum_distance,
    )


def coverage(entry: entries.Coverage, task: Task) -> Objective:
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
        weights = measured(entry.weights, task, covered)
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
