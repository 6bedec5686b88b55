"""Representatives: one sample of each cluster, the nearest to its center."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.settings import chunk_size, chunks, settings
from ..geometry.clusters import cluster
from ..geometry.distances import squared_distances, squared_lengths
from ..geometry.vectors import Vectors as PreparedVectors
from ..objectives import Diversity as NearestDistance
from ..optimizers.combining import Term
from ..optimizers.greedy import greedy
from .base import Rule
from .common.choice import Choice
from .common.cluster_rounds import choose_in_rounds, grouped
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Metric, Vectors, Words

MOST_ROUNDS = 100
ROWS_A_CHUNK = 1 << 11
METHODS = {
    "k_means": Words(
        "the sample nearest the middle of each cluster", "a cluster of few counts like one of many"
    ),
    "k_medoids": Words(
        "the sample of each cluster with all of it near", "slower; outliers get few, which may be right"
    ),
}


class Representatives(Rule):
    """One sample of each cluster, the nearest to its center.

    k-means: there are as many clusters as labeled samples plus budget, at most ``max_clusters``. The
    candidate nearest to each cluster's mean is chosen, then the next nearest of each. Clusters with
    the fewest labeled samples come first.

    k-medoids: the labeled samples are fixed medoids, and the budget is the number of further medoids,
    found among the candidates. The first guess comes from k-center. Then each sample is assigned to its
    nearest medoid, and each cluster's medoid becomes the candidate with the least total distance to the
    cluster; this repeats until no medoid changes, at most 100 times (Park and Jun 2009). The largest
    clusters come first. In a cluster of more than 4,000 samples, distances are measured to 4,000 of
    them at equal steps; of more than 1,000 candidates, the 1,000 nearest to the mean are tried.
    """

    about: ClassVar[About] = About(
        favors="the sample nearest the middle of each cluster",
        misleads="a cluster of few counts like one of many",
        title="Representatives",
        family=Family.REPRESENTATIVENESS,
        paper="Zhdanov 2019, Diverse Mini-batch Active Learning; Park and Jun 2009, K-medoids",
    )

    strategy: Literal["representatives"] = "representatives"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    method: Annotated[Literal["k_means", "k_medoids"], Basic("Method", METHODS)] = Field(
        "k_means", description="how the clusters are made"
    )
    metric: Metric = Field("euclidean", description="cosine: by direction alone")
    max_clusters: int = Field(500, gt=0, description="of k_means; beyond, several are chosen of each")

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        prepare = task.vectors(self.column, self.metric)
        rows = task.shuffled(np.flatnonzero(~task.pool.missing[self.column]))
        if self.method == "k_medoids":
            return _medoids(rows, prepare, task)
        vectors = prepare(rows)
        labeled = int(task.pool.labeled[rows].sum())
        clusters = cluster(vectors, min(labeled + task.picks, self.max_clusters), task.seed)
        sums = torch.zeros((int(clusters.max()) + 1, vectors.shape[1]), dtype=torch.float64)
        sums.index_add_(0, torch.from_numpy(clusters), vectors.cpu().to(torch.float64))
        means = sums.numpy() / np.maximum(np.bincount(clusters), 1)[:, None]
        apart = np.empty(task.pool.n)
        for part in chunks(len(rows), ROWS_A_CHUNK):
            off = vectors[part].cpu().to(torch.float64).numpy() - means[clusters[part]]
            apart[rows[part]] = np.sqrt((off**2).sum(1))
        return choose_in_rounds(rows, clusters, lambda some: -apart[some], task)


def _medoids(rows: np.ndarray, prepare: PreparedVectors, task: Task) -> Choice:
    vectors = prepare(rows)
    place = {row: position for position, row in enumerate(rows.tolist())}
    candidates = np.sort([place[row] for row in task.candidates.tolist()])
    fixed = np.flatnonzero(task.pool.labeled[rows])
    may = np.zeros(len(rows), dtype=bool)
    may[candidates] = True
    medoids = candidates[_k_center(vectors, candidates, fixed, task)]
    for _ in range(MOST_ROUNDS):
        nearest = _nearest(vectors, np.concatenate([fixed, medoids])) - len(fixed)
        groups = grouped(nearest, len(medoids))
        better = medoids.copy()
        for k, now in enumerate(medoids.tolist()):
            better[k] = _medoid(vectors, groups[k], may, now)
            task.tick()
        if (better == medoids).all():
            break
        medoids = better
    sizes = np.bincount(nearest[nearest >= 0], minlength=len(medoids))
    order = np.lexsort((medoids, -sizes))
    chosen = np.searchsorted(task.candidates, rows[medoids[order]])
    return Choice(chosen, sizes[order] / len(rows), {"clusters": len(fixed) + len(medoids)})


def _k_center(
    vectors: torch.Tensor, candidates: np.ndarray, fixed: np.ndarray, task: Task
) -> np.ndarray:
    mine = vectors[torch.from_numpy(candidates).to(vectors.device)]
    closeness = 1 / (1 + squared_lengths(mine - vectors.mean(0)).to(torch.float64))
    centers = vectors[torch.from_numpy(fixed).to(vectors.device)]
    start = NearestDistance(mine, centers, closeness, picks=task.picks)
    return greedy([Term(start, 1.0)], len(mine), task.picks, device=vectors.device).rows


def _nearest(vectors: torch.Tensor, medoids: np.ndarray) -> np.ndarray:
    """(n,) int64, the position of each vector's nearest medoid; ties to the first."""
    out = np.empty(len(vectors), dtype=np.int64)
    centers = vectors[torch.from_numpy(medoids).to(vectors.device)]
    lengths = squared_lengths(centers)
    for start in range(0, len(vectors), chunk_size(ROWS_A_CHUNK)):
        chunk = vectors[start : start + chunk_size(ROWS_A_CHUNK)]
        if vectors.dtype == torch.float64:
            apart = squared_distances(chunk, centers)
        else:
            apart = torch.addmm(lengths, chunk, centers.T, alpha=-2)
        out[start : start + chunk_size(ROWS_A_CHUNK)] = apart.argmin(1).cpu().numpy()
    return out


def _medoid(vectors: torch.Tensor, mine: np.ndarray, may: np.ndarray, now: int) -> int:
    """The candidate with the least total distance to its cluster; the present medoid where it ties."""
    choices = mine[may[mine]]
    if len(choices) == 0:
        return now
    members = vectors[torch.from_numpy(_evenly(mine, settings.medoid_members)).to(vectors.device)]
    if len(choices) > settings.medoid_choices:
        near = vectors[torch.from_numpy(choices).to(vectors.device)] - members.mean(0)
        order = np.argsort(squared_lengths(near).cpu().numpy(), kind="stable")[
            : settings.medoid_choices
        ]
        choices = np.union1d(choices[order], [now] if now in choices else [])
    some = vectors[torch.from_numpy(choices).to(vectors.device)]
    total = squared_distances(some, members).sqrt_().sum(1).cpu().numpy()
    best = int(total.argmin())
    if now in choices and total[np.searchsorted(choices, now)] <= total[best] * (1 + 1e-9):
        return now
    return int(choices[best])


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of the rows, at equal steps."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
