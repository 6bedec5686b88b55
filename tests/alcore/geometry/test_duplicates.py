"""Near-duplicates, by hand and as a filter."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import alcore
from alcore.data.settings import settings
from alcore.geometry.duplicates import near_duplicates
from support.pretended_gpu import pretended_gpu


def by_hand(X, distance, first):
    """In turn, each vector stands for itself unless one that does is near."""
    stands, leaders = np.arange(len(X)), []
    for row in np.argsort(~first, kind="stable"):
        apart = [np.linalg.norm(X[row] - X[leader]) for leader in leaders]
        if not first[row] and leaders and min(apart) < distance:
            stands[row] = leaders[int(np.argmin(apart))]
        else:
            leaders.append(row)
    return stands


@given(st.integers(0, 10**6), st.integers(0, 60), st.sampled_from([0.3, 1.0, 2.5]), st.booleans())
def test_they_are_those_found_one_by_one(seed, n, distance, lattice):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n, 2)).astype(float) if lattice else rng.normal(size=(n, 2))
    first = rng.random(n) < 0.2
    found = near_duplicates(torch.from_numpy(X), distance, first)
    expected = by_hand(X, distance, first)
    np.testing.assert_array_equal(found == np.arange(n), expected == np.arange(n))
    others = np.flatnonzero(found != np.arange(n))
    apart = np.linalg.norm(X[others] - X[found[others]], axis=1)
    np.testing.assert_allclose(apart, np.linalg.norm(X[others] - X[expected[others]], axis=1))
    assert (apart < distance).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chunks_change_nothing(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3)).astype(dtype)
    X[200:300] = X[:100] + 1e-3
    whole = near_duplicates(torch.from_numpy(X), 0.2)
    monkeypatch.setattr(settings, "largest_chunk", 7)
    np.testing.assert_array_equal(near_duplicates(torch.from_numpy(X), 0.2), whole)
    np.testing.assert_array_equal(whole, by_hand(X.astype(float), 0.2, np.zeros(400, dtype=bool)))


def test_a_gpu_needs_no_room_for_a_second_copy_of_all(monkeypatch):
    monkeypatch.setattr(settings, "largest_chunk", 50)
    X = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
    X[100:] = X[np.arange(1900) % 100]
    with pretended_gpu() as gpu:
        vectors = torch.from_numpy(X).to("cuda")
        gpu.largest = X.size // 4
        found = near_duplicates(vectors, 0.1)
    assert found.tolist() == [row % 100 for row in range(2000)]


def test_distances_below_the_rounding_of_float32_are_found(monkeypatch):
    monkeypatch.setattr(settings, "largest_chunk", 50)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 64))
    X /= np.linalg.norm(X, axis=1)[:, None]
    shift = rng.normal(size=(100, 64))
    shift *= np.linspace(0.5e-4, 1.5e-4, 100)[:, None] / np.linalg.norm(shift, axis=1)[:, None]
    both = np.concatenate([X, X + shift]).astype(np.float32)
    expected = by_hand(both.astype(float), 1e-4, np.zeros(200, dtype=bool))
    np.testing.assert_array_equal(near_duplicates(torch.from_numpy(both), 1e-4), expected)


def test_a_filter_leaves_one_of_each_group_and_none_where_one_is_labeled():
    X = np.array([[0, 0], [0, 0.1], [5, 0], [5, 0.1], [9, 9], [9, 9]], dtype=float)
    pool = alcore.Pool(
        6,
        labeled=np.array([False, False, False, True, False, False]),
        columns={"embeddings": X, "number": [1.0, 5.0, 1.0, 1.0, 1.0, 1.0]},
    )

    def chosen(*filters):
        recipe = {"budget": 6, "strategies": [{"strategy": "random"}], "filters": list(filters)}
        return sorted(alcore.select(pool, recipe, device="cpu").ids)

    near = {"column": "embeddings", "minimum_distance": 0.5}
    assert chosen(near) == [0, 4]
    # The one that stays is one that passes the other filters.
    assert chosen(near, {"column": "number", "min": 2}) == [1]


def test_a_stage_leaves_one_of_those_that_it_may_choose():
    X = np.array([[0, 0], [0, 0], [5, 5], [9, 1]], dtype=float)
    number = [0, 1, 0.5, 0.2]
    near = [{"column": "embeddings", "minimum_distance": 0.1}]
    by_number = [{"strategy": "weight", "column": "number"}]
    pool = alcore.Pool(4, columns={"embeddings": X, "number": number})
    stages = [{"budget": 2, "strategies": by_number}]
    stages.append(stages[0] | {"filters": near})
    assert alcore.select(pool, {"stages": stages}, device="cpu").ids == [1, 2]
    without_first = [{"column": "id", "not_in": [0]}]
    recipe = {"filters": without_first, "stages": stages[1:]}
    assert alcore.select(pool, recipe, device="cpu").ids == [1, 2]
    # The copy has no number, by which it could be chosen.
    lacking = {"number": np.array([True, False, False, False])}
    pool = alcore.Pool(4, columns={"embeddings": X, "number": number}, missing=lacking)
    for recipe in ({"filters": near}, {"stages": [stages[1] | {"budget": 3}]}):
        whole = recipe if "stages" in recipe else recipe | {"budget": 3, "strategies": by_number}
        assert alcore.select(pool, whole, device="cpu").ids == [1, 2, 3]


def test_a_filter_of_likeness_keeps_a_range_of_cosines():
    angles = np.radians([0, 10, 50, 90, 180])
    X = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    pool = alcore.Pool(5, ids=list("abcde"), columns={"embeddings": X})

    def chosen(**options):
        one = {"column": "embeddings", **options}
        recipe = {"budget": 5, "strategies": [{"strategy": "random"}], "filters": [one]}
        return sorted(alcore.select(pool, recipe, device="cpu").ids)

    assert chosen(similar_to=["a"], min=0.6) == ["a", "b", "c"]
    assert chosen(similar_to=["a"], max=0.0001) == ["d", "e"]
    assert chosen(similar_to=np.array([[0.0, 2.0], [-1.0, 0.0]]), min=0.99) == ["d", "e"]


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        ({"similar_to": ["z"], "min": 0}, "filters[0]: to: 1 of the examples are not in the pool: z"),
        ({"similar_to": [[1.0]], "min": 0}, "a vector has not the 2 values"),
        ({"similar_to": [[0.0, 0.0]], "min": 0}, "a vector is zero"),
        ({"similar_to": [[1.0, 0.0], "a"], "min": 0}, "give ids or vectors, not both"),
        ({"similar_to": ["b"], "min": 0}, "1 of the examples have no 'embeddings': b"),
        ({"similar_to": [["a", "b"]], "min": 0}, "give ids, or vectors of numbers"),
        ({"similar_to": [{"a": 1}], "min": 0}, "give ids, or vectors of numbers"),
        ({"in": [["a"]]}, "give a list of single values"),
        ({"similar_to": ["a"]}, "similar_to: needs min and/or max"),
        ({"similar_to": [], "min": 0}, "give a list of ids, or of vectors"),
        ({"minimum_distance": 0}, "greater than 0"),
        ({"minimum_distance": 1, "min": 0}, "needs one of"),
    ],
)
def test_what_cannot_be_is_said(one, sentence):
    pool = alcore.Pool(
        2,
        ids=["a", "b"],
        columns={"embeddings": np.eye(2)},
        missing={"embeddings": np.array([False, True])},
    )
    recipe = {"budget": 1, "filters": [{"column": "embeddings", **one}]}
    with pytest.raises(alcore.InvalidInput) as error:
        alcore.select(pool, recipe | {"strategies": [{"strategy": "random"}]}, device="cpu")
    assert sentence in str(error.value)
