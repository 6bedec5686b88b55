"""A pool in shards: the picks are those of one process."""

import os
import signal
import sys

import numpy as np
import pytest
import ray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alcore
from alcore.cluster import ArraySource, NpySource, ParquetSource, ShardedPool
from alcore.data.settings import changed
from alcore.strategies import STRATEGIES as ALL
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


def test_without_a_cluster(monkeypatch, pool):
    assert not ray.is_initialized(), "this test must come before those that start Ray"
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(alcore.InvalidInput, match=r"not connected to a cluster: call ray\.init"):
        alcore.select(pool, {"budget": 5, "strategies": [{"strategy": "random"}]}, backend="ray")


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
    "weighted, by distance": [{**COVERAGE, "metric": "euclidean", "weights": UNCERTAINTY}],
    "cosine x uncertainty": [{**COVERAGE, "kernel": "cosine"}, UNCERTAINTY],
    "x diversity x balance": [COVERAGE, DIVERSITY, LIGHT],
}


@pytest.mark.parametrize(("name", "floats"), [("gaussian", 1 << 16), *((name, 0) for name in GRAPHS)])
def test_coverage_by_a_graph_in_shards(pool, chosen_by_shards, name, floats):
    """Where the kernel of all pairs would be too large, each shard has the lists of its own samples."""
    recipe = {"budget": 60, "strategies": GRAPHS.get(name, [COVERAGE])}
    with changed(coverage_kept_up_to=0, float64_up_to=floats):
        alone = alcore.select(pool, recipe, device="cpu")
        chosen = chosen_by_shards(pool, recipe, (1, 700, 2100))
    assert alone.report["stages"][0]["reached"]["coverage"]["after"]["neighbors"] == "exact"
    assert chosen.indices.tolist() == alone.indices.tolist()
    np.testing.assert_allclose(chosen.gains, alone.gains, rtol=1e-6)
    same_report(chosen.report, alone.report)


