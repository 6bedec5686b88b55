"""The pool: what it takes, what it refuses and how it says so, and what missing values mean."""

import numpy as np
import pytest
import torch

import alcore
from alcore import InvalidInput, Pool
from alcore.data.settings import settings

UNCERTAINTY = {"strategy": "uncertainty", "column": "p"}
DIVERSITY = {"strategy": "diversity", "column": "e"}
COVERAGE = {"strategy": "coverage", "column": "e", "bandwidth": 0.5}
BALANCE = {"strategy": "balance", "column": "c"}
WEIGHT = {"strategy": "weight", "column": "w"}
RANDOM = {"strategy": "random"}


def choose(pool, *strategies, budget=3):
    return alcore.select(pool, {"budget": budget, "strategies": list(strategies)}, device="cpu")


def complaint(call, *arguments, **options):
    with pytest.raises(InvalidInput) as error:
        call(*arguments, **options)
    return str(error.value)


def predictions(n=5, classes=3):
    return np.random.default_rng(0).dirichlet(np.ones(classes), n)


def vectors(n=5, d=2):
    return np.random.default_rng(0).normal(size=(n, d)) + 1


# Shapes and lengths


def test_takes_arrays_tensors_and_lists_alike():
    X = vectors(20, 3)
    picks = [
        choose(Pool(20, columns={"e": given}), DIVERSITY).indices.tolist()
        for given in (X, torch.tensor(X), X.tolist(), list(X), np.asfortranarray(X))
    ]
    assert picks[1:] == picks[:1] * 4


def test_vectors_of_unequal_length_are_counted_and_named():
    rows = [[1.0, 2.0]] * 9
    for odd in (1, 3, 4, 5):
        rows[odd] = [1.0]
    said = complaint(Pool, 9, ids=list("abcdefghi"), columns={"e": rows})
    assert said == (
        "column 'e': vectors of unequal length: most have 2 values, 4 samples (ids b, d, e, ...) do not"
    )


def test_one_odd_vector_is_named_in_the_singular():
    said = complaint(Pool, 3, columns={"e": [[1, 2], [1, 2], [1]]})
    assert "1 sample (id 2) do not" in said


@pytest.mark.parametrize("shape", [(4,), (6,), (4, 2), (2, 4, 3), (5, 4, 3), (2, 2, 5, 3)])
def test_a_column_of_another_length_is_refused(shape):
    said = complaint(Pool, 5, columns={"e": np.zeros(shape)})
    assert said.startswith(f"column 'e': shape {shape} does not fit 5 samples")


def test_members_count_samples_in_the_middle():
    assert Pool(5, columns={"p": np.zeros((2, 5, 3))}).columns["p"].shape == (2, 5, 3)


def test_ids_and_masks_of_another_length_are_refused():
    assert complaint(Pool, 2, ids=["a"]) == "ids: 1 ids for 2 samples"
    assert complaint(Pool, 2, labeled=[True]) == "labeled: needs 2 bools, got shape (1,) of bool"
    said = complaint(Pool, 2, columns={"w": [1, 2]}, missing={"w": [True]})
    assert said == "missing['w']: needs 2 bools, got shape (1,) of bool"


def test_numbers_are_no_mask():
    said = complaint(Pool, 2, labeled=[0, 1])
    assert said == "labeled: needs 2 bools, got shape (2,) of int64"


def test_missing_needs_a_column():
    said = complaint(Pool, 2, missing={"x": [True, False]})
    assert said == "missing['x']: there is no column of that name"


def test_an_unknown_column_is_named_with_those_there_are():
    pool = Pool(2, columns={"w": [1, 2], "c": ["a", "b"]})
    assert complaint(choose, pool, RANDOM, DIVERSITY) == (
        "strategies[1] (diversity): there is no column 'e'; the columns are 'w', 'c'"
    )
    assert "the columns are none" in complaint(choose, Pool(2), RANDOM, DIVERSITY)


