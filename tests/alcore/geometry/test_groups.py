"""Groups of rows close together, beside all distances."""

import numpy as np
import pytest
import torch

import alcore
from alcore.data.settings import changed
from alcore.geometry.groups import groups_around
from alcore.objectives import nearest_center


def clustered(n=6000, d=12, clusters=40, spread=0.1, seed=0):
    rng = np.random.default_rng(seed)
    centers = 3 * rng.standard_normal((clusters, d))
    X = centers[rng.integers(0, clusters, n)] + spread * rng.standard_normal((n, d))
    return X.astype(np.float32)


@pytest.mark.parametrize("part", [16, 256])
def test_no_nearer_point_is_skipped_and_most_others_are(part):
    X = torch.from_numpy(clustered(spread=0.5))
    groups = groups_around(X, X[:256], 0.9)
    rows = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))[:1000]
    points = torch.from_numpy(clustered(spread=0.5, seed=0)[-300:])
    apart = torch.cdist(X[rows].double(), points.double())
    below = apart.kthvalue(3, dim=1).values  # so that a few points are nearer, one just not
    compared = torch.zeros(apart.shape, dtype=torch.bool)
    with changed(largest_chunk=part):
        for some, near in groups.near(rows, below.float(), points):
            compared[some[:, None], near] = True
    assert compared[apart < below[:, None] * (1 - 1e-6)].all()
    assert compared.float().mean() < 0.5


def test_rows_without_clusters_are_not_grouped():
    X = torch.from_numpy(np.random.default_rng(0).standard_normal((6000, 12), dtype=np.float32))
    assert groups_around(X, X[:256], 0.25) is None


def farthest_first(X, labeled, picks, metric):
    """Every distance in float64, one pick at a time."""
    x = X.astype(np.float64)
    if metric == "cosine":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    nearest = np.full(len(x), np.inf)
    chosen = []
    for center in np.flatnonzero(labeled):
        nearest = np.minimum(nearest, ((x - x[center]) ** 2).sum(1))
    for _ in range(picks):
        chosen.append(int(np.where(labeled, -1, nearest).argmax()))
        nearest = np.minimum(nearest, ((x - x[chosen[-1]]) ** 2).sum(1))
    return chosen


@pytest.mark.parametrize(("metric", "labels"), [("euclidean", 1), ("euclidean", 700), ("cosine", 300)])
def test_diversity_of_clusters_is_farthest_first(metric, labels, monkeypatch):
    X = clustered()
    labeled = np.zeros(len(X), dtype=bool)
    labeled[np.random.default_rng(1).choice(len(X), labels, replace=False)] = True
    compared = []
    whole = nearest_center.RowDistances._compare_groups

    def counted(self, rows, *rest):
        compared.append(len(rows))
        whole(self, rows, *rest)

    monkeypatch.setattr(nearest_center.RowDistances, "_compare_groups", counted)
    pool = alcore.Pool(len(X), labeled=labeled, columns={"embeddings": X})
    entry = {"strategy": "diversity", "column": "embeddings", "metric": metric}
    chosen = alcore.select(pool, {"budget": 500, "strategies": [entry]}, device="cpu")
    assert sum(compared) > 1000  # rows were compared group by group
    assert chosen.indices.tolist() == farthest_first(X, labeled, 500, metric)
