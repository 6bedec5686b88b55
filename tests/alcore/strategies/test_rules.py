"""Strategies that choose by a rule of their own: BADGE, TypiClust, representatives."""

from collections import Counter
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.cluster import KMeans, kmeans_plusplus

import alcore
from alcore.data.draws import id_hashes, uniforms
from alcore.data.settings import settings as sizes
from alcore.geometry.gradients import GradientEmbeddings
from alcore.strategies import badge
from alcore.strategies.common.task import SHUFFLE
from support import twins
from support.problems import random_pool

BADGE = {"strategy": "badge", "column": "predictions", "embeddings": "embeddings"}
TYPICLUST = {"strategy": "typiclust", "column": "embeddings"}


make_pool = partial(random_pool, d=4)


def choose(pool, entry, budget=10, **options):
    return alcore.select(pool, {"budget": budget, "strategies": [entry], **options}, device="cpu")


def written_out(P, H):
    """(n, C d): the outer products themselves."""
    A = P - np.eye(P.shape[1])[P.argmax(1)]
    return (A[:, :, None] * H[:, None, :]).reshape(len(P), -1)


# Gradient embeddings and BADGE


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_distances_of_gradients_are_those_of_the_outer_products(dtype):
    pool = make_pool(80, d=7, classes=5)
    P, H = pool.columns["predictions"], pool.columns["embeddings"]
    made = GradientEmbeddings(torch.from_numpy(P).to(dtype), torch.from_numpy(H).to(dtype))
    G = torch.from_numpy(written_out(P, H))
    exact = torch.cdist(G, G).square()
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(
        made.squared_lengths, G.square().sum(1), rtol=tolerance, atol=10 * tolerance
    )
    nearest = torch.full((80,), torch.inf, dtype=torch.float64)
    made.lower(nearest, torch.tensor([3, 9]))
    torch.testing.assert_close(
        nearest, exact[:, [3, 9]].amin(1), rtol=10 * tolerance, atol=10 * tolerance
    )
    few = made.few(2)
    assert few.nearest(0) == np.inf
    few.add(3)
    few.add(9)
    singly = torch.tensor([few.nearest(row) for row in range(80)], dtype=torch.float64)
    torch.testing.assert_close(singly, nearest, rtol=10 * tolerance, atol=10 * tolerance)
    assert (len(few), few.nearest(3), few.nearest(9)) == (2, 0, 0)


def law_of_kmeans_plusplus(G, count):
    """The chance of every ordered choice that starts with the longest vector."""
    squared = ((G[:, None] - G[None]) ** 2).sum(-1)
    chances = {(int((G**2).sum(1).argmax()),): 1.0}
    for _ in range(count - 1):
        longer = {}
        for chosen, chance in chances.items():
            weights = squared[:, list(chosen)].min(1)
            for row in np.flatnonzero(weights):
                longer[(*chosen, int(row))] = chance * weights[row] / weights.sum()
        chances = longer
    return chances


@pytest.mark.parametrize("picks_a_pass", [1, 128])
def test_badge_draws_as_kmeans_plusplus_does(monkeypatch, picks_a_pass):
    """3,000 seeds; the draws by stale distances have the same law."""
    monkeypatch.setattr(sizes, "badge_picks_a_pass", picks_a_pass)
    pool = make_pool(6, classes=3)
    P, H = pool.columns["predictions"], pool.columns["embeddings"]
    chances = law_of_kmeans_plusplus(written_out(P, H), 3)
    made = GradientEmbeddings(torch.from_numpy(P), torch.from_numpy(H))
    counts = Counter(
        tuple(badge.draw(made, 3, np.random.default_rng(seed))[0].tolist()) for seed in range(3000)
    )
    assert set(counts) <= set(chances)
    expected = np.array([chances[one] * 3000 for one in chances])
    found = np.array([counts[one] for one in chances])
    assert chisquare(found, expected).pvalue > 0.001
    # A wrong law is found out: that of drawing evenly.
    assert chisquare(found, np.full(len(found), 3000 / len(found))).pvalue < 0.001


