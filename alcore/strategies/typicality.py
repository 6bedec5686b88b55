"""Typicality: samples in dense regions; with a negative strength, outliers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..geometry.neighbors import nearest_neighbors
from ..geometry.vectors import plain_vectors
from ..objectives import Objective
from .base import Strategy
from .common.task import Task
from .common.typicality import typicality_of
from .common.vocabulary import About, Basic, Family, Metric, Vectors


class Typicality(Strategy):
    """Samples in dense regions; negative strength: outliers."""

    about: ClassVar[About] = About(
        favors="in dense surroundings: the common case; a negative strength: outliers",
        misleads="near-duplicates are the most typical",
        title="Typicality",
        family=Family.REPRESENTATIVENESS,
        paper="Hacohen et al. 2022, Active Learning on a Budget, equation 4",
    )

    divisible: ClassVar[bool] = True

    strategy: Literal["typicality"] = "typicality"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    metric: Annotated[Metric, Basic("Distance")] = Field(
        "euclidean", description="cosine: by direction alone"
    )
    neighbors: int = Field(20, gt=0, description="over which the distance is averaged")

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        values, how = typicality_of(self.column, self.metric, self.neighbors, task)
        highest = max(task.parts.gathered(float(np.nanmax(values, initial=-np.inf))))
        return task.score(values[task.candidates], highest, {"neighbors": how})

    def summands(self, task: Task, rows: np.ndarray) -> np.ndarray:
        """LightlyOne's typicality: the mean of ``exp(-d / mean d)`` over the nearest neighbors."""
        pool = task.pool
        column = pool.vectors(self.column, task.user, directions=self.metric == "cosine")
        here = np.flatnonzero(~pool.missing[self.column])
        vectors = torch.from_numpy(plain_vectors(column[here], self.metric))
        near = nearest_neighbors(vectors, self.neighbors, task.tick).distances
        out = np.zeros(pool.n)
        out[here] = np.exp(-near / (near.mean() or 1.0)).mean(1) if near.size else 1.0
        return out[rows]
