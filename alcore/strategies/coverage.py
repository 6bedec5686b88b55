"""The strategy that covers the pool with a kernel: coverage."""

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..geometry.clusters import cluster
from ..geometry.distances import nearest_squared, squared_distances, squared_lengths
from ..geometry.vectors import Vectors, vectors_of
from ..objectives import KEPT_UP_TO, Coverage, KeptCoverage, Kernel, Objective
from ..recipe import recipe as entries
from ..recipe.recipe import columns_of
from .predictions import measured
from .task import Task

SAMPLES_FOR_BANDWIDTH, OTHERS_FOR_BANDWIDTH = 1_000, 10_000
SAME = 1e-12
PURITY, BALLS = 0.95, 20_000


def coverage(entry: entries.Coverage, task: Task) -> Objective:
    pool = task.pool
    if entry.kernel == "cosine" and entry.metric != "cosine":
        raise InvalidInput(
            f"{task.user}: metric: {entry.metric!r} does not go with the kernel 'cosine'; use gaussian"
        )
    prepare = vectors_of(entry.column, entry.metric, task)
    covered = np.flatnonzero(pool.present(columns_of(entry)) & ~pool.labeled)
    generator = np.random.default_rng(task.seed)
    if len(covered) > entry.max_covered:
        covered = np.sort(generator.choice(covered, entry.max_covered, replace=False))
    centers = np.flatnonzero(~pool.missing[entry.column] & pool.labeled)
    vectors = prepare(task.candidates)
    same = np.array_equal(covered, task.candidates)
    width = 1.0
    if entry.kernel == "gaussian":
        width = (
            auto_bandwidth(prepare, covered, len(centers) + task.picks, generator)
            if entry.bandwidth == "auto"
            else entry.bandwidth
        )
    elif entry.kernel == "ball":
        width = _pure_radius(entry, task, prepare) if entry.radius == "auto" else entry.radius
    weights = _covered_weights(entry, task, covered)
    kept = same and vectors.dtype == torch.float32 and len(covered) ** 2 <= KEPT_UP_TO
    return (KeptCoverage if kept else Coverage)(
        vectors,
        vectors if same else prepare(covered),
        to_tensor(weights, vectors.dtype, task.device),
        prepare(centers),
        Kernel(entry.kernel, width, unit=entry.metric == "cosine"),
    )


def _pure_radius(entry: entries.Coverage, task: Task, prepare: Vectors) -> float:
    """ProbCover's rule: the largest radius at which 95% of the balls hold one cluster alone.

    A ball holds one cluster alone up to the distance to the nearest sample of another, so that the
    radius is a quantile of these distances (Yehuda et al. 2022, section 3.3, which tries radii out).
    Clusters are k-means', as many as classes. Of more than 20,000 samples, so many drawn ones have
    their distances measured, to all others.
    """
    pool = task.pool
    known = {len(names) for names in pool.classes.values()}
    count = entry.clusters or (known.pop() if len(known) == 1 else None)
    if count is None or count < 2:
        raise InvalidInput(
            f"{task.user}: radius: 'auto' needs clusters, the number of classes that there are"
        )
    rows = np.flatnonzero(~pool.missing[entry.column])
    vectors = prepare(rows)
    clusters = torch.from_numpy(cluster(vectors, count, task.seed)).to(vectors.device)
    asked = np.sort(np.random.default_rng(task.seed).permutation(len(rows))[:BALLS])
    reach = torch.full((len(asked),), torch.inf, dtype=vectors.dtype, device=vectors.device)
    lengths = squared_lengths(vectors)
    members = clusters[torch.from_numpy(asked).to(vectors.device)]
    for one in clusters.unique().tolist():
        mine = (members == one).nonzero().flatten()
        nearest = torch.full((len(mine),), torch.inf, dtype=vectors.dtype, device=vectors.device)
        others = clusters != one
        own = vectors[torch.from_numpy(asked).to(vectors.device)[mine]]
        nearest_squared(own, squared_lengths(own), vectors[others], lengths[others], nearest)
        reach[mine] = nearest
        task.tick()
    place = min(len(asked) - 1, int((1 - PURITY) * len(asked)))
    radius = float(reach.sort().values[place].to(torch.float64)) ** 0.5
    if not 0 < radius < np.inf:
        raise InvalidInput(
            f"{task.user}: radius: 'auto' finds none, for more than 5% of the samples have a copy in "
            "another cluster, or there is one cluster alone; give the radius"
        )
    return radius


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


def auto_bandwidth(
    prepare: Vectors, covered: np.ndarray, centers: int, generator: np.random.Generator
) -> float:
    """The distance within which each of ``centers`` samples finds its share of the pool.

    The median, over 1,000 samples drawn, of the distance to the one of rank n / centers among up to
    10,000 drawn: an estimate, within a few percent of the whole pool's. On photos and on digits it
    chose as well as the best fixed bandwidth, and it shrinks as more is labeled.
    """
    drawn = generator.permutation(covered)[:OTHERS_FOR_BANDWIDTH]
    others = prepare(drawn)
    squared = squared_distances(others[:SAMPLES_FOR_BANDWIDTH], others)
    rank = min(len(others), max(2, round(len(others) / max(1, centers)) + 1))
    typical = float(squared.kthvalue(rank, dim=1).values.median()) ** 0.5
    # Where half the pool are duplicates the nearest distance above 0 is the scale there is.
    apart = squared[squared > SAME * squared.max()]
    smallest = float(apart.min()) ** 0.5 if len(apart) else 1.0
    return max(typical, smallest)
