"""A pool in shards: the picks are those of one process."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alcore
from alcore.data.settings import changed
from support.problems import problems

DIVERSITY = {"strategy": "diversity", "column": "embeddings"}
UNCERTAINTY = {"strategy": "uncertainty", "column": "predictions"}
COVERAGE = {"strategy": "coverage", "column": "embeddings"}
TYPICALITY = {"strategy": "typicality", "column": "embeddings", "neighbors": 5}
CLASSES = {"strategy": "balance", "column": "predictions", "count": "predicted"}
LIGHT = {"strategy": "balance", "column": "light", "target": "input"}
NUMBER = {"strategy": "weight", "column": "number"}
KINDS = {"uncertainty", "diversity", "balance", "weight", "disagreement", "expected_cost"}

RECIPES = {
    "uncertainty": {"strategies": [UNCERTAINTY]},
    "weight, all ties": {"strategies": [NUMBER]},
    "diversity": {"strategies": [DIVERSITY]},
    "diversity by cosine": {"strategies": [{**DIVERSITY, "metric": "cosine"}]},
    "diversity x uncertainty": {"strategies": [DIVERSITY, UNCERTAINTY]},
    "diversity x balance x weight": {"strategies": [DIVERSITY, LIGHT, NUMBER]},
    "balance x weight": {"strategies": [CLASSES, NUMBER]},
    "sum": {"strategies": [DIVERSITY, UNCERTAINTY, CLASSES], "combine": "sum"},
    "inverted": {"strategies": [UNCERTAINTY, {**DIVERSITY, "strength": -0.5}], "budget": 8},
    "minimum distance": {"strategies": [NUMBER, {**DIVERSITY, "minimum_distance": 2.0}]},
    "by chance": {"strategies": [{"strategy": "random"}, LIGHT]},
    "filtered": {"strategies": [UNCERTAINTY], "filters": [{"column": "number", "max": 2}]},
    "coverage": {"strategies": [COVERAGE], "budget": 20},
    "coverage weighted": {"strategies": [{**COVERAGE, "weights": UNCERTAINTY}], "budget": 20},
    "coverage + uncertainty": {"strategies": [COVERAGE, UNCERTAINTY], "combine": "sum", "budget": 20},
    "typicality": {"strategies": [TYPICALITY]},
    "typicality x diversity": {"strategies": [{**TYPICALITY, "metric": "cosine"}, DIVERSITY]},
    "outliers": {"strategies": [{**TYPICALITY, "strength": -1}, LIGHT]},
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("ends", [(700,), (1, 1, 2100, 2101)], ids=["two", "five, one empty"])
def test_picks_are_those_of_one_process(pool, chosen_by_shards, name, ends):
    recipe = {"budget": 60, **RECIPES[name]}
    alone = alcore.select(pool, recipe, device="cpu")
    chosen = chosen_by_shards(pool, recipe, ends)
    assert chosen.indices.tolist() == alone.indices.tolist()
    assert chosen.ids == alone.ids
    np.testing.assert_allclose(chosen.gains, alone.gains, rtol=1e-12, atol=1e-7)
    same_report(chosen.report, alone.report)


@pytest.mark.parametrize("name", ["diversity", "diversity x uncertainty", "minimum distance", "sum"])
def test_so_are_they_in_float32_and_without_labeled_samples(pool, chosen_by_shards, name):
    pool = alcore.Pool(pool.n, columns=dict(pool.columns))
    recipe = {"budget": 60, **RECIPES[name]}
    with changed(float64_up_to=0):
        alone = alcore.select(pool, recipe, device="cpu")
        chosen = chosen_by_shards(pool, recipe, (100, 2000))
    assert chosen.indices.tolist() == alone.indices.tolist()
    np.testing.assert_allclose(chosen.gains, alone.gains, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(problems(kinds=KINDS), st.lists(st.integers(0, 300), max_size=3), st.integers(1, 4))
def test_so_are_they_for_any_problem(chosen_by_shards, problem, ends, block):
    """Of small blocks there are many rounds, whose bounds are stale."""
    ends = sorted(min(end, problem.pool.n) for end in ends)
    sizes = dict.fromkeys(range(4), block)
    with changed(block_sizes=sizes, kinds_a_block=4):
        alone = alcore.select(problem.pool, problem.recipe, device="cpu")
        chosen = chosen_by_shards(problem.pool, problem.recipe, ends)
    assert chosen.indices.tolist() == alone.indices.tolist()


GRAPHS = {
    "gaussian": [COVERAGE],
    "weighted, by distance": [{**COVERAGE, "metric": "euclidean", "weights": UNCERTAINTY}],
    "cosine x uncertainty": [{**COVERAGE, "kernel": "cosine"}, UNCERTAINTY],
    "x diversity x balance": [COVERAGE, DIVERSITY, LIGHT],
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("floats", [0, 1 << 16], ids=["float32", "float64"])
def test_coverage_by_a_graph_in_shards(pool, chosen_by_shards, name, floats):
    """Where the kernel of all pairs would be too large, each shard has the lists of its own samples."""
    recipe = {"budget": 60, "strategies": GRAPHS[name]}
    with changed(coverage_kept_up_to=0, float64_up_to=floats):
        alone = alcore.select(pool, recipe, device="cpu")
        chosen = chosen_by_shards(pool, recipe, (1, 700, 2100))
    assert alone.report["stages"][0]["reached"]["coverage"]["after"]["neighbors"] == "exact"
    assert chosen.indices.tolist() == alone.indices.tolist()
    np.testing.assert_allclose(chosen.gains, alone.gains, rtol=1e-6)
    same_report(chosen.report, alone.report)


def test_coverage_of_drawn_samples(pool, chosen_by_shards):
    with changed(coverage_kept_up_to=0):
        recipe = {"budget": 1, "strategies": [COVERAGE]}
        alone = alcore.select(pool, recipe, device="cpu")
        chosen = chosen_by_shards(pool, recipe, (1, 700, 2100))
    assert chosen.indices.tolist() == alone.indices.tolist()
    same_report(chosen.report, alone.report)


def test_stages(pool, chosen_by_shards):
    stages = [
        {"budget": 300, "strategies": [UNCERTAINTY]},
        {"budget": 20, "strategies": [DIVERSITY]},
    ]
    alone = alcore.select(pool, {"stages": stages}, device="cpu")
    chosen = chosen_by_shards(pool, {"stages": stages}, (50, 2950))
    assert chosen.indices.tolist() == alone.indices.tolist()
    assert [one["candidates"] for one in chosen.report["stages"]] == [2990, 300]


def test_what_a_round_sends_depends_on_the_block_and_not_on_the_pool(chosen_by_shards):
    most = {}
    for n in (2_000, 16_000):
        rng = np.random.default_rng(0)
        pool = alcore.Pool(n, columns={"embeddings": rng.normal(size=(n, 4)), "s": rng.random(n)})
        recipe = {"budget": 400, "strategies": [DIVERSITY, {"strategy": "weight", "column": "s"}]}
        shards = chosen_by_shards(pool, recipe, (n // 4, n // 2)).report["shards"]
        assert shards["rounds"] > 3
        most[n] = shards["most_bytes_a_round"]
    # A candidate: row, two values, a vector of 4 numbers and its length. Each of 3 shards proposes
    # 2 / 3 of a block of 256, and all learn what was chosen.
    candidate = 8 * (1 + 2 + 4 + 1)
    assert most[16_000] <= 2 * 256 * candidate * (1 + 3) + 3 * 1000
    assert most[16_000] <= 1.1 * most[2_000]


def same_report(mine, alone):
    """The counts are the same, and what is reached is so up to rounding."""
    for one, other in zip(mine["stages"], alone["stages"], strict=True):
        for key in other.keys() - {"seconds", "reached"}:
            assert one[key] == other[key]
        assert flat(one["reached"]) == pytest.approx(flat(other["reached"]), nan_ok=True)
    for key in ("pool", "labeled", "filtered_out", "chosen", "stopped", "seed"):
        assert mine[key] == alone[key]


def flat(nested, at=""):
    if not isinstance(nested, dict):
        return {at: nested}
    return {k: v for name, one in nested.items() for k, v in flat(one, f"{at}.{name}").items()}
