"""Costs and groups: beside a brute-force greedy that bars what the budget or a group does not allow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alcore
from alcore import InvalidInput, Pool
from support import twins
from support.problems import problems

ROUNDING = 1e-9


@st.composite
def limited(draw):
    """A problem with a cost and a group for each sample."""
    problem = draw(problems(st.integers(1, 60)))
    n = problem.pool.n
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    costs = rng.choice([0.5, 1.0, 2.5, 7.0], n) if draw(st.booleans()) else rng.uniform(0.1, 5, n)
    groups = rng.integers(0, draw(st.sampled_from([1, 3, 12])), n)
    names = np.array([f"g{one}" for one in groups], dtype=object)
    pool = Pool(
        n,
        labeled=problem.pool.labeled,
        columns={**problem.pool.columns, "minutes": costs, "video": names},
        classes=problem.pool.classes,
    )
    return replace(problem, pool=pool), costs, groups


def per_cost(total, costs):
    return np.where(total > 0, total / costs, total * costs)


def steps_of(problem, chosen):
    return twins.totals(
        problem.terms,
        problem.strengths,
        problem.candidates,
        problem.labeled,
        chosen,
        problem.recipe["combine"],
    )


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(limited(), st.booleans(), st.sampled_from([None, 1, 2, 5]), st.floats(0.2, 40))
def test_picks_are_those_of_brute_force(limited, by_cost, at_most, spend):
    problem, costs, groups = limited
    spend = max(spend, costs[problem.candidates].min())
    recipe = dict(problem.recipe)
    if by_cost:
        recipe["cost"] = {"column": "minutes", "budget": spend}
    if at_most:
        recipe["groups"] = {"column": "video", "at_most": at_most}
    picked = alcore.select(problem.pool, recipe, device="cpu")
    chosen = []
    for left, plain in steps_of(problem, chosen):
        if not any(problem.strengths):
            plain = np.ones(len(left))
        spent = costs[chosen].sum()
        total = per_cost(plain, costs[left]) if by_cost else plain.copy()
        if by_cost:
            total[costs[left] > spend - spent + ROUNDING] = -np.inf
        if at_most:
            taken = np.bincount(groups[chosen], minlength=99) if chosen else np.zeros(99, dtype=int)
            total[taken[groups[left]] >= at_most] = -np.inf
        best = total.max()
        if len(chosen) == len(picked):
            assert len(chosen) == recipe["budget"] or best == -np.inf
            break
        else:
            place = np.flatnonzero(left == picked.indices[len(chosen)])[0]
            if np.isfinite(best):
                assert total[place] >= best - twins.TIE * abs(best) - 1e-12
            assert picked.gains[len(chosen)] == pytest.approx(total[place], rel=1e-6, abs=1e-9)
            pick = int(place)
        if best == -np.inf or len(chosen) == recipe["budget"]:
            break
        chosen.append(int(left[pick]))
    if by_cost:
        assert picked.report["stages"][0]["cost"]["spent"] <= spend * (1 + 1e-8)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(limited(), st.sampled_from(["mean", "max"]), st.booleans())
def test_whole_groups_are_those_of_brute_force(limited, value, by_cost):
    problem, costs, groups = limited
    sizes = np.bincount(groups[problem.candidates], minlength=99)
    smallest = sizes[sizes > 0].min()
    recipe = problem.recipe | {"groups": {"column": "video", "whole": True, "value": value}}
    recipe["budget"] = budget = max(recipe["budget"], int(smallest))
    spend = costs.sum() / 2
    if by_cost and costs[problem.candidates].min() <= spend:
        recipe["cost"] = {"column": "minutes", "budget": spend}
    by_cost = "cost" in recipe
    picked = alcore.select(problem.pool, recipe, device="cpu")
    chosen = []
    for left, total in steps_of(problem, chosen):
        if not any(problem.strengths):
            total = np.ones(len(left))
        total = per_cost(total, costs[left]) if by_cost else total
        worth = {}
        for group in np.unique(groups[left]):
            mine = left[groups[left] == group]
            fits = len(mine) <= budget - len(chosen)
            if by_cost:
                fits &= costs[mine].sum() <= spend - costs[chosen].sum() + ROUNDING
            values = total[groups[left] == group]
            # A group with a sample that cannot be chosen cannot be chosen as a whole.
            if fits and (values > -np.inf).all():
                worth[group] = values.mean() if value == "mean" else values.max()
        best = max(worth.values(), default=-np.inf)
        if len(chosen) == len(picked):
            assert best == -np.inf
            break
        group = groups[picked.indices[len(chosen)]]
        if np.isfinite(best):
            assert worth[group] >= best - 10 * twins.TIE * abs(best) - 1e-12
        mine = set(left[groups[left] == group].tolist())
        next_ones = picked.indices[len(chosen) : len(chosen) + len(mine)].tolist()
        assert set(next_ones) == mine
        chosen += next_ones
    assert len(chosen) == len(picked) <= budget


def choose(pool, **recipe):
    recipe.setdefault("strategies", [{"strategy": "weight", "column": "w"}])
    return alcore.select(pool, recipe, device="cpu")


def test_cheap_samples_go_before_dear_ones_until_the_money_is_spent():
    columns = {"w": [1.0, 0.9, 0.8, 0.1, 0.0], "price": [10.0, 1.0, 1.0, 1.0, 1.0]}
    pool = Pool(5, columns=columns)
    chosen = choose(pool, cost={"column": "price", "budget": 3})
    assert chosen.indices.tolist() == [1, 2, 3]
    assert chosen.report["stages"][0]["cost"] == {"spent": 3.0, "budget": 3.0}
    assert "costs more than is left of 3" in chosen.report["stopped"]
    assert choose(pool, cost={"column": "price", "budget": 99}, budget=2).indices.tolist() == [1, 2]
    assert len(choose(pool, cost={"column": "price", "budget": 14})) == 5


def test_tenths_make_up_a_whole():
    pool = Pool(10, columns={"w": np.arange(10.0), "price": np.full(10, 0.1)})
    assert len(choose(pool, cost={"column": "price", "budget": 1.0})) == 10


def test_samples_without_a_group_are_groups_of_their_own():
    pool = Pool(6, columns={"w": np.arange(6.0), "video": ["a", "a", None, None, "b", "b"]})
    few = choose(pool, budget=6, groups={"column": "video", "at_most": 1})
    assert few.indices.tolist() == [5, 3, 2, 1]
    assert "of which 1 are chosen" in few.report["stopped"]
    whole = choose(pool, budget=3, groups={"column": "video", "whole": True})
    assert whole.indices.tolist() == [5, 4, 3]
    assert whole.report["stages"][0]["groups"] == 2


@pytest.mark.parametrize(
    "recipe, message",
    [
        ({"cost": {"column": "w", "budget": 1}}, "cost: column 'w' has 1 sample .id 0. that cost 0"),
        (
            {"cost": {"column": "price", "budget": 0.5}},
            "nothing can be paid for with 0.5: the cheapest",
        ),
        ({"cost": {"column": "pric", "budget": 1}}, "cost: there is no column 'pric'"),
        ({"budget": 1, "groups": {"column": "v", "whole": True}}, "every group of 'v' is larger than"),
        ({"budget": 1, "groups": {"column": "x", "at_most": 1}}, "must hold one value a sample"),
    ],
)
def test_what_cannot_limit_is_refused(recipe, message):
    columns = {"w": [0.0, 1.0], "price": [1.0, 2.0], "v": ["a", "a"], "x": np.zeros((2, 2))}
    with pytest.raises(InvalidInput, match=message):
        choose(Pool(2, columns=columns), **recipe)
