"""What must hold of selections whatever the data: known algorithms, bounds, and invariances."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import alcore
from support import twins
from support.problems import problems

POSITIVE = [1, 1, 2, 0.5]
METRICS = ["euclidean", "cosine"]
continuous = problems(sizes=st.integers(5, 80), dimensions=(2, 5), ties=False, strengths=POSITIVE)


def diverse(X, labeled, budget, metric="euclidean"):
    entry = {"strategy": "diversity", "column": "embeddings", "metric": metric}
    pool = alcore.Pool(len(X), labeled=labeled, columns={"embeddings": X})
    return alcore.select(pool, {"budget": budget, "strategies": [entry]}, device="cpu")


def some_labeled(rng, n, share):
    labeled = rng.random(n) < share
    labeled[rng.integers(n)] = False
    return labeled


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("share", [0, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_diversity_alone_is_farthest_first(metric, share, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 3)) + 1
    labeled = some_labeled(rng, 200, share)
    D = twins.distances(X, X, metric)
    centers = np.flatnonzero(labeled).tolist()
    chosen = diverse(X, labeled, 50, metric).indices.tolist()
    first = 0
    if not centers:
        units = X / np.linalg.norm(X, axis=1, keepdims=True)
        points = units if metric == "cosine" else X
        mean = points.mean(0, keepdims=True)
        assert chosen[0] == twins.distances(points, mean, metric).argmin()
        centers, first = chosen[:1], 1
    for pick in chosen[first:]:
        nearest = D[:, centers].min(1)
        nearest[labeled] = 0
        assert pick == nearest.argmax()
        centers.append(pick)


@settings(max_examples=150)
@given(
    st.integers(2, 9),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0, 0, 0.3]),
    st.integers(0, 2**32 - 1),
)
def test_diversity_leaves_at_most_twice_the_smallest_radius(n, d, budget, share, seed):
    """Gonzalez 1985; with labeled samples as centers there already it holds too."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, (n, d)) if seed % 2 else rng.normal(size=(n, d))
    labeled = some_labeled(rng, n, share)
    free, there = np.flatnonzero(~labeled), np.flatnonzero(labeled)
    D = twins.distances(X, X, "euclidean")

    def radius(picks):
        return D[:, [*there, *picks]].min(1).max()

    chosen = diverse(X, labeled, budget)
    optimum = min(radius(picks) for picks in combinations(free, min(budget, len(free))))
    assert radius(chosen.indices) <= 2 * optimum + 1e-9
    reached = chosen.report["stages"][0]["reached"]["diversity"]
    assert reached["after"]["radius"] == pytest.approx(radius(chosen.indices), abs=1e-9)
    assert reached["before"]["radius"] == (pytest.approx(radius([])) if len(there) else None)


@settings(max_examples=80)
@given(problems(sizes=st.integers(5, 80)), st.integers(1, 40))
def test_a_smaller_budget_chooses_a_prefix(problem, budget):
    longer = alcore.select(problem.pool, problem.recipe, device="cpu")
    shorter = alcore.select(problem.pool, problem.recipe | {"budget": budget}, device="cpu")
    both = min(budget, problem.recipe["budget"])
    assert shorter.indices[:both].tolist() == longer.indices[:both].tolist()


def ties(problem, picks):
    """Whether at some pick another candidate was worth the same, as when nothing is labeled yet."""
    chosen = []
    steps = twins.totals(
        problem.terms,
        problem.strengths,
        problem.candidates,
        problem.labeled,
        chosen,
        problem.recipe["combine"],
    )
    for pick, (left, total) in zip(picks, steps, strict=False):
        worth = total[left == pick]
        if (np.abs(total - worth) <= 1e-7 * np.abs(worth)).sum() > 1:
            return True
        chosen.append(pick)
    return False


