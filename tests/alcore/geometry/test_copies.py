"""Copies where most samples have one: exact copies, the suggested distance, and what is said."""

import numpy as np
import pytest

from alcore.geometry import distance_statistics
from alcore.geometry.copies import first_copies
from support.problems import copied_vectors, recall_and_precision

METRICS = ["euclidean", "cosine"]


def found_in(X, metric):
    distance = distance_statistics.neighborhood(X, metric).suggested
    return distance_statistics.duplicate_groups(X, distance, metric)


@pytest.mark.parametrize("n", [400, 3000])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("noise", [0, 1e-3])
@pytest.mark.parametrize("copies", [2, 3])
@pytest.mark.parametrize("unique", [0, 0.05, 0.09, 0.5, 0.91])
def test_copies_are_found_whether_few_or_nearly_all_samples_have_one(
    n, metric, dtype, noise, copies, unique
):
    X, truth = copied_vectors(n, copies, unique, noise, metric=metric)
    recall, precision = recall_and_precision(found_in(X.astype(dtype), metric), truth)
    assert recall >= 0.99 and precision >= 0.99


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [8, 64, 256])
@pytest.mark.parametrize("copies", [5, 10])
def test_larger_groups_and_other_dimensions(metric, d, copies):
    X, truth = copied_vectors(900, copies, 0.05, d=d, metric=metric)
    recall, precision = recall_and_precision(found_in(X, metric), truth)
    assert recall >= 0.99 and precision >= 0.99


@pytest.mark.parametrize("metric", METRICS)
def test_near_copies_are_found_beside_exact_ones(metric):
    """Each near-copy twice, as of a dataset that was merged twice, or nearly so."""
    X, truth = copied_vectors(600, 2, 0.3, metric=metric)
    for exactly in (0.0, 1e-7):
        shift = exactly * np.random.default_rng(1).normal(size=X.shape)
        recall, precision = recall_and_precision(
            found_in(np.r_[X, X + shift], metric), np.r_[truth, truth]
        )
        assert recall >= 0.99 and precision >= 0.99


@pytest.mark.parametrize("metric", METRICS)
def test_outliers_and_clusters_are_no_copies(metric):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 16))
    X[:40] *= 100
    blobs = 100 * rng.normal(size=(12, 16))[rng.integers(0, 12, 500)] + rng.normal(size=(500, 16))
    for some in (X, blobs):
        assert (found_in(some, metric) > 0).mean() <= 0.01


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("distance", [None, 1e-12])
@pytest.mark.parametrize("n", [300, 6000])  # in float64, and in float32
def test_exact_copies_are_found_whatever_the_distance(metric, distance, n):
    X, truth = copied_vectors(n, 2, 0.2, 0.0, metric=metric)
    X = X.astype(np.float32) + np.float32(3)
    groups = distance_statistics.duplicate_groups(X, distance, metric)
    assert recall_and_precision(groups, truth) == (1, 1)


def test_directions_are_the_same_up_to_rounding():
    X, truth = copied_vectors(400, 2, 0.2, 0.0)
    scale = np.random.default_rng(0).uniform(0.1, 10, (len(X), 1))
    X = (X * scale).astype(np.float32)
    assert recall_and_precision(distance_statistics.duplicate_groups(X, None, "cosine"), truth) == (
        1,
        1,
    )
    assert recall_and_precision(found_in(X, "cosine"), truth) == (1, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_where_no_distance_can_be_suggested(metric):
    X = np.ones((6, 3))
    around = distance_statistics.neighborhood(X, metric)
    assert around.suggested is None and "exact copies" in around.why_none("x")
    assert distance_statistics.duplicate_groups(X, None, metric).tolist() == [1] * 6
    around = distance_statistics.neighborhood(X[:1], metric)
    assert around.suggested is None and "only one sample" in around.why_none("x")
    assert distance_statistics.duplicate_groups(X[:1], None, metric).tolist() == [0]


def test_the_first_copy_of_each_row():
    X = np.array([[1.0, 0.0], [2, 3], [1, -0.0], [3, 2], [2, 3]])
    for dtype in (np.float64, np.float32, np.float16, np.int64):
        assert first_copies(X.astype(dtype)).tolist() == [0, 1, 0, 3, 1]
    assert first_copies(X[:0]).tolist() == []
