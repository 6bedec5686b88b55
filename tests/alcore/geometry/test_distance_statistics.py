"""Distances to given samples and to the nearest other, groups of near-duplicates, and the plane."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from alcore import InvalidInput
from alcore.geometry import distance_statistics, projection

METRICS = ["euclidean", "cosine"]


def vectors(n=60, d=5, seed=0, copies=0, noise=1e-3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 3
    X[n - copies :] = X[:copies] + noise * rng.normal(size=(copies, d))
    return X


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [60, 20_000])  # in float64, and in float32
def test_distances_to_given_samples(metric, n):
    X = vectors(n)
    rows, centers = np.arange(0, 40, 2), np.arange(30, 50)
    found = distance_statistics.distances_to(X, rows, centers, metric)
    expected = cdist(X[rows], X[centers], metric).min(1)
    np.testing.assert_allclose(found, expected, atol=2e-6 if n > 60 else 1e-12)
    assert np.isinf(distance_statistics.distances_to(X, rows, centers[:0], metric)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_distances_to_the_nearest_other(metric):
    X = vectors(copies=5)
    apart = cdist(X, X, metric)
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(
        distance_statistics.distances_to_others(X, metric), np.sort(apart.min(1)), atol=1e-12
    )
    assert len(distance_statistics.distances_to_others(X[:1], metric)) == 0


@pytest.mark.parametrize("copies", [1, 10, 25])
@pytest.mark.parametrize("metric", METRICS)
def test_the_suggestion_finds_the_copies(metric, copies):
    X = vectors(copies=copies)
    distance = distance_statistics.suggested_distance(
        distance_statistics.distances_to_others(X, metric)
    )
    groups = distance_statistics.duplicate_groups(X, distance, metric)
    assert groups.max() == copies
    assert (groups[:copies] == groups[60 - copies :]).all() and (groups[:copies] > 0).all()


def test_a_suggestion_where_there_are_no_copies():
    apart = distance_statistics.distances_to_others(vectors())
    assert 0 < distance_statistics.suggested_distance(apart) < apart[0]
    assert distance_statistics.suggested_distance(np.zeros(4)) is None
    assert distance_statistics.suggested_distance(np.zeros(0)) is None


def test_the_largest_group_comes_first():
    X = np.array([[0.0], [9.0], [9.1], [0.1], [5.0], [9.2]])
    assert distance_statistics.duplicate_groups(X, 0.5).tolist() == [2, 1, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"distance": 0}, "distance: 0 is not"),
        ({"distance": 1, "metric": "l1"}, "there is no 'l1'"),
    ],
)
def test_what_cannot_be_grouped_is_said(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        distance_statistics.duplicate_groups(vectors(), **given)


def test_the_plane_keeps_what_differs_most():
    X = vectors() * [1, 1, 1, 30, 9]
    points = projection.plane(X)
    assert points.shape == (60, 2)
    for column, direction in ((0, 3), (1, 4)):
        assert abs(np.corrcoef(points[:, column], X[:, direction])[0, 1]) > 0.99


def test_the_plane_of_little():
    assert projection.plane(np.ones((3, 4))).tolist() == [[0, 0]] * 3
    assert projection.plane(np.zeros((0, 4))).shape == (0, 2)
    line = projection.plane(np.arange(4.0)[:, None])
    assert (line[:, 1] == 0).all() and len(set(line[:, 0])) == 4


@pytest.mark.parametrize(("method", "name"), [("umap", "UMAP"), ("pacmap", "PaCMAP")])
def test_the_plane_by_an_installed_package(monkeypatch, method, name):
    """A package of that name, whose plane is the first two dimensions."""
    asked = {}

    class Reducer:
        def __init__(self, **options):
            asked.update(options)

        def fit_transform(self, X):
            return X[:, :2]

    package = ModuleType(method)
    package.__spec__ = ModuleSpec(method, None)
    setattr(package, name, Reducer)
    monkeypatch.setitem(sys.modules, method, package)
    X = vectors(n=12)
    assert method in projection.methods()
    np.testing.assert_allclose(projection.plane(X, method, seed=3), (X - X.mean(0))[:, :2])
    assert asked["random_state"] == 3 and asked["n_neighbors"] < 12
    assert not np.allclose(
        projection.plane(X[:5], method), (X[:5] - X[:5].mean(0))[:, :2]
    )  # too few: PCA


def test_the_plane_is_offered_by_what_is_installed():
    assert projection.methods()[0] == "pca"
    with pytest.raises(InvalidInput, match="there is no 'tsne'"):
        projection.plane(vectors(), "tsne")
    for name in set(projection.PACKAGES) - set(projection.methods()):
        with pytest.raises(InvalidInput, match="which is missing"):
            projection.plane(vectors(), name)
