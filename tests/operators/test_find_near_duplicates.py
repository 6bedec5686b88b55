"""find_near_duplicates and select_test_set where nearly every sample has a copy."""

import numpy as np
import pytest

from support.datasets import copy_of, kept, new_name
from support.operators import form_of
from support.problems import copied_vectors, recall_and_precision


@pytest.fixture(scope="module")
def merged_master(mongod, images):
    """400 samples, whose vectors the tests write."""
    import fiftyone as fo

    with kept(fo.Dataset(new_name())) as master:
        paths = [images[number % len(images)] for number in range(400)]
        master.add_samples([fo.Sample(filepath=path) for path in paths], progress=False)
        master.add_sample_field("embeddings", fo.VectorField)
        yield master


@pytest.fixture
def merged(merged_master):
    with copy_of(merged_master) as dataset:
        yield dataset


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize(
    ("copies", "unique", "noise"),
    [
        (2, 0, 0),
        (2, 0, 1e-3),
        (2, 0.05, 1e-3),
        (2, 0.09, 1e-3),
        (2, 0.5, 1e-3),
        (2, 0.91, 1e-3),
        (4, 0, 0),
    ],
)
def test_nearly_all_samples_may_have_a_copy(merged, operator, metric, copies, unique, noise):
    X, truth = copied_vectors(400, copies, unique, noise, metric=metric)
    assert len(X) == 400
    merged.set_values("embeddings", list(X))
    given = {"embeddings": "embeddings", "metric": metric}
    result = operator("find_near_duplicates")(merged, **given).result
    groups = np.array([one or 0 for one in merged.values("near_duplicate_group")])
    recall, precision = recall_and_precision(groups, truth)
    assert recall >= 0.99 and precision >= 0.99
    assert result["tagged"] == 400 - len(set(truth.tolist())) and result["suggested"] > 0
    operator("select_test_set")(merged, size=5, random_sets=0, **given)
    tags = [set(some) & {"test", "test-held-out"} for some in merged.values("tags")]
    tested = truth[["test" in some for some in tags]]
    trained = truth[[not some for some in tags]]
    assert len(tested) == 5 and not set(tested.tolist()) & set(trained.tolist())


@pytest.mark.parametrize("distance", [None, 1e-9])
def test_exact_copies_are_found_without_a_distance_and_at_any(merged, operator, state, distance):
    merged.set_values("embeddings", [np.ones(4)] * 400)
    before = state(merged)
    find = operator("find_near_duplicates")
    result = find(merged, embeddings="embeddings", distance=distance).result
    assert (result["groups"], result["samples"], result["tagged"]) == (1, 400, 399)
    assert result["suggested"] is None
    if distance is None:
        assert "no distance can be suggested, because all nearest others" in result["text"]
        assert "exact copies alone are grouped" in result["text"]
    operator("undo_selection")(merged, result["run_key"])
    assert state(merged) == before
    form = form_of(find, merged, show_preview=True, embeddings="embeddings")
    assert (
        "preview_error" not in form and "400 samples with an exact copy" in form["preview_text"].default
    )


def test_one_vector_has_no_copy_and_that_is_said(merged, operator):
    merged.set_values("embeddings", [np.ones(4)] + [None] * 399)
    find = operator("find_near_duplicates")
    result = find(merged, embeddings="embeddings").result
    assert result["groups"] == 0 and result["run_key"] is None
    assert "only one sample has a value in 'embeddings'" in result["text"]
    result = operator("select_test_set")(merged, size=1, embeddings="embeddings", random_sets=0).result
    notes = " ".join(result["notes"])
    assert "only one sample has a value in 'embeddings'" in notes
    assert "399 samples without a value in 'embeddings' were not compared" in notes