@settings(max_examples=80)
@given(continuous, st.integers(0, 2**32 - 1))
def test_the_order_of_the_samples_does_not_matter(problem, seed):
    pool = problem.pool
    order = np.random.default_rng(seed).permutation(pool.n)
    shuffled = alcore.Pool(
        pool.n,
        ids=order.tolist(),
        labeled=pool.labeled[order],
        columns={
            name: column[..., order, :] if column.ndim > 1 else column[order]
            for name, column in pool.columns.items()
        },
    )
    there = alcore.select(shuffled, problem.recipe, device="cpu")
    here = alcore.select(pool, problem.recipe, device="cpu")
    assume(not ties(problem, here.indices.tolist()))
    assert there.ids == here.ids
    np.testing.assert_allclose(there.gains, here.gains, rtol=1e-6)


@settings(max_examples=80)
@given(continuous, st.floats(0, 1))
def test_labeling_the_first_picks_and_going_on_gives_the_rest(problem, share):
    # What chance explains is judged once, by what is labeled then; more labels explain it differently.
    strategies = [
        {**one, "beyond_chance": False} if "beyond_chance" in one else one
        for one in problem.recipe["strategies"]
    ]
    recipe = problem.recipe | {"combine": "product", "strategies": strategies}
    whole = alcore.select(problem.pool, recipe, device="cpu").indices.tolist()
    assume(whole)  # all may be too near to what is labeled
    done = int(share * (len(whole) - 1))
    labeled = problem.pool.labeled.copy()
    labeled[whole[:done]] = True
    later = alcore.Pool(problem.pool.n, labeled=labeled, columns=problem.pool.columns)
    rest = alcore.select(later, recipe | {"budget": len(whole) - done}, device="cpu")
    assert rest.indices.tolist() == whole[done:]


@settings(max_examples=60)
@given(continuous, st.sampled_from([0.125, 8.0]))
def test_the_scale_of_a_column_does_not_matter_to_a_product(problem, factor):
    """A power of two changes no digit, so that even rounding is the same."""
    for entry in problem.recipe["strategies"]:
        entry.pop("minimum_distance", None)
        if entry["strategy"] == "weight" and entry["column"] == "number":
            entry["prefer"] = "high"
        if entry["strategy"] == "coverage":
            entry["metric"] = "cosine"  # a width is in the unit of the column
    recipe = problem.recipe | {"combine": "product"}
    pool = problem.pool
    scaled = {name: pool.columns[name] * factor for name in ("embeddings", "number")}
    scaled |= {name: pool.columns[name] for name in ("predictions", "members", "light")}
    other = alcore.Pool(pool.n, labeled=pool.labeled, columns=scaled)
    here = alcore.select(pool, recipe, device="cpu").indices
    assert here.tolist() == alcore.select(other, recipe, device="cpu").indices.tolist()


def by_chance(n, budget, seed, **recipe):
    pool = alcore.Pool(n, columns={"number": np.arange(n)})
    recipe = {"budget": budget, "strategies": [{"strategy": "random"}], "seed": seed} | recipe
    return alcore.select(pool, recipe, device="cpu").indices.tolist()


def test_chance_is_the_same_for_the_same_seed():
    assert by_chance(1000, 50, seed=3) == by_chance(1000, 50, seed=3)
    assert by_chance(1000, 50, seed=3) != by_chance(1000, 50, seed=4)


def test_chance_is_even():
    """Drawn without replacement, so that counts vary by a share of (1 - 5 / 20) of the binomial's."""
    n, budget, runs = 20, 5, 2000
    first, counts = np.zeros(n), np.zeros(n)
    for seed in range(runs):
        picks = by_chance(n, budget, seed)
        first[picks[0]] += 1
        counts[picks] += 1
    expected = runs * budget / n
    assert ((counts - expected) ** 2 / expected).sum() / (1 - budget / n) < 43.8  # p = 0.001, 19 df
    assert ((first - runs / n) ** 2 / (runs / n)).sum() < 43.8


def test_a_filter_does_not_change_what_the_others_drew():
    everyone = by_chance(100, 100, seed=1)
    kept = by_chance(100, 100, seed=1, filters=[{"column": "number", "min": 40}])
    assert kept == [row for row in everyone if row >= 40]