def test_coverage_of_drawn_samples(pool, chosen_by_shards):
    """With few picks of many samples the lists of a graph would say little."""
    pool = alcore.Pool(pool.n, pool.ids, columns=dict(pool.columns))
    with changed(coverage_kept_up_to=0):
        recipe = {"budget": 1, "strategies": [COVERAGE]}
        alone = alcore.select(pool, recipe, device="cpu")
        chosen = chosen_by_shards(pool, recipe, (1, 700, 2100))
    assert alone.report["stages"][0]["reached"]["coverage"]["after"]["drawn"] == 2000
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
    # A candidate: its row, a vector of 4 numbers, and to the coordinator its two values. The shards
    # propose twice a block of 256 together, and each of the 3 learns what was chosen.
    traits = 8 * (1 + 4)
    block = 2 * 256 * (traits + 2 * 8) + 3 * 2 * 256 * traits
    few = 3 * 1_000
    for n in (2_000, 16_000):
        rng = np.random.default_rng(0)
        pool = alcore.Pool(n, columns={"embeddings": rng.normal(size=(n, 4)), "s": rng.random(n)})
        recipe = {"budget": 400, "strategies": [DIVERSITY, {"strategy": "weight", "column": "s"}]}
        shards = chosen_by_shards(pool, recipe, (n // 4, n // 2)).report["shards"]
        assert shards["rounds"] >= 3
        assert shards["bytes_a_round"] <= shards["most_bytes_a_round"] <= block + few
    assert block + few < 8 * 16_000  # one number a sample would be noticed


def test_picks_from_files_are_those_from_memory(table, workers):
    path, pool = table
    recipe = {
        "budget": 40,
        "strategies": [
            {"strategy": "diversity", "column": "embeddings"},
            {"strategy": "weight", "column": "number"},
            {"strategy": "balance", "column": "light"},
        ],
    }
    names = ["embeddings", "number", "light"]
    sources = [
        ParquetSource(str(path), names, low, high, ids="id", labeled="labeled")
        for low, high in [(0, 250), (250, 300), (300, None)]
    ]
    chosen = alcore.select(ShardedPool(sources), recipe, backend=workers)
    alone = alcore.select(pool, recipe, device="cpu")
    assert chosen.ids == alone.ids
    assert chosen.indices.tolist() == alone.indices.tolist()


def test_a_missing_file_of_a_shard_is_named(workers, tmp_path):
    np.save(tmp_path / "s.npy", np.arange(5.0))
    sources = [NpySource({"s": str(path)}) for path in (tmp_path / "s.npy", "/nowhere/s.npy")]
    recipe = {"budget": 2, "strategies": [{"strategy": "weight", "column": "s"}]}
    with pytest.raises(alcore.InvalidInput, match=r"^shard '/nowhere/s\.npy': there is no such file"):
        alcore.select(ShardedPool(sources), recipe, backend=workers)


STRATEGIES = [
    {"strategy": "diversity", "column": "embeddings"},
    {"strategy": "balance", "column": "classes", "bins": [1.0, 2.0]},
]


def pid_of(actor):
    return ray.get(actor.__ray_call__.remote(lambda self: os.getpid()))


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    columns = {
        "embeddings": rng.normal(size=(900, 6)).astype(np.float32),
        "classes": rng.integers(0, 3, 900).astype(float),
    }
    for name, values in columns.items():
        np.save(tmp_path / f"{name}.npy", values)
    return columns, {name: str(tmp_path / f"{name}.npy") for name in columns}


def test_an_actor_killed_in_mid_selection(workers, files):
    columns, paths = files
    recipe = {"budget": 120, "strategies": STRATEGIES}
    alone = alcore.select(alcore.Pool(900, columns=columns), recipe, device="cpu")
    at = {"left": [40]}

    def kill(chosen, budget):
        if at["left"] and chosen >= at["left"][0]:
            at["left"].pop(0)
            os.kill(pid_of(workers.actor(1)), signal.SIGKILL)

    sources = [NpySource(paths, 0, 200), NpySource(paths, 200, 650), NpySource(paths, 650)]
    with changed(block_sizes={0: 8, 1: 8, 2: 8, 3: 8}):
        chosen = alcore.select(ShardedPool(sources), recipe, backend=workers, progress=kill)
    assert at["left"] == []
    assert chosen.report["shards"]["replaced"] == 1
    assert chosen.indices.tolist() == alone.indices.tolist()
    assert chosen.ids == alone.ids


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


EMBEDDINGS = {"column": "embeddings"}
RANDOM = {"strategies": [{"strategy": "random"}]}
REFUSED = {
    "strategies: 'typiclust'": {"strategies": [{"strategy": "typiclust", **EMBEDDINGS}]},
    "strategies: 'determinantal'": {"strategies": [{"strategy": "determinantal", **EMBEDDINGS}]},
    "combine: 'lightly'": {**RANDOM, "combine": "lightly"},
    "batch: 'power'": {**RANDOM, "batch": "power"},
    "cost:": {**RANDOM, "cost": {"column": "number", "budget": 3}},
    "groups:": {**RANDOM, "groups": {"column": "light", "at_most": 1}},
    "refine:": {"stages": [{"refine": RANDOM}, {"budget": 3, **RANDOM}]},
    "filters: minimum_distance": {
        **RANDOM,
        "filters": [{"column": "embeddings", "minimum_distance": 0.1}],
    },
    "ignore_outliers": {
        "strategies": [{"strategy": "diversity", **EMBEDDINGS, "ignore_outliers": 0.1}]
    },
    "kernel: 'ball'": {
        "strategies": [{"strategy": "coverage", **EMBEDDINGS, "kernel": "ball", "radius": 0.5}]
    },
    "a number of bins": {"strategies": [{"strategy": "balance", "column": "number", "bins": 3}]},
    "a list of columns": {"strategies": [{"strategy": "balance", "column": ["light", "light"]}]},
    "to, of ids": {"strategies": [{"strategy": "similarity", **EMBEDDINGS, "to": ["s1"]}]},
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(pool, chosen_by_shards, what):
    with pytest.raises(alcore.InvalidInput) as refusal:
        recipe = REFUSED[what] if "stages" in REFUSED[what] else {"budget": 5, **REFUSED[what]}
        chosen_by_shards(pool, recipe, (1000,))
    assert what in str(refusal.value)
    assert "is not possible with backend: 'ray'" in str(refusal.value)


def test_every_strategy_says_whether_it_can_be_divided():
    """Those that cannot are refused by name; those that can are tested in ``test_shards``."""
    divisible = {one.model_fields["strategy"].default for one in ALL if one.divisible}
    assert divisible == {
        *("uncertainty", "weight", "diversity", "balance", "coverage", "typicality", "random"),
        *("similarity", "expected_cost", "disagreement"),
    }


def test_errors_of_shards_are_those_of_one_process(pool, chosen_by_shards):
    columns = {**pool.columns, "number": pool.columns["number"].copy()}
    columns["number"][1500] = np.nan
    broken = alcore.Pool(pool.n, pool.ids, columns=columns)
    for strategy, match in [
        ({"strategy": "weight", "column": "number"}, r"1 sample \(id s1500\) with NaN"),
        ({"strategy": "weight", "column": "light", "prefer": ["fog"]}, "is 'fog'; there are 'day'"),
        ({"strategy": "weight", "column": "absent"}, "there is no column 'absent'"),
    ]:
        recipe = {"budget": 5, "strategies": [strategy]}
        for select in (alcore.select, lambda p, r: chosen_by_shards(p, r, (1000,))):
            with pytest.raises(alcore.InvalidInput, match=match):
                select(broken, recipe)


def test_without_ray(monkeypatch, pool):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(alcore.InvalidInput, match=r"needs Ray.*pip install -r requirements-ray.txt$"):
        alcore.select(pool, {"budget": 5, **RANDOM}, backend="ray")


def test_a_pool_in_shards_needs_the_backend(pool):
    with pytest.raises(alcore.InvalidInput, match="select from it with backend: 'ray'"):
        alcore.select(ShardedPool([ArraySource(pool)]), {"budget": 5, **RANDOM})
    with pytest.raises(alcore.InvalidInput, match="there is no 'dask'"):
        alcore.select(pool, {"budget": 5, **RANDOM}, backend="dask")
    with pytest.raises(alcore.InvalidInput, match="give a source for each shard"):
        ShardedPool([])
