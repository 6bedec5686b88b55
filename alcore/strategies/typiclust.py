"""TypiClust: the most typical sample of each cluster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..geometry.clusters import cluster
from ..geometry.neighbors import nearest_neighbors
from ..scores.typicality import of_distances
from .base import Rule
from .common.choice import Choice
from .common.cluster_rounds import choose_in_rounds
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Metric, Vectors


class TypiClust(Rule):
    """The most typical sample of each cluster; clusters without labeled samples come first.

    There are as many clusters as labeled samples plus budget, at most ``max_clusters``. One sample is
    picked from each in turn: first from those with the fewest labeled samples, then from the larger
    (Hacohen et al., Active Learning on a Budget, 2022, algorithm 1). As in the authors' code, clusters
    of 5 or fewer samples are used only once all others are exhausted.

    Typicality is 1 / (mean distance to the 20 nearest samples of the cluster that are neither labeled
    nor chosen). Where the cluster has fewer than 40 such samples, half of them count.
    """

    about: ClassVar[About] = About(
        favors="the most typical sample of each cluster: needs no label and no model",
        misleads="chooses by a rule of its own, so that nothing combines with it",
        title="TypiClust",
        family=Family.REPRESENTATIVENESS,
        paper="Hacohen et al. 2022, Active Learning on a Budget, algorithm 1",
    )

    strategy: Literal["typiclust"] = "typiclust"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    metric: Metric = Field("cosine", description="cosine: they are normalized first")
    neighbors: int = Field(20, gt=0, description="over which the distance is averaged")
    max_clusters: int = Field(500, gt=0, description="beyond, several are chosen of each")

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        prepare = task.vectors(self.column, self.metric)

        def typical(rows: np.ndarray) -> np.ndarray:
            count = min(self.neighbors, len(rows) // 2)
            if count == 0:
                return np.ones(len(rows))
            return of_distances(nearest_neighbors(prepare(rows), count, task.tick).distances)

        rows = task.shuffled(np.flatnonzero(~task.pool.missing[self.column]))
        labeled = int(task.pool.labeled[rows].sum())
        count = min(labeled + task.picks, self.max_clusters)
        clusters = cluster(prepare(rows), count, task.seed)
        return choose_in_rounds(rows, clusters, typical, task)
