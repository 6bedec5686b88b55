"""What chooses by embeddings or likeness: determinants, Du et al., radii, outliers."""

from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alcore
from alcore.data.settings import changed, settings
from alcore.geometry.vectors import Vectors
from support import twins
from support.problems import random_pool

make_pool = partial(random_pool, d=6)


def choose(pool, *strategies, budget=10, **options):
    recipe = {"budget": budget, "strategies": list(strategies), **options}
    return alcore.select(pool, recipe, device="cpu")


def worths(pool, terms, strengths, picked):
    candidates = np.flatnonzero(~pool.labeled)
    labeled = np.flatnonzero(pool.labeled)
    return twins.replay(terms, strengths, candidates, labeled, picked.indices)


@given(
    st.integers(0, 10**6),
    st.integers(2, 80),
    st.sampled_from([0, 3, 8]),
    st.sampled_from(["gaussian", "cosine"]),
    st.booleans(),
)
def test_determinantal_picks_are_those_of_the_determinant(seed, n, labeled, kernel, weighted):
    pool = make_pool(n, labeled=min(labeled, n - 1), seed=seed)
    entry = {"strategy": "determinantal", "column": "embeddings", "kernel": kernel}
    entry |= {"bandwidth": 0.7} if kernel == "gaussian" else {}
    term = twins.Determinantal(pool.columns["embeddings"], kernel, 0.7)
    entries, terms, strengths = [entry], [term], [1]
    if weighted:  # the process of kernel q_i S_ij q_j
        entries.append({"strategy": "weight", "column": "number", "prefer": "high", "strength": 2})
        number = pool.columns["number"]
        terms.append(twins.Fixed((number - number.min()) / (np.ptp(number) or 1)))
        strengths.append(2)
    picked = choose(pool, *entries, budget=12)
    worth, best = worths(pool, terms, strengths, picked)
    np.testing.assert_allclose(worth, best, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(picked.gains, worth, rtol=1e-6, atol=1e-9)
    assert len(set(picked.ids)) == len(picked.ids) == min(12, n - pool.labeled.sum())


def test_the_determinant_it_reports_is_the_determinant():
    pool = make_pool(60, labeled=5)
    entry = {"strategy": "determinantal", "column": "embeddings", "bandwidth": 0.7}
    picked = choose(pool, entry)
    given_ = [*np.flatnonzero(pool.labeled), *picked.indices]
    K = twins.Determinantal(pool.columns["embeddings"], "gaussian", 0.7).K
    reached = picked.report["stages"][0]["reached"]["determinantal"]["after"]["log_determinant"]
    assert reached == pytest.approx(np.linalg.slogdet(K[np.ix_(given_, given_)])[1])


def test_determinantal_takes_copies_last_and_fills_up_past_the_span():
    X = np.concatenate([np.eye(4), np.eye(4), [[1.0, 1, 0, 0]]])
    pool = make_pool(9, embeddings=X)
    picked = choose(
        pool, {"strategy": "determinantal", "column": "embeddings", "kernel": "cosine"}, budget=9
    )
    assert sorted(picked.indices[:4] % 4) == [0, 1, 2, 3]
    assert (picked.gains[4:] == 0).all()
    assert len(picked) == 9


def test_determinantal_says_when_there_is_too_much_to_span(monkeypatch):
    monkeypatch.setattr(settings, "most_spanning", 12)
    with pytest.raises(
        alcore.InvalidInput, match="at most 12 labeled and chosen samples together, not 15"
    ):
        choose(make_pool(40, labeled=5), {"strategy": "determinantal", "column": "embeddings"})


@given(
    st.integers(0, 10**6),
    st.integers(2, 80),
    st.sampled_from([0, 4]),
    st.sampled_from(["published", "mean_discrepancy"]),
    st.sampled_from([0.5, 1.0]),
    st.sampled_from([0.0, 1.0, 3.0]),
)
def test_representative_informative_is_the_greedy_form_of_its_program(
    seed, n, labeled, scaling, gamma, beta
):
    pool = make_pool(n, labeled=min(labeled, n - 1), seed=seed)
    budget = min(8, n - int(pool.labeled.sum()))
    entry = {
        "strategy": "representative_informative",
        "column": "predictions",
        "scaling": scaling,
        "gamma": gamma,
        "beta": beta,
    }
    term = twins.Representative(
        pool.columns["predictions"], np.flatnonzero(pool.labeled), budget, gamma, beta, scaling
    )
    picked = choose(pool, entry, budget=budget)
    worth, best = worths(pool, [term], [1], picked)
    np.testing.assert_allclose(worth, best, rtol=1e-9)
    np.testing.assert_allclose(picked.gains, worth, rtol=1e-9)


def test_representative_informative_sums_up_a_large_pool_in_float32():
    pool = make_pool(2500, labeled=40)
    entry = {"strategy": "representative_informative", "column": "predictions"}
    exact = choose(pool, entry, budget=20)
    with changed(float64_up_to=0):
        rounded = choose(pool, entry, budget=20)
    assert set(rounded.ids) == set(exact.ids)
    np.testing.assert_allclose(rounded.gains, exact.gains, rtol=1e-5)
    assert rounded.gains.tolist() != exact.gains.tolist()


def test_representative_informative_by_a_drawn_part_of_the_pool_is_close():
    pool = make_pool(3000)
    entry = {"strategy": "representative_informative", "column": "predictions"}
    whole = choose(pool, entry, budget=1).gains[0]
    assert choose(pool, entry | {"max_compared": 1000}, budget=1).gains[0] == pytest.approx(
        whole, rel=0.05
    )


def test_a_pure_radius_is_the_largest_by_trying():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(4, 5)) * 3
    X = centers[np.arange(200) % 4] + rng.normal(size=(200, 5))
    pool = make_pool(200, embeddings=X)
    entry = {"strategy": "coverage", "column": "embeddings", "kernel": "ball", "clusters": 4}
    told = choose(pool, entry, budget=3).report["stages"][0]["reached"]["coverage"]["before"]
    from sklearn.cluster import KMeans

    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    labels = KMeans(4, n_init=1, random_state=0).fit_predict(units)
    apart = np.linalg.norm(units[:, None] - units[None], axis=-1)

    def purity(radius):
        return np.mean([(labels[apart[i] < radius] == labels[i]).all() for i in range(200)])

    assert purity(told["width"] - 1e-9) >= 0.95
    assert purity(told["width"] + 1e-6) < 0.95


