"""Diversity of pools so large that comparisons are spared, beside every distance in float64."""

import numpy as np
import pytest

import alcore
from alcore.objectives.nearest_center import RowDistances
from support.problems import clustered_vectors, low_rank_vectors


def farthest_first(X, labeled, picks, metric, least=0.0):
    """The farthest sample from all labeled and chosen ones, one at a time."""
    x = X.astype(np.float64)
    if metric == "cosine":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    nearest = np.full(len(x), np.inf)
    chosen = []
    for center in np.flatnonzero(labeled):
        nearest = np.minimum(nearest, ((x - x[center]) ** 2).sum(1))
    while len(chosen) < picks:
        chosen.append(int(np.where(labeled, -1, nearest).argmax()))
        if nearest[chosen[-1]] < least**2:
            return chosen[:-1]
        nearest = np.minimum(nearest, ((x - x[chosen[-1]]) ** 2).sum(1))
    return chosen


@pytest.mark.parametrize(
    ("X", "way"),
    [(clustered_vectors(), "groups"), (low_rank_vectors(), "directions")],
    ids=["clusters", "low-rank"],
)
@pytest.mark.parametrize(
    ("metric", "labels", "least"),
    [("euclidean", 1, None), ("euclidean", 700, None), ("cosine", 300, None), ("euclidean", 1, 0.4)],
)
def test_picks_are_those_of_farthest_first(X, way, metric, labels, least, monkeypatch):
    labeled = np.zeros(len(X), dtype=bool)
    labeled[np.random.default_rng(1).choice(len(X), labels, replace=False)] = True
    ways = []
    compare = RowDistances._compare

    def watched(self, rows, level):
        ways.extend(one for one in ("groups", "directions") if getattr(self, one) is not None)
        compare(self, rows, level)

    monkeypatch.setattr(RowDistances, "_compare", watched)
    pool = alcore.Pool(len(X), labeled=labeled, columns={"embeddings": X})
    entry = {"strategy": "diversity", "column": "embeddings", "metric": metric}
    entry |= {} if least is None else {"minimum_distance": least}
    recipe = {"budget": 600, "strategies": [entry]}
    chosen = alcore.select(pool, recipe, device="cpu")
    assert set(ways) == {way}
    assert chosen.indices.tolist() == farthest_first(X, labeled, 600, metric, least or 0.0)
