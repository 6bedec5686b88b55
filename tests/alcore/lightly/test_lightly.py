"""LightlyOne's configs and its way to combine, beside the formula written out and its own engine."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alcore
from alcore import InvalidInput, Objects, Pool, lightly

CONFIG = {
    "nSamples": 30,
    "strategies": [
        {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY", "strength": 0.8}},
        {
            "input": {"type": "SCORES", "task": "model", "score": "uncertainty_margin"},
            "strategy": {"type": "WEIGHTS", "strength": 1.5},
        },
        {
            "input": {"type": "METADATA", "key": "lightly.sharpness"},
            "strategy": {"type": "THRESHOLD", "threshold": 0.2, "operation": "BIGGER"},
        },
        {
            "input": {"type": "PREDICTIONS", "task": "model", "name": "CLASS_DISTRIBUTION"},
            "strategy": {
                "type": "BALANCE",
                "distribution": "TARGET",
                "target": {"aB": 0.5, "c": 0.3},
            },
        },
        {
            "input": {"type": "EMBEDDINGS", "dataset_id": "d", "tag_name": "like-these"},
            "strategy": {"type": "SIMILARITY", "strength": -0.5},
        },
        {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "TYPICALITY", "numNearestNeighbors": 7}},
        {"input": {"type": "RANDOM", "randomSeed": 5}, "strategy": {"type": "WEIGHTS"}},
    ],
}


def of(*strategies, **more):
    return {"nSamples": 10, "strategies": list(strategies), **more}


def weighing(key, kind="WEIGHTS", **options):
    return {"input": {"type": "METADATA", "key": key}, "strategy": {"type": kind, **options}}


def data(seed, n=200, classes=5):
    rng = np.random.default_rng(seed)
    return {
        "embeddings": rng.normal(size=(n, 6)).astype(np.float32),
        "model": rng.dirichlet(np.full(classes, 0.5), n).astype(np.float32),
        "weight": rng.random(n).astype(np.float32),
    }, rng


def product(columns, strengths, target, labeled, budget):
    """Every candidate at every pick, by the formula."""
    X, P, w = (columns[name].astype(np.float64) for name in ("embeddings", "model", "weight"))
    D = ((X[:, None] - X[None]) ** 2).sum(-1)
    entropy = -(target * np.log2(target)).sum()
    chosen, picked = list(labeled), []
    for _ in range(budget):
        total = np.zeros(len(X))
        with np.errstate(divide="ignore"):
            if chosen and "diversity" in strengths:
                inside = D[np.ix_(chosen, chosen)].copy()
                np.fill_diagonal(inside, np.inf)
                base = inside.min(1).sum() if len(chosen) > 1 else 0.0
                total += strengths["diversity"] * np.log(base + D[:, chosen].min(1))
            if "weight" in strengths:
                total += strengths["weight"] * np.log(w[chosen].sum() + w)
            if "balance" in strengths:
                q = P[chosen].sum(0) + P
                q = q / q.sum(1, keepdims=True)
                apart = (target * (np.log2(target + 1e-10) - np.log2(q + 1e-10))).sum(1)
                total -= strengths["balance"] * np.log(1 + apart / entropy)
        total[chosen] = -np.inf
        chosen.append(int(total.argmax()))
        picked.append(chosen[-1])
    return picked


def recipe_with(strengths, target, budget):
    columns = {"diversity": "embeddings", "weight": "weight", "balance": "model"}
    entries = [
        {"strategy": name, "column": columns[name], "strength": strength}
        for name, strength in strengths.items()
    ]
    for entry in entries:
        if entry["strategy"] == "balance":
            entry["target"] = {str(c): float(share) for c, share in enumerate(target)}
    return {"budget": budget, "combine": "lightly", "strategies": entries}


STRENGTHS = st.dictionaries(
    st.sampled_from(["diversity", "weight", "balance"]), st.sampled_from([0.3, 1.0, 2.5]), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), STRENGTHS, st.integers(0, 5))
def test_picks_are_those_of_the_formula(seed, strengths, known):
    columns, rng = data(seed, n=60)
    target = rng.dirichlet(np.ones(5))
    labeled = np.arange(60) < known
    pool = Pool(60, labeled=labeled, columns=columns)
    chosen = alcore.select(pool, recipe_with(strengths, target, 30), device="cpu")
    assert chosen.indices.tolist() == product(columns, strengths, target, range(known), 30)


@pytest.mark.parametrize("seed", range(8))
def test_picks_are_those_of_their_engine(seed):
    mundig = pytest.importorskip("lightly_mundig", exc_type=ImportError)
    columns, rng = data(seed)
    known = seed % 3
    target = rng.dirichlet(np.ones(5))
    strengths = dict(zip(("diversity", "weight", "balance"), rng.uniform(0.3, 2, 3), strict=True))
    kept = list(strengths)[: 1 + seed % 3] if seed < 6 else list(strengths)
    strengths = {name: float(strengths[name]) for name in kept}
    theirs = mundig.Selection()
    if "diversity" in strengths:
        theirs.add_diversifying_strategy(columns["embeddings"], strengths["diversity"])
    if "weight" in strengths:
        theirs.add_weighting_strategy(columns["weight"].tolist(), strengths["weight"])
    if "balance" in strengths:
        theirs.add_balancing_strategy(columns["model"], target.tolist(), strengths["balance"])
    wanted = theirs.run_selection(list(range(known)), 200, 100 + known)[known:]
    pool = Pool(200, labeled=np.arange(200) < known, columns=columns)
    chosen = alcore.select(pool, recipe_with(strengths, target, 100), device="cpu")
    # In order, but for neighbors whose values their float32 cannot tell apart.
    assert set(chosen.indices.tolist()) == set(wanted)
    swapped = sum(mine != other for mine, other in zip(chosen.indices.tolist(), wanted, strict=True))
    assert swapped <= 4


def test_typicality_similarity_and_the_end_by_distance_are_those_of_their_engine():
    mundig = pytest.importorskip("lightly_mundig", exc_type=ImportError)
    columns, rng = data(3)
    X = columns["embeddings"]
    queries = rng.normal(size=(4, 6)).astype(np.float32)
    entries = {
        "typicality": {"neighbors": 20},
        "similarity": {"to": queries.tolist()},
        "diversity": {"minimum_distance": 2.0},
    }
    weights = {
        "typicality": mundig.Typicality(X).calculate_typicality(num_nearest_neighbors=20),
        "similarity": mundig.Similarity(key_embeddings=X).calculate_similarity(
            query_embeddings=queries
        ),
    }
    for name, options in entries.items():
        theirs = mundig.Selection()
        if name == "diversity":
            theirs.add_diversifying_strategy(X, 1.0, 2.0)
        else:
            theirs.add_weighting_strategy(list(map(float, weights[name])), 1.0)
        wanted = theirs.run_selection([], 200, 60)
        entry = {"strategy": name, "column": "embeddings", **options}
        recipe = {"budget": 60, "combine": "lightly", "strategies": [entry]}
        chosen = alcore.select(Pool(200, columns=columns), recipe, device="cpu")
        assert chosen.indices.tolist() == wanted, name
    assert len(wanted) < 60 and "minimum_distance" in chosen.report["stopped"]


def test_a_config_becomes_a_recipe_that_names_its_columns():
    recipe = lightly.recipe_of(CONFIG, queries={"like-these": [[1.0] * 6]})
    assert (recipe.budget, recipe.combine, recipe.seed) == (30, "lightly", 5)
    assert recipe.columns == {
        "lightly.sharpness": ["filter"],
        "embeddings": ["diversity", "similarity", "typicality"],
        "model": ["uncertainty", "balance"],
    }
    assert recipe.filters[0].min == np.nextafter(0.2, 1)
    kinds = [entry.strategy for entry in recipe.strategies]
    assert kinds == ["diversity", "uncertainty", "balance", "similarity", "typicality", "random"]
    assert [entry.strength for entry in recipe.strategies] == [0.8, 1.5, 1, -0.5, 1, 1]
    assert recipe.strategies[2].target == {"aB": 0.5, "c": 0.3}
    assert recipe.strategies[4].neighbors == 7
    assert lightly.recipe_of(json.dumps(CONFIG), {"like-these": [[1.0] * 6]}) == recipe
    columns, rng = data(0, classes=3)
    sharp = rng.random(200)
    pool = Pool(
        200, columns={**columns, "lightly.sharpness": sharp}, classes={"model": ["aB", "c", "d"]}
    )
    chosen = alcore.select(pool, recipe, device="cpu")
    assert len(chosen) == 30 and (sharp[chosen.indices] > 0.2).all()


def test_scores_made_elsewhere_are_weights():
    columns, _ = data(0)
    config = of(
        {
            "input": {"type": "SCORES", "task": "weight", "score": "uncertainty_entropy"},
            "strategy": {"type": "WEIGHTS"},
        }
    )
    chosen = alcore.select(Pool(200, columns=columns), lightly.recipe_of(config))
    assert chosen.indices.tolist() == np.argsort(-columns["weight"], kind="stable")[:10].tolist()


def test_objects_are_counted_by_their_categories():
    objects = Objects.from_lists(labels=[[0, 0], [1, 1, 1], [0, 1], []], classes=["car", "bus"])
    counts = {"type": "PREDICTIONS", "task": "boxes", "name": "CATEGORY_COUNT", "categories": ["car"]}
    weigh = {"input": counts, "strategy": {"type": "WEIGHTS"}}
    many = {
        "input": {"type": "PREDICTIONS", "task": "boxes", "name": "CATEGORY_COUNT"},
        "strategy": {"type": "THRESHOLD", "threshold": 2, "operation": "BIGGER_EQUAL"},
    }
    recipe = lightly.recipe_of(of(weigh, many))
    chosen = alcore.select(Pool(4, columns={"boxes": objects}), recipe)
    assert chosen.indices.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "operation, kept",
    [("SMALLER", [0]), ("SMALLER_EQUAL", [0, 1]), ("BIGGER", [2]), ("BIGGER_EQUAL", [1, 2])],
)
def test_thresholds(operation, kept):
    config = of(weighing("k", "THRESHOLD", threshold=0.5, operation=operation))
    chosen = alcore.select(Pool(3, columns={"k": [0.1, 0.5, 0.9]}), lightly.recipe_of(config))
    assert sorted(chosen.indices.tolist()) == kept


def test_where_it_ends():
    numbers = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    pool = Pool(5, columns={"k": numbers, "embeddings": np.c_[numbers, numbers] * 10})
    few = alcore.select(pool, lightly.recipe_of(of(weighing("k", stoppingConditionMaxSum=12))))
    assert few.indices.tolist() == [0, 1, 2] and "max_sum" in few.report["stopped"]
    typical = {
        "input": {"type": "EMBEDDINGS"},
        "strategy": {
            "type": "TYPICALITY",
            "numNearestNeighbors": 2,
            "stoppingConditionMinimumTypicality": 0.35,
        },
    }
    chosen = alcore.select(pool, lightly.recipe_of(of(typical)))
    assert 0 < len(chosen) < 5
    everyone = lightly.recipe_of(of(weighing("k"), nSamples=-1))
    assert len(alcore.select(pool, everyone)) == 5


@pytest.mark.parametrize(
    "config, message",
    [
        ("{", "lightly: is not JSON"),
        ({"nSamples": 1}, "strategies, a list"),
        ({"strategies": [weighing("k")]}, "needs n_samples or proportion_samples"),
        (of(weighing("k", "WEIGHT")), "unknown strategy 'WEIGHT'"),
        (of(weighing("k", strenght=2)), "unknown option 'strenght'"),
        (of(weighing("k", "THRESHOLD", threshold=1, operation="<")), "there is no '<'"),
        (of(weighing("k", "BALANCE", distribution="TARGET")), "TARGET with a target"),
        (of(weighing("k", "DIVERSITY")), "DIVERSITY takes EMBEDDINGS"),
        (of(CONFIG["strategies"][4]), "give queries={'like-these'"),
        (of({"input": {"type": "METADATA"}, "strategy": {"type": "WEIGHTS"}}), "needs a key"),
    ],
)
def test_what_cannot_be_taken_over_is_said(config, message):
    with pytest.raises(InvalidInput, match=message):
        lightly.recipe_of(config)


@pytest.mark.parametrize(
    "recipe, message",
    [
        ({"strategies": [{"strategy": "coverage", "column": "embeddings"}]}, "does not add up"),
        ({"strategies": [{"strategy": "weight", "column": "k"}]}, "weight below 0"),
        ({"strategies": [{"strategy": "typiclust", "column": "embeddings"}]}, "does not go with"),
        (
            {
                "combine": "sum",
                "strategies": [{"strategy": "weight", "column": "k"}],
                "stop": {"weight": {"max_sum": 3}},
            },
            "stop: is for combine: 'lightly' alone",
        ),
    ],
)
def test_what_does_not_combine_so_is_refused(recipe, message):
    columns, _ = data(0)
    pool = Pool(200, columns=columns | {"k": np.linspace(-1, 1, 200)})
    with pytest.raises(InvalidInput, match=message):
        alcore.select(pool, {"budget": 3, "combine": "lightly"} | recipe)
