"""What a given set reaches is what a selection of that set reports."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alcore

N, CLASSES = 60, 3
STRATEGIES = {
    "coverage": {"strategy": "coverage", "column": "embeddings"},
    "diversity": {"strategy": "diversity", "column": "embeddings"},
    "balance": {"strategy": "balance", "column": "predictions"},
}


def make_pool(seed):
    rng = np.random.default_rng(seed)
    columns = {
        "embeddings": rng.normal(size=(N, 6)),
        "predictions": rng.dirichlet(np.ones(CLASSES), N),
    }
    return alcore.Pool(N, labeled=np.arange(N) < 5, columns=columns)


@pytest.mark.parametrize("name", STRATEGIES)
@given(seed=st.integers(0, 20), budget=st.integers(1, 12))
def test_a_selection_reaches_what_it_reports(name, seed, budget):
    pool = make_pool(seed)
    recipe = {"budget": budget, "strategies": [STRATEGIES[name]]}
    chosen = alcore.select(pool, recipe)
    told = chosen.report["stages"][0]["reached"][name]["after"]
    found = alcore.reached(pool, recipe, chosen.indices)[name]
    assert found.keys() == told.keys()
    for key, value in told.items():
        if isinstance(value, float) or key == "counts":
            assert found[key] == pytest.approx(value)


def test_nothing_chosen_reaches_what_the_labeled_do():
    pool = make_pool(0)
    recipe = {"budget": 4, "strategies": [STRATEGIES["balance"]]}
    before = alcore.select(pool, recipe).report["stages"][0]["reached"]["balance"]["before"]
    found = alcore.reached(pool, recipe, np.zeros(0, dtype=np.int64))["balance"]
    assert found["counts"] == before["counts"]


def test_stages_and_rules_are_refused():
    pool = make_pool(0)
    rule = {"budget": 4, "strategies": [{"strategy": "typiclust", "column": "embeddings"}]}
    with pytest.raises(alcore.InvalidInput, match="one stage"):
        alcore.reached(pool, rule, np.arange(3))