def test_its_law_is_that_of_scikit_learn():
    """The second pick, given the first, over many seeds of each."""
    pool = make_pool(8)
    G = written_out(pool.columns["predictions"], pool.columns["embeddings"])
    first = int((G**2).sum(1).argmax())

    class Starting(np.random.RandomState):
        """Draws the first pick, and leaves the others to chance."""

        def choice(self, *given, **options):
            return first

    theirs = Counter()
    for seed in range(1000):
        rows = kmeans_plusplus(G, 2, random_state=Starting(seed), n_local_trials=1)[1]
        assert rows[0] == first
        theirs[int(rows[1])] += 1
    mine = Counter(choose(pool, BADGE, 2, seed=seed).ids[1] for seed in range(700))
    rows = [row for row in range(8) if row != first]
    expected = np.array([theirs[row] for row in rows]) / sum(theirs.values())
    assert chisquare(np.array([mine[row] for row in rows]), expected * 700).pvalue > 0.001


def test_badge_never_repeats_itself_and_fills_up_with_copies():
    pool = make_pool(5)
    repeated = alcore.Pool(
        40,
        columns={
            "embeddings": np.tile(pool.columns["embeddings"], (8, 1)),
            "predictions": np.tile(pool.columns["predictions"], (8, 1)),
        },
    )
    for seed in range(20):
        picked = choose(repeated, BADGE, 12, seed=seed)
        assert len(set(picked.ids)) == 12
        assert len({one % 5 for one in picked.ids[:5]}) == 5
        assert (picked.gains[5:] == 0).all()


def test_badge_is_the_same_in_float32_and_takes_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(900, 10)) * 2
    P = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    large = make_pool(900, d=80, predictions=P)
    small = choose(make_pool(900, d=80, predictions=P.astype(np.float32)), BADGE, 40)
    given_logits = make_pool(900, d=80, predictions=logits)
    assert choose(large, BADGE, 40).ids == small.ids
    assert choose(given_logits, BADGE | {"given": "logits"}, 40).ids == small.ids
    assert choose(large, BADGE, 40, seed=1).ids != small.ids


def test_badge_refuses_numbers_too_large_to_square():
    pool = make_pool(1000, d=80, embeddings=np.full((1000, 80), 1e20, dtype=np.float32))
    with pytest.raises(alcore.InvalidInput, match="holds numbers too large to square"):
        choose(pool, BADGE)


# TypiClust


