"""What the chosen images hold is a count; a recipe that chooses by the counts themselves finds most."""

import numpy as np
import pytest

import alcore
from alcore.data.errors import InvalidInput
from alcore.replaying import replay_outcomes
from alcore.replaying.one_run import SPLIT

N = 100
BY_ERRORS = [{"strategy": "weight", "column": "known errors"}]


def make():
    rng = np.random.default_rng(0)
    boxes = rng.integers(0, 9, N)
    errors = rng.binomial(boxes, 0.4)
    pool = alcore.Pool(N, columns={"known errors": errors.astype(float)})
    return pool, {"errors": errors, "boxes": boxes}


def test_counts_are_those_of_the_chosen():
    pool, outcomes = make()
    found = replay_outcomes(pool, outcomes, {"by errors": BY_ERRORS}, budget=20, seeds=3)
    assert found.measures == ["errors an image", "boxes an image", "errors a box"]
    assert found.labels[-1] == 20 and found.unit == "images"
    for seed in range(3):
        drawn = np.sort(np.argsort(pool.drawn(seed, SPLIT), kind="stable")[:80])
        best = drawn[np.argsort(-outcomes["errors"][drawn], kind="stable")[:20]]
        errors, boxes = outcomes["errors"][best].sum(), outcomes["boxes"][best].sum()
        last = found.scores["by errors"][seed, -1]
        assert last == pytest.approx([errors / 20, boxes / 20, errors / boxes])
    assert found.table("errors an image")[0].name == "by errors"
    assert "'by errors' is better than a random choice" in found.verdict("errors an image")
    assert found.table("boxes an image")[0].name == "random"


def test_bad_input_is_told():
    pool, outcomes = make()
    with pytest.raises(InvalidInput, match="100 images are too few to choose 90 of"):
        replay_outcomes(pool, outcomes, {}, budget=90)
    with pytest.raises(InvalidInput, match="'errors' has 3 counts for 100 images"):
        replay_outcomes(pool, {"errors": np.ones(3)}, {}, budget=10)
    with pytest.raises(
        InvalidInput, match="every run of 'x' failed; the first: 'x', seed 0: strategies"
    ):
        replay_outcomes(
            pool, outcomes, {"x": [{"strategy": "weight", "column": "no"}]}, budget=5, seeds=2
        )


def test_a_budget_of_its_own_is_replaced():
    pool, outcomes = make()
    recipes = {"plain": BY_ERRORS, "own": {"budget": 3, "strategies": BY_ERRORS}}
    found = replay_outcomes(pool, outcomes, recipes, budget=20, seeds=2)
    assert not found.failures and (found.scores["own"] == found.scores["plain"]).all()
