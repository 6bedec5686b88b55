"""Stochastic batches: drawn without replacement, with the chances the paper gives them."""

import numpy as np
import pytest
from scipy.stats import chisquare

import alcore
from alcore import InvalidInput

VALUES = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 1.0])
BATCHES = ["power", "softmax", "softrank"]


def choose(batch, budget=2, seed=0, values=VALUES, **more):
    pool = alcore.Pool(len(values), columns={"number": values})
    recipe = {
        "budget": budget,
        "strategies": [{"strategy": "weight", "column": "number"}],
        "batch": batch,
        "seed": seed,
        **more,
    }
    return alcore.select(pool, recipe, device="cpu")


def chances(batch, coldness):
    if batch == "power":
        weights = VALUES**coldness
    elif batch == "softmax":
        weights = np.exp(coldness * VALUES)
    else:
        weights = (6.0 - np.arange(6)) ** -coldness
    return weights / weights.sum()


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("coldness", [1.0, 2.0])
def test_draws_follow_their_law(batch, coldness):
    """The first draw by its chance, the second by its chance among the rest."""
    p = chances(batch, coldness)
    seen = np.zeros((6, 6))
    for seed in range(1500):
        first, second = choose(batch, seed=seed, coldness=coldness).indices
        seen[first, second] += 1
    expected = p[:, None] * p[None] / (1 - p[:, None]) * (1 - np.eye(6)) * seen.sum()
    likely = expected > 5
    assert seen[expected == 0].sum() == 0
    rest = seen[~likely].sum(), expected[~likely].sum()
    observed = np.append(seen[likely], rest[0]) if rest[1] > 0 else seen[likely]
    law = np.append(expected[likely], rest[1]) if rest[1] > 0 else expected[likely]
    assert chisquare(observed, law).pvalue > 1e-3


@pytest.mark.parametrize("batch", BATCHES)
def test_draws_each_once_and_values_of_0_last(batch):
    chosen = choose(batch, budget=20)
    assert sorted(chosen.indices.tolist()) == list(range(6))
    assert chosen.report["stopped"].startswith("all 6 candidates")
    np.testing.assert_allclose(chosen.gains, VALUES[chosen.indices], atol=1e-9)
    assert [reason["weight"] for reason in chosen.reasons] == VALUES[chosen.indices].tolist()
    if batch == "power":
        assert chosen.indices[-1] == 0


@pytest.mark.parametrize("batch", BATCHES)
def test_a_seed_fixes_the_draw_and_a_filter_does_not_change_it(batch):
    assert choose(batch, 6, 5).indices.tolist() == choose(batch, 6, 5).indices.tolist()
    assert any(
        choose(batch, 6, s).indices.tolist() != choose(batch, 6, 0).indices.tolist() for s in (1, 2)
    )
    if batch != "softrank":  # whose ranks are those among the candidates
        whole = choose(batch, 6, 5).indices.tolist()
        without = choose(batch, 6, 5, filters=[{"column": "id", "not_in": [3]}]).indices.tolist()
        assert without == [row for row in whole if row != 3]


@pytest.mark.parametrize("batch", BATCHES)
def test_great_coldness_takes_the_best(batch):
    assert choose(batch, 3, coldness=1e4).indices.tolist() == [5, 4, 3]


def test_strategies_that_change_with_the_picks_are_refused():
    pool = alcore.Pool(5, columns={"embeddings": np.eye(5)})
    entry = {"strategy": "diversity", "column": "embeddings"}
    with pytest.raises(InvalidInput, match=r"batch: 'power' draws .* those of 'diversity' do"):
        alcore.select(pool, {"budget": 2, "strategies": [entry], "batch": "power"})


def test_a_stage_of_a_cascade_may_draw():
    pool = alcore.Pool(6, columns={"number": VALUES})
    weight = {"strategy": "weight", "column": "number"}
    stages = [
        {"budget": 4, "strategies": [weight]},
        {"budget": 2, "strategies": [weight], "batch": "power"},
    ]
    for seed in range(20):
        chosen = alcore.select(pool, {"stages": stages, "seed": seed}, device="cpu")
        assert set(chosen.indices.tolist()) <= {2, 3, 4, 5}


def test_power_needs_a_value_above_0_and_orders_the_others():
    pool = alcore.Pool(5, columns={"number": np.arange(5.0)})
    down = {"strategy": "weight", "column": "number", "strength": -1}
    recipe = {"budget": 3, "strategies": [down], "batch": "power", "combine": "sum"}
    with pytest.raises(InvalidInput, match=r"'power' draws .* all 5 are 0 or below; use softmax"):
        alcore.select(pool, recipe, device="cpu")
    up = {"strategy": "weight", "column": "number", "name": "up", "strength": 3}
    mixed = recipe | {"budget": 5, "strategies": [up | {"prefer": [4, 4]}, down | {"strength": -2}]}
    chosen = alcore.select(pool, mixed, device="cpu")
    below = chosen.gains[chosen.gains <= 0]
    assert sorted(below, reverse=True) == below.tolist()


def test_stages_draw_for_themselves():
    """With one draw for both, what the first stage chose would decide the second."""
    pool = alcore.Pool(3, columns={"a": np.array([10, 0.1, 0.2]), "b": np.ones(3)})
    stages = [
        {"budget": 2, "strategies": [{"strategy": "weight", "column": "a"}], "batch": "softmax"},
        {"budget": 1, "strategies": [{"strategy": "weight", "column": "b"}], "batch": "power"},
    ]
    stages[0]["coldness"] = 3.0
    drawn = 0
    for seed in range(600):
        chosen = alcore.select(pool, {"stages": stages, "seed": seed}, device="cpu")
        drawn += chosen.indices[0] == 0
    assert 240 < drawn < 360  # sample 0 is nearly always one of the two
