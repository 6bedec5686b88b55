"""Diversity: samples far from all labeled and chosen samples (k-center greedy)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.device import to_tensor
from ..data.parts import Parts
from ..data.settings import chunks
from ..geometry.distances import nearest_squared, squared_lengths
from ..geometry.vectors import ROWS_A_CHUNK, AnyVectors, mean_of, plain_vectors, prepared
from ..objectives import Accumulated, Distances, Objective
from ..objectives import Diversity as NearestDistance
from ..scores.typicality import NEIGHBORS
from .base import Strategy
from .common.task import Task
from .common.typicality import typicality_of
from .common.vocabulary import About, Basic, Family, Metric, Vectors

SAME = 1e-12  # a smaller distance is a rounding error of 0


class Diversity(Strategy):
    """Samples far from all labeled and chosen samples (k-center)."""

    about: ClassVar[About] = About(
        favors="the farthest from all chosen so far (k-center)",
        misleads="goes for outliers: with few labels it can do worse than a random choice",
        title="Diversity",
        family=Family.DIVERSITY,
        paper="Sener and Savarese 2018, A Core-Set Approach, algorithm 1",
    )
    depends_on_picks: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    strategy: Literal["diversity"] = "diversity"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    metric: Annotated[Metric, Basic("Distance")] = Field(
        "euclidean", description="cosine: by direction alone"
    )
    minimum_distance: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="nearer samples are not chosen"
    )
    ignore_outliers: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="the share of the pool, farthest from its neighbors, that is not chosen"
    )

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        prepare = task.vectors(self.column, self.metric)
        here = ~task.pool.missing[self.column]
        vectors = prepared(prepare, task.candidates)
        centers = prepare.everywhere(np.flatnonzero(task.pool.labeled & here))
        closeness = torch.ones(len(vectors), dtype=torch.float64, device=task.device)
        if len(centers) == 0:
            column = task.pool.columns[self.column]
            rows, unit = np.flatnonzero(here), self.metric == "cosine"
            mean = mean_of(column, rows, unit=unit, parts=task.parts)
            closeness = _closeness(vectors, mean, prepare.center, task.parts)
        return NearestDistance(
            vectors,
            centers,
            closeness,
            picks=task.picks,
            metric=self.metric,
            minimum_distance=self.minimum_distance,
        )

    def excluded(self, task: Task) -> np.ndarray:
        """The least typical samples, a share ``ignore_outliers`` of the pool; ties to the lower row."""
        if not self.ignore_outliers:
            return super().excluded(task)
        task.parts.refuse(f"{task.user}: ignore_outliers")
        values, _ = typicality_of(self.column, self.metric, NEIGHBORS, task)
        here = np.flatnonzero(~np.isnan(values))
        count = int(self.ignore_outliers * len(here))
        return here[np.argsort(values[here], kind="stable")[:count]]

    def why_refused(self) -> str | None:
        """Why it may refuse candidates; see ``Strategy.why_refused``."""
        if self.minimum_distance is None:
            return None
        return "is nearer than minimum_distance to one labeled or chosen"

    def accumulated(self, task: Task) -> Accumulated:
        """The accumulated value for combine: "lightly"; see ``Strategy.accumulated``."""
        column = task.pool.vectors(self.column, task.user, directions=self.metric == "cosine")
        candidates, labeled = (
            plain_vectors(column[rows], self.metric) for rows in (task.candidates, self.known(task))
        )
        return Distances(candidates, labeled, self.minimum_distance)


def _closeness(
    vectors: AnyVectors, mean: np.ndarray, center: np.ndarray | None, parts: Parts
) -> torch.Tensor:
    """(n,) float64 ``1 / (1 + d / mean d)`` in (0, 1], where d is the distance to the mean.

    Where ``center`` is None the vectors are directions, and d is 1 - cosine.
    """
    if center is None:
        direction = mean / max(float(np.linalg.norm(mean)), 1e-12)
        along = to_tensor(direction, vectors.dtype, vectors.device)
        cosines = (
            vectors @ along
            if isinstance(vectors, torch.Tensor)
            else torch.cat([vectors[part] @ along for part in chunks(len(vectors), ROWS_A_CHUNK)])
        )
        apart = (1 - cosines).clamp_(min=0)
    else:
        middle = to_tensor((mean - center)[None], vectors.dtype, vectors.device)
        apart = middle.new_full((len(vectors),), torch.inf)
        nearest_squared(vectors, squared_lengths(vectors), middle, squared_lengths(middle), apart)
        apart = apart.sqrt_()
    apart = apart.to(torch.float64)
    apart = torch.where(apart < SAME, 0.0, apart)
    typical = parts.total(float(apart.sum())) / max(1, parts.total(len(apart)))
    return 1 / (1 + apart / (typical or 1.0))
