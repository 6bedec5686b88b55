"""One pick from each cluster in turn."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .choice import Choice
from .task import Task

SMALL = 5


def choose_in_rounds(
    rows: np.ndarray,
    clusters: np.ndarray,
    judge: Callable[[np.ndarray], np.ndarray],
    task: Task,
) -> Choice:
    """Choose the best sample of each cluster, then the next best of each, and so on.

    Clusters with few labeled samples come first; clusters of up to 5 samples come after all others.

    Args:
        rows: (n,) rows of the pool.
        clusters: (n,) the cluster of each row; negative where it is in none.
        judge: takes the rows of a cluster that are neither labeled nor chosen and returns their
            values, higher = better.
        task: the candidates and how many to choose.
    """
    count = int(clusters.max()) + 1
    sizes = np.bincount(clusters, minlength=count)
    known = np.bincount(clusters[task.pool.labeled[rows]], minlength=count)
    order = np.lexsort((np.arange(count), -sizes, known))
    large = [one for one in order.tolist() if sizes[one] > SMALL]
    small = [one for one in order.tolist() if 0 < sizes[one] <= SMALL]
    may = np.zeros(task.pool.n, dtype=bool)
    may[task.candidates] = True
    place = np.cumsum(may) - 1
    left = [rows[mine[~task.pool.labeled[rows[mine]]]] for mine in grouped(clusters, count)]
    chosen: list[int] = []
    values: list[float] = []
    for group in (large, small):
        while group and len(chosen) < task.picks:
            # A cluster of which no candidate is left drops out.
            group = [one for one in group if may[left[one]].any()]
            for one in group[: task.picks - len(chosen)]:
                worth = judge(left[one])
                worth = np.where(may[left[one]], worth, -np.inf)
                best = int(worth.argmax())
                chosen.append(int(place[left[one][best]]))
                values.append(float(worth[best]))
                left[one] = np.delete(left[one], best)
    report = {
        "clusters": int((sizes > 0).sum()),
        "clusters_with_labeled": int((known > 0).sum()),
        "small_clusters": len(small),
    }
    return Choice(np.array(chosen, dtype=np.int64), np.array(values), report)


def grouped(clusters: np.ndarray, count: int) -> list[np.ndarray]:
    """The ascending positions in each of ``count`` clusters; negative clusters are left out."""
    order = np.argsort(clusters, kind="stable")
    bounds = np.searchsorted(clusters[order], np.arange(count + 1))
    return [order[a:b] for a, b in pairwise(bounds.tolist())]
