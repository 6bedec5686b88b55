"""Every strategy keeps the contract; a class each. And a strategy that breaks it is caught."""

from dataclasses import replace

import pytest

import alcore
from alcore.strategies import BY_NAME
from alcore.strategies.diversity import Diversity
from support.strategy_contract import StrategyContract

VECTORS, CLASSES = {"column": "embeddings"}, {"column": "predictions"}
COST = [[0, 1, 2], [3, 0, 1], [1, 4, 0]]


class TestCoverage(StrategyContract):
    strategy = "coverage"
    entries = (
        VECTORS,
        {**VECTORS, "weights": {"strategy": "uncertainty", "column": "predictions"}},
        {**VECTORS, "weights": "number", "metric": "euclidean", "bandwidth": 1.5},
        {**VECTORS, "kernel": "ball", "radius": 0.5},
    )
    tied = (3,)
    counts_labeled = True


class TestUncertainty(StrategyContract):
    strategy = "uncertainty"
    entries = (
        CLASSES,
        {**CLASSES, "measure": "entropy", "temperature": "fit", "labels": "truth"},
        {**CLASSES, "multi_label": True},
    )
    tied = (2,)


class TestDisagreement(StrategyContract):
    strategy = "disagreement"
    entries = ({"column": "members"}, {"column": ["predictions", "others"], "measure": "mean_std"})


class TestBatchBald(StrategyContract):
    strategy = "batch_bald"
    entries = ({"column": "members"}, {"column": ["predictions", "others"]})


class TestExpectedCost(StrategyContract):
    strategy = "expected_cost"
    entries = ({**CLASSES, "cost": COST}, {**CLASSES, "gain": COST, "measure": "margin"})


class TestBalance(StrategyContract):
    strategy = "balance"
    entries = (
        CLASSES,
        {**CLASSES, "labels": "truth", "count": "predicted", "target": {"0": 0.6}},
        {"column": "number", "bins": 3, "target": "input"},
        {"column": ["place", "truth"]},
        {**CLASSES, "beyond_chance": True, "target": {"0": 0.97}},
    )
    tied = (1, 2, 3)
    counts_labeled = True


class TestDiversity(StrategyContract):
    strategy = "diversity"
    entries = (VECTORS, {**VECTORS, "metric": "cosine"})
    counts_labeled = True


class TestWeight(StrategyContract):
    strategy = "weight"
    entries = (
        {"column": "number"},
        {"column": "number", "prefer": {"around": 0.4, "width": 0.2}},
        {"column": "place", "prefer": ["yard", "dock"]},
    )
    tied = (2,)


class TestTypicality(StrategyContract):
    strategy = "typicality"
    entries = (VECTORS, {**VECTORS, "neighbors": 3, "metric": "cosine", "strength": -1})


class TestSimilarity(StrategyContract):
    strategy = "similarity"
    entries = ({**VECTORS, "to": [[1.0, 0.0, 0.5, -1.0]]},)


class TestLikeFailures(StrategyContract):
    strategy = "like_failures"
    entries = ({**VECTORS, "to": [[1.0, 0.0, 0.5, -1.0], [0.0, 1.0, 0.0, 0.0]]},)
    counts_labeled = True


class TestDeterminantal(StrategyContract):
    strategy = "determinantal"
    entries = (VECTORS, {**VECTORS, "bandwidth": 0.7})
    counts_labeled = True


class TestRepresentativeInformative(StrategyContract):
    strategy = "representative_informative"
    entries = (CLASSES, {**CLASSES, "scaling": "mean_discrepancy", "beta": 0.0})
    counts_labeled = True


class TestClassBalanced(StrategyContract):
    strategy = "class_balanced"
    entries = (
        CLASSES,
        {**CLASSES, "solver": "greedy", "labels": "truth", "target": {"0": 0.6}},
        {**CLASSES, "measure": "diversity", "embeddings": "embeddings"},
    )
    solver_decides = (0,)


class TestMinority(StrategyContract):
    strategy = "minority"
    entries = (CLASSES, {**CLASSES, "variant": "uncertain", "labels": "truth"})
    counts_labeled = True


class TestPal(StrategyContract):
    strategy = "pal"
    entries = ({"column": "objects"}, {"column": "objects", "embeddings": "embeddings"})
    counts_labeled = True


class TestClasp(StrategyContract):
    strategy = "clasp"
    entries = (
        {"column": "class_maps"},
        {"column": ["class_maps", "class_maps"], "round": 5, "aggregate": "top_share"},
        {"column": "maps"},
    )
    by_chance = True


class TestTypiClust(StrategyContract):
    strategy = "typiclust"
    entries = (VECTORS,)
    by_chance = True
    counts_labeled = True


class TestRepresentatives(StrategyContract):
    strategy = "representatives"
    entries = (VECTORS, {**VECTORS, "method": "k_medoids"})
    by_chance = True
    counts_labeled = True


class TestBadge(StrategyContract):
    strategy = "badge"
    entries = ({**CLASSES, "embeddings": "embeddings"},)
    by_chance = True


class TestRandom(StrategyContract):
    strategy = "random"
    entries = ({},)
    by_chance = True


def test_every_strategy_has_a_class_here():
    classes = {one.strategy: one for one in StrategyContract.__subclasses__()}
    assert set(classes) == set(BY_NAME)


def test_a_strategy_that_forgets_its_labeled_samples_is_caught(monkeypatch):
    whole = Diversity.objective

    def forgetful(self, task):
        pool = alcore.Pool(task.pool.n, columns=task.pool.columns)  # as if nothing were labeled
        return whole(self, replace(task, pool=pool))

    entry = {"strategy": "diversity", **VECTORS}
    TestDiversity().test_the_labeled_count(entry)
    monkeypatch.setattr(Diversity, "objective", forgetful)
    with pytest.raises(AssertionError):
        TestDiversity().test_the_labeled_count(entry)


def test_a_strategy_that_reads_more_than_it_says_is_caught(monkeypatch):
    whole = Diversity.objective

    def curious(self, task):
        task.pool.column("number", task.user)
        return whole(self, task)

    monkeypatch.setattr(Diversity, "objective", curious)
    with pytest.raises(AssertionError):
        TestDiversity().test_it_reads_the_columns_that_it_says({"strategy": "diversity", **VECTORS})
