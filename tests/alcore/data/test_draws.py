"""Draws by id, values of other libraries as plain ones, and dates."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

import alcore
from alcore.data.draws import id_hashes, uniforms
from alcore.data.plain import plain


def test_draws_are_uniform_and_independent_of_each_other():
    hashes = id_hashes(range(20_000))
    first, second = uniforms(hashes, 0), uniforms(hashes, 1)
    assert first.min() > 0 and first.max() < 1
    assert kstest(first, "uniform").pvalue > 0.01 and kstest(second, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.03
    assert len(np.unique(uniforms(hashes, 2**64 - 1, 3))) == 20_000


def test_a_draw_is_that_of_the_id():
    ids = [f"id-{one}" for one in range(50)]
    order = np.random.default_rng(0).permutation(50)
    drawn = uniforms(id_hashes(ids), 7, 1)
    assert (uniforms(id_hashes([ids[one] for one in order]), 7, 1) == drawn[order]).all()
    assert drawn[:3] == pytest.approx([0.9, 0.9, 0.9], abs=0.9)


@pytest.mark.parametrize("batch", ["power", "softmax", "softrank"])
def test_drawn_batches_do_not_depend_on_the_order_of_the_rows(batch):
    rng = np.random.default_rng(0)
    numbers, ids = rng.random(80), [f"id-{one}" for one in range(80)]
    recipe = {"budget": 20, "seed": 3, "batch": batch}
    recipe["strategies"] = [{"strategy": "weight", "column": "number"}]
    order = rng.permutation(80)
    first = alcore.select(alcore.Pool(80, ids=ids, columns={"number": numbers}), recipe).ids
    shuffled = alcore.Pool(80, ids=[ids[one] for one in order], columns={"number": numbers[order]})
    assert alcore.select(shuffled, recipe).ids == first


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.arange(3), [0, 1, 2]),
        (torch.tensor([[1.5, 2.0]]), [[1.5, 2.0]]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Index(["a"]), ["a"]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (pd.DataFrame([[0, 1], [2, 0]]), [[0, 1], [2, 0]]),
        (
            pd.DataFrame({"a": [0, 1], "b": [2, 0]}, ["a", "b"]),
            {"a": {"a": 0, "b": 2}, "b": {"a": 1, "b": 0}},
        ),
        (pd.Timestamp("2026-01-31"), datetime(2026, 1, 31)),
        (np.datetime64("2026-01-31"), datetime(2026, 1, 31)),
        (date(2026, 1, 31), datetime(2026, 1, 31)),
        (pd.NaT, None),
        ({"a": (np.int8(1), {3, 2})}, {"a": [1, [2, 3]]}),
        (range(3), [0, 1, 2]),
    ],
)
def test_values_of_other_libraries_are_what_they_are(value, expected):
    found = plain(value)
    assert found == expected and type(found) is type(expected)


def _pool(**columns):
    return alcore.Pool(5, columns=columns)


def test_a_recipe_takes_values_of_other_libraries():
    pool = _pool(number=np.arange(5.0))
    entry = {"strategy": "weight", "column": "number", "prefer": (np.float32(1), np.int64(2))}
    recipe = {"budget": np.int64(2), "seed": np.uint64(2**64 - 1), "strategies": (entry,)}
    assert sorted(alcore.select(pool, recipe).ids) == [1, 2]


@pytest.mark.parametrize(
    "one, two", [("2026-01-02", "2026-01-03"), (date(2026, 1, 2), pd.Timestamp("2026-01-03"))]
)
def test_dates_in_preferences_and_filters(one, two):
    taken = np.datetime64("2026-01-01") + np.arange(5)
    pool = _pool(taken=taken.astype("datetime64[us]"))
    weight = {"strategy": "weight", "column": "taken"}
    recipe = {"budget": 2, "strategies": [{**weight, "prefer": [one, two]}]}
    assert sorted(alcore.select(pool, recipe).ids) == [1, 2]
    bell = {**weight, "prefer": {"around": two, "width": 3600}}
    assert alcore.select(pool, {"budget": 1, "strategies": [bell]}).ids == [2]
    for one_filter in ({"min": one, "max": two}, {"in": [one, two]}):
        recipe = {"budget": 5, "filters": [{"column": "taken", **one_filter}], "strategies": [weight]}
        assert sorted(alcore.select(pool, recipe).ids) == [1, 2]


def test_a_budget_of_1_0_is_all_and_2_0_is_two():
    pool = _pool(number=np.arange(5.0))
    weight = [{"strategy": "weight", "column": "number"}]
    for budget, count in ((1.0, 5), (2.0, 2), (0.4, 2), (1, 1), (np.float64(3.0), 3)):
        assert len(alcore.select(pool, {"budget": budget, "strategies": weight})) == count


@pytest.mark.parametrize(
    "recipe",
    [
        {"budget": 1e200},
        {"budget": 10**30},
        {"budget": 2, "seed": 2**64},
        {"budget": 2, "strategies": [{"strategy": "typicality", "column": "x", "neighbors": 1e200}]},
        "[" * 100_000,
        '{"a":' * 50_000,
    ],
)
def test_absurd_sizes_are_refused_in_a_sentence(recipe):
    with pytest.raises(alcore.InvalidInput) as error:
        alcore.Recipe.of(recipe)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_a_negative_strength_leaves_the_other_strategies_their_say():
    """Where many values are 0, ties are broken by the others; none of them is infinite."""
    zeros = np.array([0, 0, 0, 1.0, 2.0])
    pool = _pool(low=zeros, high=np.array([0.1, 0.9, 0.5, 1.0, 1.0]))
    entries = [
        {"strategy": "weight", "column": "low", "name": "less", "strength": -1},
        {"strategy": "weight", "column": "high"},
    ]
    chosen = alcore.select(pool, {"budget": 5, "strategies": entries})
    assert chosen.ids[:3] == [1, 3, 2] and np.isfinite(chosen.gains).all()


def test_how_much_representative_informative_says_does_not_depend_on_the_budget():
    rng = np.random.default_rng(0)
    pool = alcore.Pool(60, columns={"p": rng.dirichlet(np.ones(3), 60), "number": rng.random(60)})
    entry = {"strategy": "representative_informative", "column": "p", "scaling": "mean_discrepancy"}
    values = []
    for budget in (2, 20):
        recipe = {"budget": budget, "strategies": [entry, {"strategy": "weight", "column": "number"}]}
        reasons = alcore.select(pool, recipe).reasons
        values.append(reasons[0]["representative_informative"])
        assert all(0 < one["representative_informative"] <= 1 for one in reasons)
    assert values[0] == pytest.approx(values[1], abs=0.7)