@pytest.mark.parametrize(
    ("strategy", "columns", "sentence"),
    [
        (DIVERSITY, {"e": ["a"] * 5}, "strategies[0] (diversity): column 'e' must hold one vector"),
        (DIVERSITY, {"e": np.ones(5)}, "strategies[0] (diversity): column 'e' must hold one vector"),
        (COVERAGE, {"e": np.ones((2, 5, 3))}, "(coverage): column 'e' must hold one vector a sample"),
        (WEIGHT, {"w": ["a"] * 5}, "strategies[0] (weight): column 'w' must hold one number a sample"),
        (WEIGHT, {"w": np.ones((5, 2))}, "(weight): column 'w' must hold one number a sample"),
        (UNCERTAINTY, {"p": np.ones(5)}, "(uncertainty): column 'p' must hold probabilities or"),
        (UNCERTAINTY, {"p": ["a"] * 5}, "(uncertainty): column 'p' must hold probabilities or"),
    ],
)
def test_a_column_of_another_kind_is_refused(strategy, columns, sentence):
    assert sentence in complaint(choose, Pool(5, columns=columns), strategy)


# Values that cannot be used


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("strategy", [DIVERSITY, COVERAGE])
def test_vectors_that_are_not_finite_are_counted_and_named(strategy, value):
    X = vectors()
    X[[0, 2], 1] = value
    said = complaint(choose, Pool(5, columns={"e": X}), strategy)
    assert "column 'e' has 2 samples (ids 0, 2) with NaN or infinite values; correct them" in said


@pytest.mark.parametrize("strategy", [{**DIVERSITY, "metric": "cosine"}, COVERAGE])
def test_zero_vectors_have_no_direction(strategy):
    X = vectors()
    X[3] = 0
    said = complaint(choose, Pool(5, columns={"e": X}), strategy)
    assert "column 'e' has 1 sample (id 3) with a zero vector, which has no direction" in said


def test_zero_vectors_have_a_distance():
    X = vectors()
    X[3] = 0
    assert 3 in choose(Pool(5, columns={"e": X}), DIVERSITY, budget=5).indices


def test_large_float32_vectors_are_not_taken_for_infinite():
    X = np.full((3, 2), 1e30, dtype=np.float32) * np.arange(1, 4, dtype=np.float32)[:, None]
    assert sorted(choose(Pool(3, columns={"e": X}), DIVERSITY).indices) == [0, 1, 2]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ([np.nan, 0.5, 0.5], "with NaN or infinite probabilities"),
        ([np.inf, 0.5, 0.5], "with NaN or infinite probabilities"),
        ([1.5, -0.5, 0], "with negative probabilities"),
        ([0.5, 0.3, 0.1], "with probabilities that do not sum to 1 (if they are logits, say so)"),
        ([0, 0, 0], "with probabilities that do not sum to 1 (if they are logits, say so)"),
    ],
)
def test_what_are_no_probabilities_is_counted_and_named(row, sentence):
    P = predictions()
    P[2] = row
    said = complaint(choose, Pool(5, ids=list("abcde"), columns={"p": P}), UNCERTAINTY)
    assert f"strategies[0] (uncertainty): column 'p': 1 sample (id c) {sentence}" in said


def test_ids_in_a_complaint_are_right_in_a_later_chunk(monkeypatch):
    monkeypatch.setattr(settings, "largest_chunk", 6)
    P = predictions()
    P[4] = 1
    labeled = np.array([True, False, False, False, False])
    pool = Pool(5, ids=list("abcde"), labeled=labeled, columns={"p": P})
    assert "1 sample (id e) with" in complaint(choose, pool, UNCERTAINTY)


def test_a_little_rounding_is_no_mistake():
    P = predictions().astype(np.float16)
    exact = choose(Pool(5, columns={"p": P.astype(float)}), UNCERTAINTY)
    assert choose(Pool(5, columns={"p": P}), UNCERTAINTY).indices.tolist() == exact.indices.tolist()


