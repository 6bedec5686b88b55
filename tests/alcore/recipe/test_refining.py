"""Refine: the candidates that several strategies draw from random subsets, written out by loops."""

import numpy as np
import pytest

import alcore
from alcore import InvalidInput, Recipe
from alcore.data.draws import id_hashes, uniforms
from alcore.recipe.refining import REFINE
from support import twins
from support.problems import random_pool

MARGIN = {"strategy": "uncertainty", "column": "predictions"}
DIVERSITY = {"strategy": "diversity", "column": "embeddings"}
COVERAGE = {"strategy": "coverage", "column": "embeddings", "bandwidth": 0.5, "weights": MARGIN}
TYPICLUST = {"strategy": "typiclust", "column": "embeddings"}
RANDOM = {"strategy": "random"}
BUDGET = 6


def recipe_of(last=COVERAGE, seed=5, strategies=(MARGIN, DIVERSITY), filters=(), **options):
    refine = {"strategies": list(strategies), "rounds": 3, "draws": 2, "first": 20} | options
    return {
        "stages": [
            {"refine": refine, "filters": list(filters)},
            {"budget": BUDGET, "strategies": [last]},
        ],
        "seed": seed,
    }


def select(pool, **options):
    return alcore.select(pool, recipe_of(**options), device="cpu")


def twin(pool, seed, rounds, draws, share, first, at_most):
    """The candidates after every round, with margin and diversity."""
    labeled = np.flatnonzero(pool.labeled)
    left, size, counts = np.flatnonzero(~pool.labeled).tolist(), first, []

    def some(most, *key):
        drawn = uniforms(id_hashes([pool.ids[row] for row in left]), seed, REFINE, 0, *key)
        return sorted(row for _, row in sorted(zip(drawn, left, strict=True))[:most])

    for turn in range(rounds):
        found = set()
        for k in range(2):
            for draw in range(draws):
                subset = some(size, turn, k, draw)
                if k == 0:
                    margin = twins.uncertainty(pool.columns["predictions"][subset], "margin")
                    found |= {subset[at] for at in np.argsort(-margin, kind="stable")[:BUDGET]}
                else:
                    here = np.union1d(labeled, subset)
                    term = twins.Diversity(pool.columns["embeddings"][here])
                    at = [np.searchsorted(here, rows) for rows in (subset, labeled)]
                    chosen, _ = twins.greedy([term], [1], *at, BUDGET)
                    found |= set(here[chosen].tolist())
        left = sorted(found)
        left = some(at_most, turn)
        counts.append(len(left))
        size = max(BUDGET, int(share * len(left)))
    return left, counts


@pytest.mark.parametrize("labeled", [0, 9])
@pytest.mark.parametrize(("share", "at_most"), [(0.4, 10_000), (0.9, 15), (1.0, 8)])
def test_the_candidates_are_those_of_the_rule_written_out(labeled, share, at_most):
    pool = random_pool(80, d=3, labeled=labeled)
    left, counts = twin(pool, 5, rounds=3, draws=2, share=share, first=20, at_most=at_most)
    chosen = select(pool, share=share, at_most=at_most)
    assert chosen.report["stages"][0]["left_by_round"] == counts
    # The next stage covers the whole pool by those candidates.
    only = {"column": "id", "in": left}
    expected = alcore.select(
        pool.with_columns({"id": np.arange(80)}),
        {"budget": BUDGET, "strategies": [COVERAGE], "filters": [only]},
        device="cpu",
    )
    assert chosen.indices.tolist() == expected.indices.tolist()


def test_the_defaults_are_those_of_the_paper():
    made = Recipe.of({"stages": [{"refine": {"strategies": [RANDOM]}}, {"budget": 3}]})
    refine = made.stages[0].refine
    assert (refine.rounds, refine.draws, refine.share) == (5, 10, 0.4)
    assert (refine.first, refine.at_most) == (5000, 10_000)