def test_a_radius_of_its_own_needs_the_number_of_classes():
    entry = {"strategy": "coverage", "column": "embeddings", "kernel": "ball"}
    with pytest.raises(alcore.InvalidInput, match="radius: 'auto' needs clusters"):
        choose(make_pool(50), entry)
    pool = make_pool(50)
    columns = {"predictions": pool.columns["predictions"]}
    pool = pool.with_columns(columns, classes={"predictions": ["a", "b", "c"]})
    assert len(choose(pool, entry)) == 10
    with pytest.raises(alcore.InvalidInput, match="'auto' finds none"):
        choose(make_pool(20, embeddings=np.ones((20, 2))), entry | {"clusters": 3})


def test_balls_covered_all_a_gaussian_goes_on():
    angles = np.linspace(0, np.pi, 50)
    X = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    entry = {"strategy": "coverage", "column": "embeddings", "kernel": "ball", "radius": 0.5}
    picked = choose(make_pool(50, embeddings=X), entry, budget=20)
    told = picked.report["stages"][0]["reached"]["coverage"]["after"]
    assert told["covered_by_balls_after"] < 10
    assert (picked.gains > 0).all()
    assert (np.diff(np.sort(picked.indices)) <= 6).all()  # spread, not the first few


def test_outliers_are_ignored_but_still_context():
    rng = np.random.default_rng(1)
    X = np.concatenate(
        [rng.normal(size=(95, 2)), rng.normal(size=(5, 2)) * 2 + 40 * np.eye(2)[rng.integers(0, 2, 5)]]
    )
    pool = make_pool(100, embeddings=X)
    entry = {"strategy": "diversity", "column": "embeddings"}
    assert (choose(pool, entry).indices >= 95).sum() >= 4
    picked = choose(pool, entry | {"ignore_outliers": 0.05})
    assert (picked.indices < 95).all()
    assert picked.report["stages"][0]["outliers"] == 5
    everyone = choose(pool, entry | {"ignore_outliers": 0.05}, budget=100)
    assert len(everyone) == 95


def test_neighbors_are_looked_for_once_whoever_asks(monkeypatch):
    from alcore.strategies.common import typicality

    calls = []
    search = typicality.nearest_neighbors
    monkeypatch.setattr(
        typicality, "nearest_neighbors", lambda *given: calls.append(1) or search(*given)
    )
    typical = {"strategy": "typicality", "column": "embeddings"}
    far = {"strategy": "diversity", "column": "embeddings", "ignore_outliers": 0.05}
    stages = [{"budget": 40, "strategies": [typical, far]}, {"budget": 5, "strategies": [typical]}]
    alcore.select(make_pool(80), {"stages": stages}, device="cpu")
    assert len(calls) == 1


def test_outliers_alone_are_still_chosen_from():
    X = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), [[50.0, 50.0]]])
    mask = np.ones(41, dtype=bool)
    mask[40] = False
    pool = alcore.Pool(41, labeled=mask, columns={"embeddings": X})
    entry = {"strategy": "diversity", "column": "embeddings", "ignore_outliers": 0.1}
    assert choose(pool, entry, budget=1).ids == [40]


