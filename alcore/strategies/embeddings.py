"""Strategies that take embeddings: diversity, typicality, similarity, determinantal."""

from typing import Any

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..data.pool import Pool
from ..geometry.distances import nearest_squared, squared_lengths
from ..geometry.neighbors import nearest_neighbors
from ..geometry.vectors import mean_of, vectors_of
from ..objectives import Determinantal, Diversity, Kernel, Objective
from ..recipe import recipe as entries
from ..scores.typicality import NEIGHBORS, of_distances
from .coverage import auto_bandwidth
from .task import Task, score

SAME = 1e-12
ROWS_A_CHUNK = 1 << 14
# The factor of the chosen's kernel matrix has its square in float64 numbers.
MOST_SPANNING = 10_000


def diversity(entry: entries.Diversity, task: Task) -> Objective:
    cosine = entry.metric == "cosine"
    prepare = vectors_of(entry.column, entry.metric, task)
    column = task.pool.columns[entry.column]
    here = ~task.pool.missing[entry.column]
    vectors = prepare(task.candidates)
    centers = prepare(np.flatnonzero(task.pool.labeled & here))
    closeness = torch.ones(len(vectors), dtype=torch.float64, device=task.device)
    if len(centers) == 0:
        mean = mean_of(column, np.flatnonzero(here), unit=cosine)
        closeness = _closeness(vectors, mean, prepare.center)
    return Diversity(
        vectors,
        centers,
        closeness,
        picks=task.picks,
        metric=entry.metric,
        minimum_distance=entry.minimum_distance,
    )


def _closeness(vectors: torch.Tensor, mean: np.ndarray, center: np.ndarray | None) -> torch.Tensor:
    """(n,) float64 ``1 / (1 + d / mean d)``, d the distance to the mean; of directions 1 - cosine."""
    if center is None:
        direction = mean / max(float(np.linalg.norm(mean)), 1e-12)
        apart = (1 - vectors @ to_tensor(direction, vectors.dtype, vectors.device)).clamp_(min=0)
    else:
        middle = to_tensor((mean - center)[None], vectors.dtype, vectors.device)
        apart = vectors.new_full((len(vectors),), torch.inf)
        nearest_squared(vectors, squared_lengths(vectors), middle, squared_lengths(middle), apart)
        apart = apart.sqrt_()
    apart = apart.to(torch.float64)
    apart = torch.where(apart < SAME, 0.0, apart)  # a distance that is but the rounding of 0
    typical = float(apart.mean()) if len(apart) else 0.0
    return 1 / (1 + apart / (typical or 1.0))


def typicality(entry: entries.Typicality, task: Task) -> Objective:
    values, how = typicality_of(entry.column, entry.metric, entry.neighbors, task)
    return score(values[task.candidates], task, float(np.nanmax(values)), {"neighbors": how})


def outliers(entry: entries.Diversity, task: Task) -> np.ndarray:
    """The rows of the pool that are the least typical share of it, ties to the lower row."""
    values, _ = typicality_of(entry.column, entry.metric, NEIGHBORS, task)
    here = np.flatnonzero(~np.isnan(values))
    count = int(entry.ignore_outliers * len(here))
    return here[np.argsort(values[here], kind="stable")[:count]]


def typicality_of(column: str, metric: str, neighbors: int, task: Task) -> tuple[np.ndarray, str]:
    """(N,) float64 typicality in the whole pool, NaN where missing; how neighbors were found."""
    key = (typicality_of, column, metric, neighbors)
    if key not in task.found:
        here = np.flatnonzero(~task.pool.missing[column])
        near = nearest_neighbors(vectors_of(column, metric, task)(here), neighbors, task.tick)
        values = np.full(task.pool.n, np.nan)
        values[here] = of_distances(near.distances)
        task.found[key] = values, near.how
    found: tuple[np.ndarray, str] = task.found[key]
    return found


def similarity(entry: entries.Similarity, task: Task) -> Objective:
    return score((1 + cosines(entry.column, entry.to, task)[task.candidates]) / 2, task)


def cosines(column: str, to: list[Any], task: Task) -> np.ndarray:
    """(N,) float64 cosine of each sample to the nearest of ``to``, NaN where missing.

    Args:
        to: ids of samples of the pool, or vectors.

    Raises:
        InvalidInput: an id that is not in the pool or has no vector, or a vector that does not fit.
    """
    prepare = vectors_of(column, "cosine", task)
    examples = prepare.of(examples_of(column, to, task))
    here = np.flatnonzero(~task.pool.missing[column])
    nearest = np.full(task.pool.n, np.nan)
    for start in range(0, len(here), ROWS_A_CHUNK):
        rows = here[start : start + ROWS_A_CHUNK]
        alike = prepare(rows) @ examples.T
        nearest[rows] = alike.amax(1).clamp_(-1, 1).to(torch.float64).cpu().numpy()
        task.tick()
    return nearest


def examples_of(column: str, to: list[Any], task: Task) -> np.ndarray:
    pool = task.pool
    vectors = pool.columns[column]
    if all(isinstance(one, list) for one in to):
        if any(len(one) != vectors.shape[1] for one in to):
            raise InvalidInput(
                f"{task.user}: to: a vector has not the {vectors.shape[1]} values that those of "
                f"{column!r} have"
            )
        given = np.array(to, dtype=np.float64)
        if not np.isfinite(given).all() or not given.any(1).all():
            raise InvalidInput(f"{task.user}: to: a vector is zero, or has NaN or infinite values")
        return given
    rows = _rows_of(pool, to, task.user)
    without = rows[pool.missing[column][rows]]
    if len(without):
        raise InvalidInput(
            f"{task.user}: to: {len(without)} of the examples have no {column!r}: "
            f"{', '.join(str(pool.ids[row]) for row in without[:3].tolist())}"
        )
    return vectors[rows]


def _rows_of(pool: Pool, ids: list[Any], user: str) -> np.ndarray:
    if any(isinstance(one, list) for one in ids):
        raise InvalidInput(f"{user}: to: give ids or vectors, not both")
    wanted = set(ids)
    rows = {one: row for row, one in enumerate(pool.ids) if one in wanted}
    unknown = [one for one in ids if one not in rows]
    if unknown:
        raise InvalidInput(
            f"{user}: to: {len(unknown)} of the examples are not in the pool: "
            f"{', '.join(map(str, unknown[:3]))}"
        )
    return np.array([rows[one] for one in ids], dtype=np.int64)


def determinantal(entry: entries.Determinantal, task: Task) -> Objective:
    pool = task.pool
    prepare = vectors_of(entry.column, "cosine", task)
    here = ~pool.missing[entry.column]
    labeled = np.flatnonzero(here & pool.labeled)
    if len(labeled) + task.picks > MOST_SPANNING:
        raise InvalidInput(
            f"{task.user}: takes at most {MOST_SPANNING} labeled and chosen samples together, not "
            f"{len(labeled) + task.picks}; use diversity or coverage"
        )
    width = 1.0
    if entry.kernel == "gaussian":
        everyone = np.flatnonzero(here & ~pool.labeled)
        generator = np.random.default_rng(task.seed)
        centers = len(labeled) + task.picks
        width = (
            auto_bandwidth(prepare, everyone, centers, generator)
            if entry.bandwidth == "auto"
            else entry.bandwidth
        )
    return Determinantal(prepare(task.candidates), prepare(labeled), Kernel(entry.kernel, width))