def test_logits_are_taken_where_declared():
    logits = np.random.default_rng(0).normal(size=(20, 4)) * 3
    P = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    declared = {**UNCERTAINTY, "given": "logits"}
    here = choose(Pool(20, columns={"p": logits}), declared, budget=20)
    there = choose(Pool(20, columns={"p": P}), UNCERTAINTY, budget=20)
    assert here.indices.tolist() == there.indices.tolist()
    np.testing.assert_allclose(here.gains, there.gains, atol=1e-9)


def test_a_temperature_means_the_same_for_logits_and_probabilities():
    logits = np.random.default_rng(0).normal(size=(20, 4)) * 3
    P = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    hot = {**UNCERTAINTY, "temperature": 2.5}
    here = choose(Pool(20, columns={"p": logits}), {**hot, "given": "logits"}, budget=20)
    there = choose(Pool(20, columns={"p": P}), hot, budget=20)
    np.testing.assert_allclose(here.gains, there.gains, atol=1e-9)


def test_a_temperature_keeps_a_probability_of_0():
    P = np.array([[1.0, 0, 0], [0.6, 0.4, 0]])
    hot = {**UNCERTAINTY, "temperature": 3.0, "measure": "ratio"}
    chosen = choose(Pool(2, columns={"p": P}), hot, budget=2)
    assert chosen.gains == pytest.approx([(4 / 6) ** (1 / 3), 0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(value):
    logits = vectors()
    logits[1, 0] = value
    said = complaint(choose, Pool(5, columns={"p": logits}), {**UNCERTAINTY, "given": "logits"})
    assert "column 'p': 1 sample (id 1) with NaN or infinite logits" in said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    said = complaint(choose, Pool(3, columns={"w": [1.0, value, 2.0]}), WEIGHT)
    assert "strategies[0] (weight): column 'w' has 1 sample (id 1) with NaN or infinite values" in said


# Missing values


def with_a_hole(strategy):
    """A pool of 6, of which sample 2 is missing what the strategy reads: NaN, declared."""
    X, P, w = vectors(6), predictions(6), np.arange(6.0)
    X[2], P[2], w[2] = np.nan, np.nan, np.nan
    missing = np.arange(6) == 2
    columns = {"e": X, "p": P, "w": w, "c": ["a", "b", None, "a", "b", "a"]}
    return Pool(6, columns=columns, missing={strategy["column"]: missing})


@pytest.mark.parametrize(
    "strategy", [UNCERTAINTY, DIVERSITY, COVERAGE, BALANCE, WEIGHT], ids=lambda s: s["strategy"]
)
def test_a_sample_without_a_value_is_not_chosen(strategy):
    chosen = choose(with_a_hole(strategy), strategy, budget=10)
    assert sorted(chosen.indices) == [0, 1, 3, 4, 5]
    assert np.isfinite(chosen.gains).all()
    assert chosen.report["stages"][0]["without_value"] == 1
    assert chosen.report["stages"][0]["candidates"] == 5


@pytest.mark.parametrize("strategy", [DIVERSITY, COVERAGE], ids=lambda s: s["strategy"])
@pytest.mark.parametrize("labeled", [False, True])
def test_nor_does_it_count_as_context(strategy, labeled):
    X = vectors(30, 3)
    hole = np.arange(30) == 7
    mask = (np.arange(30) % 5 == 0) | (labeled & hole)
    pool = Pool(30, labeled=mask, columns={"e": X}, missing={"e": hole})
    without = Pool(29, labeled=mask[~hole], columns={"e": X[~hole]})
    here, there = choose(pool, strategy, budget=10), choose(without, strategy, budget=10)
    assert here.indices.tolist() == np.flatnonzero(~hole)[there.indices].tolist()
    np.testing.assert_allclose(here.gains, there.gains)


def test_what_one_entry_lacks_is_context_to_the_others():
    """Sample 0 has no number; diversity still keeps away from it where it is labeled."""
    pool = Pool(
        4,
        labeled=[True, False, False, False],
        columns={"e": np.array([[0.0], [0.1], [5], [9]]), "w": np.zeros(4)},
        missing={"w": [True, False, False, False]},
    )
    level = {**WEIGHT, "prefer": "high"}
    assert choose(pool, DIVERSITY, level).indices.tolist() == [3, 2, 1]


def test_where_all_values_are_missing_it_says_whose():
    pool = Pool(3, columns={"e": vectors(3)}, missing={"e": [True] * 3})
    assert complaint(choose, pool, DIVERSITY) == (
        "none of the 3 samples that may be chosen has every value it takes: 3 have none in 'e'"
    )


def test_missing_categories_are_none():
    pool = Pool(4, columns={"c": ["a", None, "b", None]})
    assert pool.missing["c"].tolist() == [False, True, False, True]
    assert choose(pool, BALANCE, budget=10).indices.tolist() == [0, 2]


def test_missing_dates_are_nat():
    taken = np.array(["2024-01-01", "NaT", "2024-03-01"], dtype="datetime64[D]")
    pool = Pool(3, columns={"w": taken})
    assert pool.missing["w"].tolist() == [False, True, False]
    assert choose(pool, WEIGHT).indices.tolist() == [2, 0]


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
def test_dates_are_numbers_of_seconds(unit):
    taken = np.array(["1970-01-02", "1970-01-04", "1970-01-03"], dtype="datetime64[D]")
    pool = Pool(3, columns={"w": taken.astype(f"datetime64[{unit}]")})
    assert pool.numbers("w", "test").tolist() == [86400, 259200, 172800]
    chosen = choose(pool, {**WEIGHT, "prefer": "low"})
    assert chosen.indices.tolist() == [0, 2, 1]
    assert chosen.gains == pytest.approx([1, 0.5, 0])


# Classes


def test_class_names_must_fit_the_column():
    said = complaint(Pool, 5, columns={"p": predictions()}, classes={"p": ["a", "b"]})
    assert said == "classes['p']: 2 names for 3 values a sample"


def test_class_names_must_differ():
    said = complaint(Pool, 5, columns={"p": predictions()}, classes={"p": ["a", "b", "a"]})
    assert said == "classes['p']: a class is named twice"


def test_class_names_need_a_column():
    assert complaint(Pool, 5, classes={"p": ["a"]}) == "classes['p']: there is no column of that name"


def test_a_target_names_classes_there_are():
    pool = Pool(5, columns={"c": predictions()}, classes={"c": ["cat", "dog", "owl"]})
    assert complaint(choose, pool, {**BALANCE, "target": {"cow": 1.0}}) == (
        "strategies[0] (balance): target names 'cow', which is no class; "
        "the classes are 'cat', 'dog', 'owl'"
    )


@pytest.mark.parametrize("target", [{"a": 0.7, "b": 0.7}, {"a": 0.2, "b": 0.2}, {"a": 0, "b": 0}])
def test_a_targets_shares_make_1(target):
    said = complaint(choose, Pool(2, columns={"c": ["a", "b"]}), {**BALANCE, "target": target})
    assert "shares add up to" in said


def test_a_category_that_is_no_class_is_named():
    pool = Pool(3, columns={"c": ["a", "z", "b"]}, classes={"c": ["a", "b"]})
    assert complaint(choose, pool, BALANCE) == (
        "strategies[0] (balance): column 'c' holds 'z' (1 sample (id 1)), which is no class; "
        "the classes are 'a', 'b'"
    )


# Nothing to choose from


def test_an_empty_pool_says_so():
    said = "the pool is empty: there is nothing to choose from"
    assert complaint(alcore.select, Pool(0), {"budget": 1}) == said
    assert complaint(choose, Pool(0, columns={"e": np.zeros((0, 3))}), DIVERSITY) == said


def test_a_pool_that_is_all_labeled_says_so():
    said = complaint(alcore.select, Pool(2, labeled=[True, True]), {"budget": 1})
    assert said.startswith("none of the 2 samples may be chosen: all are labeled or removed by")


def test_a_pool_of_one():
    X = vectors(1)
    chosen = choose(Pool(1, columns={"e": X}), DIVERSITY, COVERAGE)
    assert chosen.indices.tolist() == [0]
    assert np.isfinite(chosen.gains).all()