def test_negative_typicality_prefers_outliers_and_similarity_what_is_unlike():
    X = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)) * 0.1 + 1, [[50.0, -50.0]]])
    pool = make_pool(41, embeddings=X)
    typical = {"strategy": "typicality", "column": "embeddings"}
    assert choose(pool, typical | {"strength": -1}, budget=1).ids == [40]
    assert choose(pool, typical, budget=1).ids != [40]
    like = {"strategy": "similarity", "column": "embeddings", "to": [0]}
    assert choose(pool, like, budget=1).ids == [0]
    assert choose(pool, like | {"strength": -1}, budget=1).ids == [40]
    np.testing.assert_allclose(alcore.score(pool, typical), twins.typicality(X), rtol=1e-9)


EVERY = [
    {"strategy": "diversity"},
    {"strategy": "diversity", "metric": "cosine"},
    {"strategy": "coverage"},
    {"strategy": "coverage", "metric": "euclidean"},
    {"strategy": "determinantal"},
    {"strategy": "typicality"},
    {"strategy": "typiclust"},
    {"strategy": "representatives"},
    {"strategy": "representatives", "method": "k_medoids"},
]


@pytest.mark.parametrize("entry", EVERY, ids=lambda one: "-".join(one.values()))
@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int64])
def test_small_kinds_of_numbers_choose_as_float64_does(entry, dtype):
    X = whole_numbers()
    assert np.array_equal(X.astype(dtype), X)
    picked = choose(make_pool(5000, embeddings=X.astype(dtype)), with_column(entry), budget=3)
    np.testing.assert_allclose(picked.gains, gains_of_float64(tuple(entry.items())), rtol=1e-4)


def with_column(entry):
    return {**entry, "column": "embeddings"}


def whole_numbers():
    """Numbers that every small type holds."""
    return (np.random.default_rng(0).normal(size=(5000, 16)) * 12 + 120).round()


@cache
def gains_of_float64(entry):
    return choose(make_pool(5000, embeddings=whole_numbers()), with_column(dict(entry)), budget=3).gains


@pytest.mark.parametrize("entry", EVERY, ids=lambda one: "-".join(one.values()))
@pytest.mark.parametrize("row", [1e-25, 1e20])
def test_one_row_of_extreme_numbers_spoils_nothing(entry, row):
    if (
        row > 1
        and (entry.get("metric") == "euclidean" or len(entry) == 1)
        and entry["strategy"] != "coverage"
    ):
        row = 1e7  # squares of float32 end at 1e38
    X = np.random.default_rng(0).normal(size=(1000, 128)).astype(np.float32)
    X[3] = row
    picked = choose(make_pool(1000, embeddings=X), entry | {"column": "embeddings"}, budget=5)
    assert len(set(picked.ids)) == 5
    assert np.isfinite(picked.gains).all()


def test_a_row_far_off_does_not_cost_the_others_their_digits():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 128)).astype(np.float32)
    usual = alcore.score(
        make_pool(1000, embeddings=X), {"strategy": "typicality", "column": "embeddings"}
    )
    X[3] = 1e7
    off = alcore.score(
        make_pool(1000, embeddings=X), {"strategy": "typicality", "column": "embeddings"}
    )
    others = np.arange(1000) != 3
    np.testing.assert_allclose(off[others], usual[others], rtol=0.01)


def test_the_auto_bandwidth_sees_no_missing_rows():
    """Rows drawn out of order may look as if they lay together."""
    for seed in range(40):
        X = np.random.default_rng(seed).normal(size=(5, 3))
        X[1] = np.nan
        pool = alcore.Pool(5, columns={"embeddings": X}, missing={"embeddings": np.arange(5) == 1})
        picked = choose(pool, {"strategy": "coverage", "column": "embeddings"}, budget=2, seed=seed)
        assert len(picked) == 2


def test_the_scale_of_embeddings_does_not_matter():
    X = np.random.default_rng(0).normal(size=(300, 5))
    entry = {"strategy": "coverage", "column": "embeddings", "metric": "euclidean"}
    assert (
        choose(make_pool(300, embeddings=X * 1e-7), entry).ids
        == choose(make_pool(300, embeddings=X), entry).ids
    )


@pytest.mark.parametrize("entry", EVERY, ids=lambda one: "-".join(one.values()))
def test_vectors_without_values_are_refused(entry):
    with pytest.raises(alcore.InvalidInput, match="holds vectors without values"):
        choose(make_pool(5, embeddings=np.zeros((5, 0))), entry | {"column": "embeddings"})


def test_strategies_share_the_vectors_they_compare(monkeypatch):
    made, prepare = [], Vectors._prepare

    def counted(self, part, out):
        made.append(len(part))
        prepare(self, part, out)

    monkeypatch.setattr(Vectors, "_prepare", counted)
    pool = random_pool(500, 4, labeled=10)
    strategies = [
        {"strategy": "determinantal", "column": "embeddings", "bandwidth": 0.5},
        {"strategy": "diversity", "column": "embeddings", "metric": "cosine"},
    ]
    alcore.select(pool, {"budget": 5, "strategies": strategies}, "cpu")
    assert made.count(490) == 1 and made.count(10) == 2
