"""Whole test sets: kept apart from training, of the size asked for, like the target, sentence."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import alcore
from alcore import InvalidInput
from alcore.test_sets import TestSetSpec, size_for_proportion
from support import twins
from support.problems import copied_vectors

SEEDS = st.integers(0, 2**32 - 1)
METHODS = ["random", "stratified", "herding", "both", "active"]
NEEDS = {
    "random": {},
    "stratified": {"strata": ["kind"]},
    "herding": {},
    "both": {"strata": ["kind"]},
    "active": {"expected_loss": "number"},
}


def make_pool(n=200, seed=0, labeled=0, d=2, grid=0, **columns):
    """Vectors, on a grid where there are to be copies; a category, a number, videos of some frames."""
    rng = np.random.default_rng(seed)
    X = rng.integers(1, grid + 1, (n, d)).astype(float) if grid else rng.normal(size=(n, d))
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:labeled]] = True
    made = {
        "embeddings": X,
        "kind": rng.choice(["common", "rare", "usual"], n, p=[0.6, 0.1, 0.3]),
        "video": np.array([f"v{one}" for one in rng.integers(0, max(1, n // 4), n)], dtype=object),
        "number": rng.random(n),
    }
    return alcore.Pool(n, labeled=mask, columns=made | columns)


def chosen_from(pool, method, size=20, **more):
    spec = {"size": size, "method": method, "embeddings": "embeddings", **NEEDS[method], **more}
    return alcore.select_test_set(pool, {"random_sets": 4, **spec})


@given(
    SEEDS,
    st.sampled_from(METHODS),
    st.sampled_from(["euclidean", "cosine"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 25),
)
@settings(deadline=None, max_examples=60)
def test_nothing_leaks(seed, method, metric, grid, grouped, labeled):
    """Whatever is asked for: groups stay whole, and near-duplicates never lie on both sides."""
    grouped = grouped and method != "active"
    pool = make_pool(90, seed, labeled, grid=6 if grid else 0)
    missing = np.random.default_rng(seed).random(90) < 0.1
    pool = pool.with_columns({"embeddings": pool.columns["embeddings"]}, {"embeddings": missing})
    distance = {"euclidean": 1.1 if grid else 0.05, "cosine": 0.002}[metric]
    more = {"metric": metric, "minimum_distance": distance, "groups": "video" if grouped else None}
    try:
        found = chosen_from(pool, method, size=6, **more)
    except InvalidInput as error:
        assert "may be chosen" in str(error)
        return
    chosen, out = np.zeros(90, dtype=bool), np.zeros(90, dtype=bool)
    chosen[found.indices] = True
    out[found.held_out] = True
    trained = ~chosen & ~out
    assert chosen.sum() == len(found) and not (chosen & out).any()
    assert not (pool.labeled & ~trained).any() and not (chosen & missing).any()
    apart = cdist(pool.columns["embeddings"], pool.columns["embeddings"], metric)
    near = (apart < distance - 1e-9) & ~missing[:, None] & ~missing
    assert not near[np.ix_(chosen, trained)].any()
    video = pool.columns["video"] if grouped else np.arange(90)
    sides = chosen + 2 * out
    assert not set(video[chosen]) & set(video[trained]) and not set(video[out]) & set(video[trained])
    # Nothing is held out for nothing.
    by_hand = near[:, chosen].any(1) & ~chosen
    why = np.isin(video, video[by_hand]) | np.isin(video, video[chosen])
    far = apart > distance + 1e-9
    if not ((~near & ~far).any()):
        np.testing.assert_array_equal(sides == 2, why & ~chosen)
    report = found.report
    assert report["held_out"] == out.sum() and report["chosen"] == len(found)
    assert report["trainable"] == trained.sum() - pool.labeled.sum()
    if not grouped and method != "stratified":
        assert len(found) == 6
    json.dumps(report)


def test_copies_of_the_training_side_are_not_chosen_nor_their_groups():
    X = np.array([[0.0, 0], [0, 0.01], [5, 5], [5, 6], [9, 9], [7, 2]])
    video = np.array(["a", "b", "b", "c", "d", "e"], dtype=object)
    labeled = np.arange(6) == 0
    pool = alcore.Pool(6, labeled=labeled, columns={"embeddings": X, "video": video})
    spec = {"size": 3, "method": "random", "embeddings": "embeddings", "minimum_distance": 0.1}
    found = alcore.select_test_set(pool, {**spec, "groups": "video"})
    assert sorted(found.indices) == [3, 4, 5] and len(found.held_out) == 0
    with pytest.raises(InvalidInput, match="5 samples are wanted, and 4 may be chosen: 1 of 6 are lab"):
        alcore.select_test_set(pool, {**spec, "size": 5})


def test_a_chain_of_copies_is_held_out_one_step_far():
    X = np.array([[0.0], [0.9], [1.8], [2.7], [3.6]])
    labeled = np.array([False, False, False, False, True])
    pool = alcore.Pool(5, labeled=labeled, columns={"embeddings": X, "number": [1.0, 0, 0, 0, 0]})
    spec = {"size": 1, "expected_loss": "number", "floor": 1e-6, "embeddings": "embeddings"}
    found = alcore.select_test_set(pool, {**spec, "minimum_distance": 1.0})
    assert found.indices.tolist() == [0] and found.held_out.tolist() == [1]
    assert found.report["near_training"] == 1 and found.report["trainable"] == 2


def test_dates_are_grouped_by_day_and_samples_without_a_group_are_not_chosen():
    taken = np.array(["2026-01-01T09", "2026-01-01T23", "2026-01-02T01", "NaT"], dtype="datetime64[h]")
    pool = alcore.Pool(4, columns={"taken": taken})
    for seed in range(8):
        found = alcore.select_test_set(pool, {"size": 2, "groups": "taken", "seed": seed})
        assert set(found.indices.tolist()) in ({0, 1}, {2})  # one more day would make three
    assert found.report["without_value"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_chooses_the_same(method):
    pool = make_pool(labeled=20)
    first, again, other = (chosen_from(pool, method, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.indices, again.indices)
    assert len(first) == 20 and first.ids == first.indices.tolist()
    assert not pool.labeled[first.indices].any()
    if method not in ("herding", "both"):
        assert set(first.indices.tolist()) != set(other.indices.tolist())
    assert (first.weights is not None) == (method == "active")


def test_the_report_measures_as_the_formulas_do():
    pool = make_pool()
    found = chosen_from(pool, "both", bandwidth=1.5)
    X = pool.columns["embeddings"]
    sentence = found.report["distance"]
    expected = twins.squared_mmd(X[found.indices], X, 1.5) ** 0.5
    assert sentence["embeddings"]["chosen"] == pytest.approx(expected, abs=1e-9)
    low, mean, high = (sentence["embeddings"]["random"][name] for name in ("low", "mean", "high"))
    assert sentence["embeddings"]["chosen"] < low < mean < high
    kinds = pool.columns["kind"]
    shares = [[np.mean(values == k) for k in set(kinds)] for values in (kinds, kinds[found.indices])]
    off = np.abs(np.subtract(*shares)).sum() / 2
    assert sentence["strata"]["chosen"] == pytest.approx(off)
    assert [one["chosen"] for one in found.report["strata"]] == [
        np.sum(kinds[found.indices] == one["stratum"]) for one in found.report["strata"]
    ]


def test_a_reference_is_matched():
    pool = make_pool(400)
    reference = make_pool(90, seed=1)
    reference = reference.with_columns(
        {
            "embeddings": reference.columns["embeddings"] * 0.3 + [1.0, 0],
            "kind": np.repeat(["rare", "usual"], [60, 30]).astype(object),
        }
    )
    for method in ("herding", "both", "stratified"):
        spec = {"size": 30, "method": method, "embeddings": "embeddings", **NEEDS[method]}
        found = alcore.select_test_set(pool, spec, reference)
        sentence = found.report["distance"]
        if method != "stratified":
            assert sentence["embeddings"]["chosen"] < 0.7 * sentence["embeddings"]["random"]["low"]
        if method != "herding":
            kinds = pool.columns["kind"][found.indices]
            assert [np.sum(kinds == k) for k in ("rare", "usual", "common")] == [20, 10, 0]
    wide = make_pool(9, d=3)
    with pytest.raises(InvalidInput, match="'embeddings' have 3 values, those of the pool 2"):
        alcore.select_test_set(pool, {"size": 3, "embeddings": "embeddings"}, wide)


def test_given_shares_are_matched_in_the_embeddings_too():
    pool = make_pool(600)
    rare = pool.columns["kind"] == "rare"
    pool.columns["embeddings"][rare] += 4
    spec = {"size": 40, "strata": ["kind"], "shares": {"rare": 0.5}, "embeddings": "embeddings"}
    for method in ("herding", "both", "stratified"):
        found = alcore.select_test_set(pool, {**spec, "method": method})
        assert rare[found.indices].sum() == pytest.approx(20, abs=2 if method == "herding" else 0)


def test_what_a_target_lacks_is_told():
    pool = make_pool(60)
    has = int((pool.columns["kind"] == "rare").sum())
    found = alcore.select_test_set(pool, {"size": 50, "strata": ["kind"], "shares": {"rare": 0.9}})
    assert (pool.columns["kind"][found.indices] == "rare").sum() == has and len(found) == 50
    assert any(f"rare ({has} of 45)" in note for note in found.report["notes"])
    only = {"size": 50, "strata": ["kind"], "shares": {"rare": 1.0}}
    found = alcore.select_test_set(pool, only)
    assert len(found) == has and f"{has} samples instead of 50" in " ".join(found.report["notes"])


def test_the_size_of_an_interval():
    pool = make_pool(2000)
    found = alcore.select_test_set(pool, {"interval": {"half_width": 0.05}})
    assert len(found) == size_for_proportion(0.05, population=2000)
    assert 0.0495 < found.report["interval"]["half_width"] <= 0.05
    # Where it stands for others, the pool is not all there is.
    like_others = alcore.select_test_set(pool, {"interval": {"half_width": 0.05}}, make_pool(9))
    assert len(like_others) == size_for_proportion(0.05)
    assert len(alcore.select_test_set(pool, {"size": 0.1})) == 200
    with pytest.raises(InvalidInput, match="interval: 381 samples are wanted, and 200 may be chosen"):
        alcore.select_test_set(make_pool(200), {"interval": {"half_width": 0.05}}, make_pool(9))


def test_the_mean_of_an_active_test_set_is_unbiased():
    pool = make_pool(150, labeled=30)
    losses = pool.columns["number"] + 0.3 * np.random.default_rng(0).random(150)
    truth = losses[~pool.labeled].mean()
    spec = {"size": 25, "expected_loss": "number", "random_sets": 0}
    means = []
    for seed in range(400):
        found = alcore.select_test_set(pool, {**spec, "seed": seed})
        means.append(
            alcore.weighted_estimate(
                losses[found.indices], found.weights, found.report["population"]
            ).mean
        )
    assert abs(np.mean(means) - truth) < 3 * np.std(means) / 20


def test_a_large_target_is_stood_for_by_a_draw():
    pool = make_pool(1500, d=3)
    whole = chosen_from(pool, "herding", bandwidth=2.0)
    drawn = chosen_from(pool, "herding", bandwidth=2.0, max_target=300)
    assert any("300 of its samples, drawn" in note for note in drawn.report["notes"])
    sentence = drawn.report["distance"]["embeddings"]
    assert sentence["chosen"] < sentence["random"]["low"]
    X = pool.columns["embeddings"]
    at_best, by_draw = (twins.squared_mmd(X[one.indices], X, 2.0) for one in (whole, drawn))
    assert at_best <= by_draw < sentence["random"]["low"] ** 2


def test_progress_is_told_and_may_stop_it():
    sentence = []
    spec = {"size": 20, "embeddings": "embeddings", "random_sets": 2}
    alcore.select_test_set(make_pool(), spec, progress=lambda *one: sentence.append(one))
    assert (20, 20) in sentence and (1, 20) in sentence

    def stop(done, size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alcore.select_test_set(make_pool(), spec, progress=stop)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "test set: size: give either a size or an interval"),
        ({"size": 0}, "size: 0 is not a size; give a count"),
        ({"size": 2, "interval": {"half_width": 0.1}}, "give either a size or an interval"),
        ({"size": 2, "stratta": ["kind"]}, "unknown option 'stratta'; it takes size, interval"),
        ({"interval": {"half": 0.1}}, "unknown option 'half'; it takes half_width, confidence"),
        ({"interval": {"half_width": 0.1, "metric": "mean"}}, "interval: deviation: a mean takes"),
        ({"size": 2, "method": "best"}, "method: input should be 'random'"),
        ({"size": 2, "method": "stratified"}, "strata: 'stratified' takes one or more columns"),
        ({"size": 2, "method": "herding"}, "embeddings: 'herding' takes a column of vectors"),
        ({"size": 2, "method": "active"}, "expected_loss: 'active' takes a column"),
        ({"size": 2, "method": "random", "expected_loss": "number"}, "is for 'active', not for 'ran"),
        ({"size": 2, "expected_loss": "number", "groups": "video"}, "draws samples one by one"),
        ({"size": 2, "shares": {"a": 1.0}}, "shares: name the columns they are of"),
        ({"size": 2, "strata": ["kind", "video"], "shares": {"a": 1.0}}, "give them by column"),
        ({"size": 2, "strata": ["kind"], "shares": {"x": {"a": 1}}}, "'x' is not among the strata"),
        ({"size": 2, "strata": ["kind", "kind"]}, "strata: a column is named twice"),
        ({"size": 2, "strata": ["nothing"]}, "there is no column 'nothing'"),
        ({"size": 2, "groups": "embeddings"}, "groups: column 'embeddings' must hold one value"),
        ({"size": 2, "minimum_distance": 0.1}, "minimum_distance: name the embeddings"),
        ({"size": 2, "embeddings": "number"}, "column 'number' must hold one vector a sample"),
        ({"size": 5000}, "size: 5000 samples are wanted, and 200 may be chosen"),
        ("{", "test set: is not JSON"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(spec, sentence):
    with pytest.raises(InvalidInput, match=sentence) as error:
        alcore.select_test_set(make_pool(), spec)
    assert "\n" not in str(error.value)


def test_pools_of_which_nothing_may_be_chosen():
    with pytest.raises(InvalidInput, match="the pool is empty"):
        alcore.select_test_set(alcore.Pool(0), {"size": 1})
    with pytest.raises(InvalidInput, match="the reference is empty"):
        alcore.select_test_set(make_pool(5), {"size": 1}, alcore.Pool(0))
    with pytest.raises(InvalidInput, match="no sample may be chosen: 5 of 5 are labeled"):
        alcore.select_test_set(make_pool(5, labeled=5), {"size": 1})
    kinds = {"kind": ["a", "a", "b"], "video": ["v", "v", "v"]}
    pool = alcore.Pool(3, labeled=np.arange(3) == 2, columns=kinds)
    with pytest.raises(InvalidInput, match="no sample of the strata that they ask for"):
        alcore.select_test_set(pool, {"size": 1, "strata": ["kind"], "shares": {"b": 1.0}})
    pool = alcore.Pool(3, columns=kinds)
    with pytest.raises(
        InvalidInput, match="size: 1 is less than half of the smallest group, which has 3"
    ):
        alcore.select_test_set(pool, {"size": 1, "groups": "video"})
    with pytest.raises(InvalidInput, match="leave out the reference"):
        spec = {"size": 1, "expected_loss": "number"}
        alcore.select_test_set(make_pool(5), spec, make_pool(5))


def test_wishes_are_json():
    spec = TestSetSpec.of({"size": 5, "strata": ["kind"], "shares": {"rare": 0.5}})
    assert TestSetSpec.of(spec.model_dump_json()) == spec
    assert "minimum_distance" in TestSetSpec.model_json_schema()["properties"]


# Copies


@pytest.mark.parametrize("n", [400, 3000])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize(
    ("copies", "unique", "noise"),
    [
        (2, 0, 0),
        (2, 0, 1e-3),
        (2, 0.05, 1e-3),
        (2, 0.09, 1e-3),
        (2, 0.5, 0),
        (2, 0.91, 1e-3),
        (3, 0, 0),
    ],
)
def test_no_copy_of_a_test_sample_is_left_to_train_on(n, metric, copies, unique, noise):
    X, groups = copied_vectors(n, copies, unique, noise, metric=metric)
    labeled = np.arange(len(X)) < 20
    pool = alcore.Pool(len(X), labeled=labeled, columns={"embeddings": X.astype(np.float32)})
    spec = {"size": 5, "method": "random", "embeddings": "embeddings", "metric": metric}
    found = alcore.select_test_set(pool, {**spec, "random_sets": 0})
    trained = np.ones(len(X), dtype=bool)
    trained[found.indices] = trained[found.held_out] = False
    assert not np.isin(groups[found.indices], groups[trained]).any()
    # Nothing else is held out.
    assert np.isin(groups[found.held_out], groups[found.indices]).all()
    assert not any("near-duplicates" in note for note in found.report["notes"])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_exact_copies_are_held_out_at_any_distance(metric):
    X, groups = copied_vectors(400, 2, 0.1, 0.0, metric=metric)
    pool = alcore.Pool(len(X), columns={"embeddings": X})
    spec = {"size": 5, "embeddings": "embeddings", "metric": metric, "minimum_distance": 1e-14}
    found = alcore.select_test_set(pool, spec)
    left = np.setdiff1d(np.arange(len(X)), np.r_[found.indices, found.held_out])
    assert not np.isin(groups[found.indices], groups[left]).any()


def test_what_was_not_compared_is_noted():
    same = np.ones((6, 2))
    spec = {"size": 1, "method": "random", "embeddings": "embeddings", "random_sets": 0}
    found = alcore.select_test_set(alcore.Pool(6, columns={"embeddings": same}), spec)
    assert len(found.held_out) == 5
    assert any("exact copies alone" in note for note in found.report["notes"])
    pool = make_pool(6)
    missing = np.arange(6) > 0
    pool = pool.with_columns({"embeddings": pool.columns["embeddings"]}, {"embeddings": missing})
    found = alcore.select_test_set(pool, spec)
    assert found.indices.tolist() == [0] and len(found.held_out) == 0
    notes = found.report["notes"]
    assert any("only one sample has a value in 'embeddings'" in note for note in notes)
    assert any("5 samples without a value in 'embeddings' were not compared" in note for note in notes)