def typiclust_by_hand(X, labeled, budget, seed=0, neighbors=20, most=500, metric="cosine"):
    """The authors' loop on scikit-learn's clusters, with the paper's plain distances."""
    units = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X - X.mean(0)
    count = min(len(labeled) + budget, most)
    assert count <= 50
    # Clustered in an order that the ids decide, whatever the order of the rows.
    order = np.argsort(uniforms(id_hashes(range(len(X))), seed, SHUFFLE), kind="stable")
    clusters = np.empty(len(X), dtype=np.int64)
    clusters[order] = KMeans(count, n_init=1, random_state=seed).fit_predict(units[order])
    sizes = np.bincount(clusters, minlength=count)
    known = np.bincount(clusters[labeled], minlength=count)
    order = sorted(range(count), key=lambda c: (known[c], -sizes[c], c))
    order = [c for c in order if sizes[c] > 5]
    clusters[labeled] = -1
    chosen = []
    while len(chosen) < budget:
        for c in order:
            left = np.flatnonzero(clusters == c)
            if len(left) and len(chosen) < budget:
                k = min(neighbors, len(left) // 2)
                values = twins.typicality(units[left], k) if k else np.ones(len(left))
                chosen.append(int(left[values.argmax()]))
                clusters[chosen[-1]] = -1
    return chosen


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("labeled", "budget", "most"), [(0, 10, 500), (7, 15, 500), (5, 30, 8)])
def test_typiclust_is_the_authors_loop(labeled, budget, most, metric):
    pool = make_pool(300, labeled=labeled)
    picked = choose(pool, TYPICLUST | {"max_clusters": most, "metric": metric}, budget)
    expected = typiclust_by_hand(
        pool.columns["embeddings"], np.flatnonzero(pool.labeled), budget, most=most, metric=metric
    )
    assert picked.ids == expected


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 70), st.booleans())
def test_rules_choose_as_many_as_there_are_once_each_and_never_labeled(seed, n, budget, copies):
    pool = make_pool(n, labeled=n // 3, seed=seed)
    if copies:
        few = np.round(pool.columns["embeddings"] / 2) + 0.1
        pool = pool.with_columns({"embeddings": few})
    for entry in (
        TYPICLUST,
        BADGE,
        {"strategy": "representatives", "column": "embeddings"},
        {"strategy": "representatives", "column": "embeddings", "method": "k_medoids"},
    ):
        picked = choose(pool, entry, budget)
        free = n - n // 3
        assert len(set(picked.ids)) == len(picked.ids) == min(budget, free)
        assert not pool.labeled[picked.indices].any()
        assert picked.ids == choose(pool, entry, budget).ids


def test_clusters_are_of_the_whole_pool_but_only_candidates_are_chosen():
    pool = make_pool(200)
    low = {"column": "number", "max": 0.3}
    for entry in (TYPICLUST, {"strategy": "representatives", "column": "embeddings"}):
        picked = choose(pool, entry, 20, filters=[low])
        assert (pool.columns["number"][picked.indices] <= 0.3).all()
        assert picked.report["stages"][0]["reached"][entry["strategy"]]["after"]["clusters"] == 20


# Representatives


@pytest.fixture
def heaps():
    """Five heaps of 40, 30, 20, 10 and 10, and where their middles are."""
    rng = np.random.default_rng(0)
    middles = np.array([[0, 0], [20, 0], [0, 20], [20, 20], [50, 50]], dtype=float)
    sizes = [40, 30, 20, 10, 10]
    X = np.concatenate([rng.normal(size=(s, 2)) + m for s, m in zip(sizes, middles, strict=True)])
    return X, np.repeat(np.arange(5), sizes)


@pytest.mark.parametrize("method", ["k_means", "k_medoids"])
def test_representatives_are_the_middles_of_the_heaps_the_larger_first(heaps, method):
    X, heap = heaps
    pool = make_pool(110, embeddings=X)
    picked = choose(pool, {"strategy": "representatives", "column": "embeddings", "method": method}, 5)
    assert sorted(heap[picked.indices]) == [0, 1, 2, 3, 4]
    assert heap[picked.indices][:3].tolist() == [0, 1, 2]
    for row in picked.indices:
        mine = X[heap == heap[row]]
        if method == "k_means":
            apart = np.linalg.norm(X[heap == heap[row]] - mine.mean(0), axis=1)
            assert np.linalg.norm(X[row] - mine.mean(0)) == apart.min()
        else:
            total = np.linalg.norm(mine[:, None] - mine[None], axis=-1).sum(1)
            assert np.linalg.norm(mine - X[row], axis=1).sum() == pytest.approx(total.min())


@pytest.mark.parametrize("method", ["k_means", "k_medoids"])
def test_heaps_with_labeled_samples_come_last(heaps, method):
    X, heap = heaps
    labeled = np.zeros(110, dtype=bool)
    labeled[[0, 45]] = True  # of the first two heaps
    pool = alcore.Pool(110, labeled=labeled, columns={"embeddings": X})
    picked = choose(pool, {"strategy": "representatives", "column": "embeddings", "method": method}, 3)
    assert sorted(heap[picked.indices]) == [2, 3, 4]


def test_medoids_lower_the_total_distance_from_where_k_center_began():
    pool = make_pool(150, labeled=4)
    X, labeled = pool.columns["embeddings"], np.flatnonzero(pool.labeled)

    def total(rows):
        centers = X[[*labeled, *rows]]
        return np.linalg.norm(X[:, None] - centers[None], axis=-1).min(1).sum()

    medoids = choose(
        pool, {"strategy": "representatives", "column": "embeddings", "method": "k_medoids"}
    )
    begun = choose(pool, {"strategy": "diversity", "column": "embeddings"})
    assert total(medoids.indices) < 0.9 * total(begun.indices)


def test_medoids_of_large_clusters_are_nearly_as_good(monkeypatch):
    pool = make_pool(3000)
    entry = {"strategy": "representatives", "column": "embeddings", "method": "k_medoids"}

    def total(picked):
        X = pool.columns["embeddings"]
        return np.linalg.norm(X[:, None] - X[picked.indices][None], axis=-1).min(1).sum()

    whole = total(choose(pool, entry, 4))
    monkeypatch.setattr(sizes, "medoid_members", 200)
    monkeypatch.setattr(sizes, "medoid_choices", 50)
    assert total(choose(pool, entry, 4)) < 1.03 * whole


def test_k_means_makes_no_more_clusters_than_it_may():
    entry = {"strategy": "representatives", "column": "embeddings", "max_clusters": 6}
    picked = choose(make_pool(200, labeled=50), entry, 20)
    assert len(set(picked.ids)) == 20
    assert picked.report["stages"][0]["reached"]["representatives"]["after"]["clusters"] == 6


# In recipes


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"strategies": [TYPICLUST, {"strategy": "random"}]},
            "'typiclust' chooses by a rule of its own and stands alone in its stage; use stages",
        ),
        ({"strategies": [BADGE], "batch": "power"}, "batch: 'power' does not go with 'badge'"),
        (
            {"strategies": [BADGE | {"strength": 2}]},
            "strength: it chooses by a rule of its own, which takes none",
        ),
    ],
)
def test_a_rule_stands_alone(options, sentence):
    with pytest.raises(alcore.InvalidInput) as error:
        alcore.select(make_pool(20), {"budget": 5, **options})
    assert sentence in str(error.value)


