"""Similarity: samples similar to given examples; with a negative strength, dissimilar to all."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..geometry.vectors import plain_vectors
from ..objectives import Objective
from ..objectives.accumulated import squared_to
from .base import Strategy
from .common.examples import Examples, cosines, examples_of
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Vectors


class Similarity(Strategy):
    """Samples similar to the nearest of given examples; negative strength: dissimilar to all."""

    about: ClassVar[About] = About(
        favors="like some examples, or unlike them",
        misleads="alone it picks near-duplicates",
        title="Similarity",
        family=Family.METADATA,
    )
    divisible: ClassVar[bool] = True

    strategy: Literal["similarity"] = "similarity"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    to: Annotated[Examples, Basic("Like")] = Field(description="ids of samples of the pool, or vectors")

    def examples(self) -> list[tuple[str, list[Any]]]:
        """The column of vectors and the examples to compare with."""
        return [(self.column, self.to)]

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        if not isinstance(self.to[0], list):
            task.parts.refuse(f"{task.user}: to, of ids instead of vectors,")
        near = cosines(task.pool, self.column, self.to, task.user, task.device, task.tick)
        return task.score((1 + near[task.candidates]) / 2)

    def summands(self, task: Task, rows: np.ndarray) -> np.ndarray:
        """LightlyOne's similarity: ``exp(-d / mean d)`` of the distance to the nearest example."""
        pool = task.pool
        column = pool.vectors(self.column, task.user)
        here = np.flatnonzero(~pool.missing[self.column])
        vectors = plain_vectors(column[here], "euclidean")
        nearest = np.full(len(here), np.inf)
        for one in examples_of(pool, self.column, self.to, task.user):
            nearest = np.minimum(nearest, squared_to(vectors, one))
        apart = np.sqrt(nearest)
        out = np.zeros(pool.n)
        out[here] = np.exp(-apart / (apart.mean() or 1.0))
        return out[rows]
