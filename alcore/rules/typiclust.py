"""TypiClust: the most typical sample of each cluster."""

import numpy as np

from ..geometry.clusters import cluster
from ..geometry.neighbors import nearest_neighbors
from ..geometry.vectors import vectors_of
from ..recipe import recipe as entries
from ..scores.typicality import of_distances
from ..strategies import Task
from ..strategies.choice import Choice
from ..strategies.cluster_rounds import choose_in_rounds


def choose(entry: entries.TypiClust, task: Task) -> Choice:
    """Clusters as many as labeled samples and budget together, at most ``max_clusters``; those with
    fewest labeled samples first, then the larger, one pick from each in turn (Hacohen et al., Active
    Learning on a Budget, 2022, algorithm 1). Clusters of 5 or fewer are left out, as in the authors'
    code, while others are left.

    Typicality is 1 / mean distance to the 20 nearest of the cluster that are neither labeled nor
    chosen, or to half of them where there are fewer.
    """
    prepare = vectors_of(entry.column, entry.metric, task)

    def typical(rows: np.ndarray) -> np.ndarray:
        count = min(entry.neighbors, len(rows) // 2)
        if count == 0:
            return np.ones(len(rows))
        return of_distances(nearest_neighbors(prepare(rows), count, task.tick).distances)

    rows = np.flatnonzero(~task.pool.missing[entry.column])
    labeled = int(task.pool.labeled[rows].sum())
    count = min(labeled + task.picks, entry.max_clusters)
    clusters = cluster(prepare(rows), count, task.seed)
    return choose_in_rounds(rows, clusters, typical, task)