def test_a_rule_is_no_score():
    with pytest.raises(alcore.InvalidInput, match="typiclust: chooses by a rule of its own"):
        alcore.score(make_pool(20), TYPICLUST)


def test_a_rule_is_combined_in_stages_and_says_why():
    pool = make_pool(200)
    stages = [
        {"budget": 60, "strategies": [{"strategy": "uncertainty", "column": "predictions"}]},
        {"budget": 10, "strategies": [BADGE]},
    ]
    picked = alcore.select(pool, {"stages": stages}, device="cpu")
    unsure = choose(pool, stages[0]["strategies"][0], 60)
    assert set(picked.ids) <= set(unsure.ids)
    assert [list(why) for why in picked.reasons] == [["badge"]] * 10
    assert picked.report["stages"][1]["chosen"] == 10


def test_rules_can_be_stopped():
    pool = make_pool(100)
    for entry in (
        BADGE,
        TYPICLUST,
        {"strategy": "representatives", "column": "embeddings", "method": "k_medoids"},
    ):
        with pytest.raises(InterruptedError):
            alcore.select(pool, {"budget": 5, "strategies": [entry]}, progress=_stop)


def _stop(chosen, budget):
    raise InterruptedError


def test_the_gains_of_badge_fall_as_a_whole():
    """Each is the squared distance to the nearest chosen: later ones are shorter on the whole."""
    gains = np.mean([choose(make_pool(300), BADGE, 60, seed=s).gains for s in range(10)], axis=0)
    thirds = [gains[i : i + 20].mean() for i in (0, 20, 40)]
    assert all(a > b for a, b in pairwise(thirds))