@pytest.mark.parametrize(
    "several", [[MARGIN], [DIVERSITY], [COVERAGE], [TYPICLUST, TYPICLUST, MARGIN], [RANDOM]]
)
def test_the_order_of_the_rows_does_not_matter(several):
    pool = random_pool(70, d=3, labeled=6)
    order = np.random.default_rng(1).permutation(70)
    columns = {name: column[order] for name, column in pool.columns.items()}
    other = alcore.Pool(70, ids=order.tolist(), labeled=pool.labeled[order], columns=columns)
    options = {"strategies": several, "last": MARGIN}
    assert select(pool, **options).ids == select(other, **options).ids


def test_another_seed_draws_others_and_the_same_the_same():
    pool = random_pool(200, d=3)
    first, again, other = (select(pool, strategies=[RANDOM], seed=seed) for seed in (1, 1, 2))
    assert first.indices.tolist() == again.indices.tolist() != other.indices.tolist()


def test_every_draw_of_chance_is_another():
    pool = random_pool(300, d=3)
    left = select(pool, strategies=[RANDOM], rounds=1, draws=10, first=300)
    assert left.report["stages"][0]["chosen"] > 4 * BUDGET  # the same draw ten times leaves 6


def test_what_a_filter_removes_is_not_drawn():
    pool = random_pool(80, d=3)
    chosen = select(pool, filters=[{"column": "number", "min": 0.5}], last=RANDOM)
    assert (pool.columns["number"][chosen.indices] >= 0.5).all()


def test_a_sample_without_a_value_is_not_drawn():
    pool = random_pool(80, d=3)
    missing = np.arange(80) % 2 == 0
    pool = pool.with_columns({"predictions": pool.columns["predictions"]}, {"predictions": missing})
    assert not missing[select(pool, last=RANDOM).indices].any()


def test_examples_may_be_samples_that_are_not_in_the_subset():
    pool = random_pool(80, d=3)
    like = {"strategy": "similarity", "column": "embeddings", "to": [7]}
    chosen = select(pool, strategies=[like], last=like, rounds=1, draws=30)
    assert chosen.indices[0] == 7


def test_it_is_read_and_filled_in_as_any_stage():
    recipe = Recipe.of(recipe_of())
    assert recipe.columns == {
        "predictions": ["uncertainty", "coverage"],
        "embeddings": ["diversity", "coverage"],
    }
    named = recipe.mapped(lambda one: one.model_copy(update={"name": "x"}))
    assert [one.name for one in named.stages[0].named] == ["x", "x"]
    assert Recipe.of({"stages": recipe.model_dump()["stages"], "seed": 5}) == recipe


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ([{"refine": {"strategies": [RANDOM]}}], "stages[0].refine: the next stage must have a count"),
        (
            [{"refine": {"strategies": [RANDOM]}}, {"budget": 0.5}],
            "stages[0].refine: the next stage must have a count",
        ),
        (
            [{"refine": {"strategies": [RANDOM]}, "budget": 3}, {"budget": 3}],
            "stages[0]: refine: takes filters beside it and nothing else",
        ),
        (
            [{"refine": {"strategies": [{"strategy": "random", "strength": 0}]}}, {"budget": 3}],
            "stages[0].refine: strategies: one has strength 0",
        ),
        (
            [{"refine": {"strategies": [RANDOM], "round": 1}}, {"budget": 3}],
            "stages[0].refine: unknown option 'round'; it takes strategies, rounds, draws, share",
        ),
        (
            [{"refine": {"strategies": [{"strategy": "nearest"}]}}, {"budget": 3}],
            "unknown strategy 'nearest'",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(stages, sentence):
    with pytest.raises(InvalidInput) as error:
        Recipe.of({"stages": stages})
    assert sentence in str(error.value)


def test_a_column_that_is_missing_is_named_with_the_strategy():
    odd = {"strategy": "weight", "column": "sharpness"}
    with pytest.raises(InvalidInput, match=r"^stages\[0\]\.refine\.strategies\[1\] \(weight\):"):
        select(random_pool(30, d=3), strategies=[MARGIN, odd])


def test_strategies_that_stand_alone_may_draw_beside_others():
    chosen = select(random_pool(80, d=3, labeled=9), strategies=[MARGIN, TYPICLUST, COVERAGE])
    assert len(chosen) == BUDGET
