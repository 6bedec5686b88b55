"""Nearest neighbors and typicality, beside scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

import alcore
from alcore.data.settings import settings
from alcore.geometry.neighbors import nearest_neighbors
from support import twins


def vectors(n, d, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


def by_sklearn(X, k):
    distances, rows = NearestNeighbors(n_neighbors=k + 1).fit(X).kneighbors(X)
    return rows[:, 1:], distances[:, 1:]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "block"), [(200, None), (700, 96), (97, 96), (40, 8)])
def test_they_are_those_of_scikit_learn(monkeypatch, dtype, n, block):
    if block:
        monkeypatch.setattr(settings, "largest_chunk", block)
    X = vectors(n, 7, dtype=dtype)
    found = nearest_neighbors(torch.from_numpy(X), 9)
    rows, distances = by_sklearn(X.astype(np.float64), 9)
    assert (found.rows == rows).all()
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)
    assert (found.recall, found.how) == (1.0, "exact")


def test_a_sample_is_not_its_own_neighbor_but_its_copies_are():
    X = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [5.0, 1.0]])
    found = nearest_neighbors(torch.from_numpy(X), 2)
    assert found.rows[:3].tolist() == [[1, 2], [0, 2], [0, 1]]
    assert found.distances[:3].tolist() == [[0, 0]] * 3
    assert found.distances[3].tolist() == [5, 5]


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_of_few_vectors_all_others_are_neighbors(n):
    found = nearest_neighbors(torch.from_numpy(vectors(n, 3)), 20)
    assert found.rows.shape == found.distances.shape == (n, max(0, n - 1))


def test_beyond_the_limit_nearly_all_are_found_and_the_share_is_told(monkeypatch):
    X = vectors(5000, 8, dtype=np.float32)
    exact = nearest_neighbors(torch.from_numpy(X), 10)
    monkeypatch.setattr(settings, "exact_neighbors_up_to", 1000)
    found = nearest_neighbors(torch.from_numpy(X), 10)
    hits = np.mean([np.isin(a, b).mean() for a, b in zip(found.rows, exact.rows, strict=True)])
    assert hits > 0.93
    assert 0.95 <= found.recall < 1
    assert found.how == f"approximate (recall {found.recall:.3f})"
    assert (found.rows != np.arange(5000)[:, None]).all()


def test_what_tick_raises_ends_the_search():
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        nearest_neighbors(torch.from_numpy(vectors(10, 2)), 3, stop)


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 30))
def test_typicality_is_that_of_all_distances(seed, n, k):
    X = np.random.default_rng(seed).integers(0, 4, (n, 3)).astype(float)
    np.testing.assert_allclose(alcore.scores.typicality(X, k), twins.typicality(X, k), rtol=1e-9)


def test_typicality_takes_torch_is_higher_in_a_crowd_and_finite_for_copies():
    crowd = vectors(50, 2) * 0.1
    X = np.concatenate([crowd, [[9.0, 9.0]], np.zeros((30, 2)) + 3])
    values = alcore.scores.typicality(torch.from_numpy(X))
    assert values.argmin() == 50
    assert np.isfinite(values).all()
    assert values.dtype == np.float64
    assert (alcore.scores.typicality(np.ones((5, 2))) == 1).all()
    assert alcore.scores.typicality(np.ones((1, 2))).tolist() == [1]


@pytest.mark.parametrize(
    ("X", "k", "sentence"),
    [
        (np.ones(5), 3, "needs one vector a sample"),
        (np.array([[1.0, np.nan]]), 3, "NaN or infinite"),
        (np.ones((5, 2)), 0, "neighbors: 0 is not a count"),
    ],
)
def test_typicality_refuses(X, k, sentence):
    with pytest.raises(alcore.InvalidInput, match=sentence):
        alcore.scores.typicality(X, k)
